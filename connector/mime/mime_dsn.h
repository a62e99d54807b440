/* SPDX-License-Identifier: ISC */
/* A delivery status notification (RFC 3464), summed up.  For the worker only. */
#ifndef MT_MIME_MIME_DSN_H
#define MT_MIME_MIME_DSN_H

#include "mime_report.h"

#include <stddef.h>

/* Bytes of the status and of the returned header that are looked at. */
#define MIME_DSN_MAX 262144

/*
 * Reports the bounce that the contents of a message/delivery-status part tell
 * of.  `returned` is the message that bounced or its header, of which the
 * Message-ID is taken; it may be empty.  Both end with a NUL.
 */
void mime_dsn_report(
    struct mime_report *report, const char *status, const char *returned);

#endif
