/* SPDX-License-Identifier: ISC */
/* The JSON objects that operations answer with. */
#ifndef MT_CONNECTOR_REPORT_H
#define MT_CONNECTOR_REPORT_H

#include "base/status.h"

struct json_object;

/* Sets the member `name`; `text` must be UTF-8. */
void report_add_text(
    struct json_object *report, const char *name, const char *text);

/* Sets "success" and "detail": `success` for MT_OK, else what `err` says. */
void report_add_outcome(struct json_object *report, enum mt_status status,
    const struct mt_error *err, const char *success);

/* The answers of several accounts to a poll (an array, borrowed) as one, with the
 * worst outcome; of one alone: its own.  The caller's to put.  *ret_code (may
 * be NULL): the exit code. */
struct json_object *report_join_polls(
    struct json_object *reports, int *ret_code);

#endif
