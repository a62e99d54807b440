/* SPDX-License-Identifier: ISC */
#include "handon/gateway_frame.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <string.h>

static void
frames_of_ours_are_those_of_the_contract(void **state)
{
	struct secret token = SECRET_INIT, frame = SECRET_INIT;
	struct buf b = BUF_INIT(4096);

	(void)state;
	secret_add(&token, "s\"e\\c\tr\xc3\xa9t", 10);
	gateway_frame_register(&frame, "email-email", &token);
	assert_string_equal(secret_expose(&frame),
	    "{\"type\":\"register\",\"connector_id\":\"email-email\","
	    "\"platform\":\"email\",\"token\":"
	    "\"s\\u0022e\\u005cc\\u0009r\xc3\xa9t\"}");
	secret_done(&token);
	secret_done(&frame);

	gateway_frame_health(&b, "email-email");
	assert_string_equal(buf_text(&b),
	    "{\"type\":\"health\",\"connector_id\":\"email-email\","
	    "\"adapters\":{\"email\":{\"connected\":true}}}");
	buf_reset(&b);
	gateway_frame_message(&b, "bot", "New email received.\n\"x\"/");
	assert_string_equal(buf_text(&b),
	    "{\"type\":\"message\",\"agent_name\":\"bot\","
	    "\"content\":\"New email received.\\n\\\"x\\\"/\","
	    "\"channel\":{\"platform\":\"email\",\"mailbox\":\"bot\"},"
	    "\"trust\":{\"level\":\"unverified\"},\"images\":[]}");
	buf_done(&b);
}

#define OURS "\"channel\":{\"platform\":\"email\",\"mailbox\":\"bot\"}"

static void
frames_of_the_gateway_are_understood_or_ignored(void **state)
{
	static const struct {
		const char *text;
		enum gateway_frame_type type;
		const char *agent, *session, *error;
	} cases[] = {
	    {"{\"type\":\"registered\",\"connector_id\":\"x\"}",
		GATEWAY_REGISTERED, "", "", ""},
	    {"{\"type\":\"error\",\"message\":\"dispatch failed: \\n:x\"}",
		GATEWAY_ERROR, "", "", "dispatch failed: ?:x"},
	    {"{\"type\":\"error\"}", GATEWAY_ERROR, "", "", ""},
	    {"{\"type\":\"agent_typing\",\"agent_name\":\"bot\","
	     "\"session_id\":\"s\"," OURS ",\"is_typing\":true}",
		GATEWAY_TYPING, "bot", "s", ""},
	    {"{\"type\":\"agent_typing\",\"agent_name\":\"bot\"}",
		GATEWAY_TYPING, "bot", "", ""},
	    {"{\"type\":\"agent_typing\",\"agent_name\":\"bot\","
	     "\"is_typing\":false}",
		GATEWAY_IGNORED, "bot", "", ""},
	    {"{\"type\":\"agent_result\",\"agent_name\":\"bot\"," OURS "}",
		GATEWAY_RESULT, "bot", "", ""},
	    {"{\"type\":\"agent_error\",\"agent_name\":\"bot\","
	     "\"message\":\"no money\"}",
		GATEWAY_AGENT_ERROR, "bot", "", "no money"},
	    /* another session of the same agent */
	    {"{\"type\":\"agent_result\",\"agent_name\":\"bot\","
	     "\"channel\":{\"platform\":\"slack\"}}",
		GATEWAY_IGNORED, "bot", "", ""},
	    {"{\"type\":\"agent_result\"}", GATEWAY_IGNORED, "", "", ""},
	    {"{\"type\":\"agent_result\",\"agent_name\":1}", GATEWAY_IGNORED,
		"", "", ""},
	    {"{\"type\":\"approval_request\",\"agent_name\":\"bot\"}",
		GATEWAY_IGNORED, "", "", ""},
	    {"{\"type\":[\"registered\"]}", GATEWAY_IGNORED, "", "", ""},
	    {"[\"registered\"]", GATEWAY_IGNORED, "", "", ""},
	    {"registered", GATEWAY_IGNORED, "", "", ""},
	    {"{\"type\":\"registered\"", GATEWAY_IGNORED, "", "", ""},
	    {"", GATEWAY_IGNORED, "", "", ""},
	    {"null", GATEWAY_IGNORED, "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gateway_frame frame;

		gateway_frame_read(
		    &frame, cases[i].text, strlen(cases[i].text));
		if (frame.type != cases[i].type)
			fail_msg("%s: %d", cases[i].text, (int)frame.type);
		assert_string_equal(frame.agent, cases[i].agent);
		assert_string_equal(frame.session, cases[i].session);
		assert_string_equal(frame.text, cases[i].error);
	}
}

static void
name_that_is_too_long_is_nobodys(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct gateway_frame frame;

	(void)state;
	buf_add_text(&b, "{\"type\":\"agent_result\",\"agent_name\":\"");
	for (int i = 0; i < GATEWAY_NAME_MAX; i++)
		buf_add_char(&b, 'x');
	buf_add_text(&b, "\"}");
	gateway_frame_read(&frame, buf_text(&b), b.len);
	assert_int_equal(frame.type, GATEWAY_IGNORED);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_of_ours_are_those_of_the_contract),
	    cmocka_unit_test(frames_of_the_gateway_are_understood_or_ignored),
	    cmocka_unit_test(name_that_is_too_long_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
