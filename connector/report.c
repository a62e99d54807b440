/* SPDX-License-Identifier: ISC */
#include "report.h"

#include <json-c/json.h>

void
report_add_text(struct json_object *report, const char *name, const char *text)
{
	json_object_object_add(report, name, json_object_new_string(text));
}

void
report_add_outcome(struct json_object *report, enum mt_status status,
    const struct mt_error *err, const char *success)
{
	json_object_object_add(
	    report, "success", json_object_new_boolean(status == MT_OK));
	report_add_text(
	    report, "detail", status == MT_OK ? success : err->text);
}
