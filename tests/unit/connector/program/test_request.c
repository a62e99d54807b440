/* SPDX-License-Identifier: ISC */
#include "request.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <string.h>

static struct request
read_request(const char *type, const char *json, enum mt_status expected,
    struct mt_error *err)
{
	struct json_object *frame = json_tokener_parse(json);
	struct request request;
	enum request_name name;

	assert_non_null(frame);
	assert_true(request_find(type, &name));
	assert_int_equal(request_read(&request, name, frame, err), expected);
	json_object_put(frame);
	return request;
}

static void
frames_of_the_runtime_are_read(void **state)
{
	struct mt_error err;
	struct request r;

	(void)state;
	r = read_request("move_email_request",
	    "{\"request_id\":\"r\",\"agent_name\":\"bob\",\"uid\":\"7\","
	    "\"source_folder\":\"inbox\",\"dest_folder\":\"done\"}",
	    MT_OK, &err);
	assert_string_equal(r.request_id, "r");
	assert_string_equal(r.agent_name, "bob");
	assert_string_equal(r.uid, "7");
	assert_string_equal(r.source_folder, "inbox");
	assert_string_equal(r.dest_folder, "done");
	request_done(&r);
	r = read_request("send_email_request",
	    "{\"draft_path\":\"a.json\",\"draft_sha256\":\"\",\"uid\":7}",
	    MT_OK, &err);
	assert_string_equal(r.draft_path, "a.json");
	assert_null(r.draft_sha256);
	assert_null(r.draft);
	assert_null(r.request_id);
	request_done(&r);
	r = read_request("save_draft_request",
	    "{\"draft\":{\"to\":\"a@b.example\",\"n\":[1,null]}}", MT_OK, &err);
	assert_string_equal(r.draft, "{\"to\":\"a@b.example\",\"n\":[1,null]}");
	request_done(&r);
}

static void
what_is_missing_or_wrong_is_named(void **state)
{
	static const struct {
		const char *type;
		const char *frame;
		const char *detail;
	} cases[] = {
	    {"move_email_request", "{}", "missing required field: uid"},
	    {"move_email_request", "{\"uid\":null}",
		"missing required field: uid"},
	    {"move_email_request", "{\"uid\":\"\"}",
		"empty required field: uid"},
	    {"move_email_request", "{\"uid\":7}", "uid must be text"},
	    {"move_email_request", "{\"uid\":\"7\\u0000\"}",
		"uid must not hold a NUL"},
	    {"move_email_request", "{\"uid\":\"7\",\"source_folder\":\"a\"}",
		"missing required field: dest_folder"},
	    {"create_folder_request", "{\"agent_name\":1}",
		"agent_name must be text"},
	    {"create_folder_request", "{}",
		"missing required field: folder_name"},
	    {"send_email_request", "{}", "missing required field: draft_path"},
	    {"send_email_request", "{\"draft\":null}",
		"missing required field: draft_path"},
	    {"send_email_request", "{\"draft\":\"{}\"}",
		"draft must be a JSON object"},
	    {"send_email_request", "{\"draft\":{},\"draft_sha256\":1}",
		"draft_sha256 must be text"},
	    {"save_draft_request", "{\"draft\":[]}",
		"draft must be a JSON object"},
	    {"queue_request", "{\"action\":\"flush\"}",
		"action is 'flush'; there are list, show, retry and drop"},
	    {"queue_request", "{\"action\":\"show\"}",
		"missing required field: entry"},
	    {"queue_request", "{\"action\":\"drop\",\"entry\":\"-1\"}",
		"entry must be the id of an entry, as list shows it"},
	    {"queue_request", "{\"action\":\"drop\",\"entry\":7}",
		"entry must be text"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err;
		struct request r = read_request(
		    cases[i].type, cases[i].frame, MT_BAD_INPUT, &err);
		assert_string_equal(err.text, cases[i].detail);
		request_done(&r);
	}
}

static void
queue_is_listed_where_nothing_is_said(void **state)
{
	static const struct {
		const char *frame;
		enum request_action action;
		int64_t entry;
	} cases[] = {
	    {"{}", REQUEST_QUEUE_LIST, 0},
	    {"{\"action\":\"list\",\"entry\":\"x\"}", REQUEST_QUEUE_LIST, 0},
	    {"{\"action\":\"show\",\"entry\":\"1\"}", REQUEST_QUEUE_SHOW, 1},
	    {"{\"action\":\"retry\",\"entry\":\"9223372036854775807\"}",
		REQUEST_QUEUE_RETRY, INT64_MAX},
	    {"{\"action\":\"drop\",\"entry\":\"20\"}", REQUEST_QUEUE_DROP, 20},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err;
		struct request r =
		    read_request("queue_request", cases[i].frame, MT_OK, &err);
		assert_int_equal(r.action, cases[i].action);
		assert_int_equal(r.entry, cases[i].entry);
		request_done(&r);
	}
}

static void
types_are_known_whole(void **state)
{
	static const char *const types[] = {"", "send_email_response",
	    "send_email_request ", "SEND_EMAIL_REQUEST", "poll_request"};
	enum request_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		assert_false(request_find(types[i], &name));
}

static void
requests_are_the_same_in_everything_or_not(void **state)
{
	static const char *const frames[] = {
	    "{\"request_id\":\"r\",\"draft\":{\"to\":\"a\"}}",
	    "{\"request_id\":\"s\",\"draft\":{\"to\":\"a\"}}",
	    "{\"request_id\":\"r\",\"draft\":{\"to\":\"b\"}}",
	    "{\"request_id\":\"r\",\"draft_path\":\"p\"}",
	    "{\"draft\":{\"to\":\"a\"}}",
	};
	enum { COUNT = sizeof(frames) / sizeof(*frames) };
	struct request r[COUNT];
	struct mt_error err;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		r[i] =
		    read_request("save_draft_request", frames[i], MT_OK, &err);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++)
			assert_int_equal(request_equals(&r[i], &r[k]), i == k);
	for (size_t i = 0; i < COUNT; i++)
		request_done(&r[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_of_the_runtime_are_read),
	    cmocka_unit_test(what_is_missing_or_wrong_is_named),
	    cmocka_unit_test(queue_is_listed_where_nothing_is_said),
	    cmocka_unit_test(types_are_known_whole),
	    cmocka_unit_test(requests_are_the_same_in_everything_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
