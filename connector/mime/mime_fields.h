/* SPDX-License-Identifier: ISC */
/* The fields of a message's header that the contract names, as frames.  For the
 * worker only. */
#ifndef MT_MIME_MIME_FIELDS_H
#define MT_MIME_MIME_FIELDS_H

#include "mime_report.h"

#include <gmime/gmime.h>

/* Reports them.  Names match in any case; of addresses all fields of a name
 * count, of others the first. */
void mime_fields_report(struct mime_report *report, GMimeObject *message);

#endif
