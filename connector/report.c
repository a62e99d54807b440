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

static int
code_of(struct json_object *report)
{
	struct json_object *code;

	return json_object_object_get_ex(report, "exit_code", &code)
		   ? json_object_get_int(code)
		   : 0;
}

/* The first of those that end worst; NULL: there is none. */
static struct json_object *
find_worst(struct json_object *reports)
{
	struct json_object *worst = NULL;

	for (size_t i = 0; i < json_object_array_length(reports); i++) {
		struct json_object *r = json_object_array_get_idx(reports, i);
		if (!worst || code_of(r) > code_of(worst))
			worst = r;
	}
	return worst;
}

struct json_object *
report_join_polls(struct json_object *reports, int *ret_code)
{
	static const char *const members[] = {"success", "detail", "exit_code"};
	struct json_object *worst = find_worst(reports), *all, *member;

	if (ret_code)
		*ret_code = worst ? code_of(worst) : 0;
	if (json_object_array_length(reports) == 1)
		return json_object_get(worst);
	all = json_object_new_object();
	report_add_text(all, "type", "poll_response");
	if (!worst) { /* the last account was removed */
		report_add_outcome(all, MT_OK, NULL, "no account");
		json_object_object_add(
		    all, "exit_code", json_object_new_int(0));
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (worst &&
		    json_object_object_get_ex(worst, members[i], &member))
			json_object_object_add(
			    all, members[i], json_object_get(member));
	json_object_object_add(all, "accounts", json_object_get(reports));
	return all;
}
