/* SPDX-License-Identifier: ISC */
/*
 * Puts what is known of a provider into the words of the `providers` reply, as
 * fields or as JSON: its settings as they stand in its file.
 */
#ifndef MT_DAEMON_PROVIDER_REPORT_H
#define MT_DAEMON_PROVIDER_REPORT_H

#include "provider.h"

#include "base/secret.h"

/* Adds a field for each setting that it has to a frame that was begun. */
void provider_report_add(struct secret *frame, const struct provider *provider);

/* Adds one field `json` with the same and its name as an object. */
void provider_report_add_json(
    struct secret *frame, const char *name, const struct provider *provider);

#endif
