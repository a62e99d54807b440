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

#endif
