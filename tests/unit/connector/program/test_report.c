/* SPDX-License-Identifier: ISC */
#include "report.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>

static void
polls_are_joined_with_the_worst_outcome(void **state)
{
#define ONE "{\"success\":true,\"detail\":\"polled\",\"exit_code\":0}"
#define BAD "{\"success\":false,\"detail\":\"no\",\"exit_code\":75}"
	static const struct {
		const char *reports, *joined;
		int code;
	} cases[] = {
	    {"[" ONE "]", ONE, 0},
	    {"[" ONE "," BAD "]",
		"{\"type\":\"poll_response\",\"success\":false,"
		"\"detail\":\"no\",\"exit_code\":75,"
		"\"accounts\":[" ONE "," BAD "]}",
		75},
	    {"[]",
		"{\"type\":\"poll_response\",\"success\":true,"
		"\"detail\":\"no account\",\"exit_code\":0,\"accounts\":[]}",
		0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *reports =
		    json_tokener_parse(cases[i].reports);
		int code = -1;
		struct json_object *joined = report_join_polls(reports, &code);
		assert_string_equal(json_object_to_json_string_ext(
					joined, JSON_C_TO_STRING_PLAIN),
		    cases[i].joined);
		assert_int_equal(code, cases[i].code);
		json_object_put(joined);
		json_object_put(reports);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(polls_are_joined_with_the_worst_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
