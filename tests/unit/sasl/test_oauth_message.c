/* SPDX-License-Identifier: ISC */
#include "sasl/oauth_message.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static void
set(struct secret *s, const char *text)
{
	secret_reset(s);
	secret_add(s, text, strlen(text));
}

static void
responses_have_the_form_of_their_specification(void **state)
{
	static const struct {
		enum oauth_mechanism mechanism;
		const char *user, *host;
		unsigned port;
		const char *token, *message;
	} cases[] = {
	    {OAUTH_XOAUTH2, "someuser@example.com", "imap.example.com", 993,
		"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
		"user=someuser@example.com\1auth=Bearer "
		"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"},
	    {OAUTH_XOAUTH2, "a,b=c", "h", 0, "t",
		"user=a,b=c\1auth=Bearer t\1\1"},
	    /* RFC 7628 section 4.1 */
	    {OAUTH_OAUTHBEARER, "user@example.com", "server.example.com", 143,
		"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
		"n,a=user@example.com,\1host=server.example.com\1port=143\1"
		"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"},
	    {OAUTH_OAUTHBEARER, "a,b=c,=", "h", 0, "-._~+/=",
		"n,a=a=2Cb=3Dc=2C=3D,\1host=h\1auth=Bearer -._~+/=\1\1"},
	    {OAUTH_OAUTHBEARER, "j\303\266rg", "h", 65535, "t",
		"n,a=j\303\266rg,\1host=h\1port=65535\1auth=Bearer t\1\1"},
	};
	struct secret token = SECRET_INIT, message = SECRET_INIT;
	struct mt_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct oauth_response response = {
		    cases[i].user, cases[i].host, cases[i].port, &token};

		set(&token, cases[i].token);
		assert_int_equal(oauth_message_encode(cases[i].mechanism,
				     &response, &message, &err),
		    MT_OK);
		assert_string_equal(secret_expose(&message), cases[i].message);
		assert_int_equal(message.len, strlen(cases[i].message));
	}
	secret_done(&token);
	secret_done(&message);
}

static char *
repeated(char c, size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

static enum mt_status
encode(enum oauth_mechanism mechanism, const char *user, const char *host,
    const char *token_text)
{
	struct secret token = SECRET_INIT, message = SECRET_INIT;
	struct oauth_response response = {user, host, 0, &token};
	struct mt_error err = {0};
	enum mt_status status;

	set(&token, token_text);
	set(&message, "before");
	status = oauth_message_encode(mechanism, &response, &message, &err);
	if (status != MT_OK) {
		assert_string_equal(secret_expose(&message), "before");
		assert_string_not_equal(err.text, "");
		assert_null(strstr(err.text, "secret"));
	}
	secret_done(&token);
	secret_done(&message);
	return status;
}

static void
forged_fields_and_foreign_characters_are_refused(void **state)
{
	static const struct {
		const char *user, *host, *token;
	} cases[] = {
	    {"", "h", "t"},
	    {"joe\1auth=Bearer evil", "h", "t"},
	    {"joe\n", "h", "t"},
	    {"joe\177", "h", "t"},
	    {"joe", "", "t"},
	    {"joe", "h\1port=1", "t"},
	    {"joe", "h\r\n", "t"},
	    {"joe", "h", ""},
	    {"joe", "h", "secret token"},
	    {"joe", "h", "secret\1\1"},
	    {"joe", "h", "secret\1user=root"},
	    {"joe", "h", "secret,x"},
	    {"joe", "h", "secr=et"},
	    {"joe", "h", "===="},
	    {"joe", "h", "secret\303\266"},
	    {"joe", "h", "secret\"x\""},
	    {"joe", "h", "secret\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (encode(OAUTH_OAUTHBEARER, cases[i].user, cases[i].host,
			cases[i].token) != MT_BAD_INPUT)
			fail_msg("case %zu was taken", i);
	/* XOAUTH2 has no host: a strange one harms nobody */
	assert_int_equal(encode(OAUTH_XOAUTH2, "joe", "", "t"), MT_OK);
	assert_int_equal(
	    encode(OAUTH_XOAUTH2, "joe\1auth=", "h", "t"), MT_BAD_INPUT);
}

static void
token_with_a_nul_is_refused(void **state)
{
	struct secret token = SECRET_INIT, message = SECRET_INIT;
	struct oauth_response response = {"joe", "h", 0, &token};
	struct mt_error err;

	(void)state;
	secret_add(&token, "abc\0def", 7);
	assert_int_equal(
	    oauth_message_encode(OAUTH_XOAUTH2, &response, &message, &err),
	    MT_BAD_INPUT);
	secret_done(&token);
	secret_done(&message);
}

static void
sizes_are_limited(void **state)
{
	static const struct {
		size_t user, host, token;
		enum mt_status status;
	} cases[] = {
	    {OAUTH_USER_MAX, OAUTH_HOST_MAX, OAUTH_TOKEN_MAX, MT_OK},
	    {OAUTH_USER_MAX + 1, 1, 1, MT_BAD_INPUT},
	    {1, OAUTH_HOST_MAX + 1, 1, MT_BAD_INPUT},
	    {1, 1, OAUTH_TOKEN_MAX + 1, MT_BAD_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *user = repeated('u', cases[i].user);
		char *host = repeated('h', cases[i].host);
		char *token = repeated('t', cases[i].token);

		if (encode(OAUTH_OAUTHBEARER, user, host, token) !=
		    cases[i].status)
			fail_msg("case %zu", i);
		free(user);
		free(host);
		free(token);
	}
}

/* The SMTP line is "AUTH XOAUTH2 " + base64 + CRLF, or 3 letters more. */
static void
auth_line_holds_512_bytes(void **state)
{
	(void)state;
	/* 15 + 4 * 124 = 511 */
	assert_true(oauth_message_fits_auth_line(OAUTH_XOAUTH2, 124 * 3));
	assert_false(oauth_message_fits_auth_line(OAUTH_XOAUTH2, 124 * 3 + 1));
	/* 19 + 4 * 123 = 511 */
	assert_true(oauth_message_fits_auth_line(OAUTH_OAUTHBEARER, 123 * 3));
	assert_false(
	    oauth_message_fits_auth_line(OAUTH_OAUTHBEARER, 123 * 3 + 1));
}

static void
refusals_are_read_and_anything_else_is_none(void **state)
{
	static const struct {
		const char *challenge;
		bool refused;
		const char *status, *scope;
	} cases[] = {
	    {"", false, "", ""},
	    {"   ", false, "", ""},
	    {"OK logged in", false, "", ""},
	    {"[1]", false, "", ""},
	    {"A1 AUTHENTICATE XOAUTH2", false, "", ""},
	    {"{}", true, "", ""},
	    {"{", true, "", ""},
	    {" \r\n{\"status\":\"401\"}", true, "401", ""},
	    /* Google */
	    {"{\"status\":\"400\",\"schemes\":\"Bearer\","
	     "\"scope\":\"https://mail.google.com/\"}",
		true, "400", "https://mail.google.com/"},
	    /* RFC 7628 section 4.3 */
	    {"{ \"status\" : \"invalid_token\",\n \"scope\" : "
	     "\"example_scope\",\n \"openid-configuration\" : "
	     "\"https://example.com/.well-known/openid-configuration\" }",
		true, "invalid_token", "example_scope"},
	    {"{\"status\":401,\"scope\":\"a b\"}", true, "401", "a b"},
	    {"{\"status\":401}", true, "401", ""},
	    {"{\"scope\":null,\"status\":true }", true, "true", "null"},
	    /* only the members of the outermost object count */
	    {"{\"a\":{\"status\":\"in\"},\"b\":[{\"scope\":\"in\"}],"
	     "\"status\":\"out\"}",
		true, "out", ""},
	    {"{\"a\":\"{\\\"status\\\":\\\"no\\\"}\",\"status\":\"yes\"}", true,
		"yes", ""},
	    {"{\"a\":[\"]}\",\"\\\"\"],\"scope\":\"s\"}", true, "", "s"},
	    {"{\"status\":{\"x\":1},\"scope\":[\"y\"]}", true, "", ""},
	    {"{\"statuses\":\"no\",\"statusXY\":\"no\",\"statu\":\"no\"}", true,
		"", ""},
	    {"{\"status\":\"first\",\"status\":\"second\"}", true, "first", ""},
	    /* escapes, and what must not reach a log */
	    {"{\"status\":\"a\\u0062\\/\\\\\\\"\"}", true, "ab/\\\"", ""},
	    {"{\"\\u0073tatus\":\"x\"}", true, "x", ""},
	    {"{\"status\":\"a\\nb\\u0000c\\u20ac\tz\"}", true, "a?b?c??z", ""},
	    {"{\"status\":\"\303\266\"}", true, "??", ""},
	    /* damaged: what was read before counts */
	    {"{\"status\":\"401\",", true, "401", ""},
	    {"{\"status\":\"40", true, "40", ""},
	    {"{\"status\":\"401\" \"scope\":\"x\"}", true, "401", ""},
	    {"{\"status\" \"401\"}", true, "", ""},
	    {"{\"status\":\"a\\u00\"}", true, "a", ""},
	    {"{\"status\":\"a\\uzzzz\"}", true, "a", ""},
	    {"{\"status\":\"a\\", true, "a", ""},
	    {"{\"a\":[[[[,\"status\":\"401\"}", true, "", ""},
	    {"{\"a\":}}}},\"status\":\"401\"}", true, "", ""},
	    {"{,\"status\":\"401\"}", true, "", ""},
	    {"{status:401}", true, "", ""},
	};
	struct secret token = SECRET_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].challenge);
		struct oauth_refusal refusal = {0};
		char *exact = malloc(len + !len); /* a byte too far shows */

		assert_non_null(exact);
		memcpy(exact, cases[i].challenge, len);
		if (oauth_message_read_refusal(exact, len, &token, &refusal) !=
			cases[i].refused ||
		    strcmp(refusal.status, cases[i].status) != 0 ||
		    strcmp(refusal.scope, cases[i].scope) != 0)
			fail_msg("case %zu: '%s' gave '%s' and '%s'", i,
			    cases[i].challenge, refusal.status, refusal.scope);
		free(exact);
	}
	assert_false(oauth_message_read_refusal(
	    NULL, 0, &token, &(struct oauth_refusal){0}));
}

static void
every_beginning_of_a_refusal_is_read_in_bounds(void **state)
{
	static const char whole[] =
	    "{\"a\":[{\"b\":\"\\u0041\\\"\"},-1.5e3],\"status\":\"40\\u0031\","
	    "\"c\":true,\"scope\":\"x y\"}";
	struct secret token = SECRET_INIT;
	struct oauth_refusal refusal;

	(void)state;
	for (size_t len = 1; len < sizeof(whole); len++) {
		char *exact = malloc(len);

		assert_non_null(exact);
		memcpy(exact, whole, len);
		assert_true(
		    oauth_message_read_refusal(exact, len, &token, &refusal));
		free(exact);
	}
	assert_string_equal(refusal.status, "401");
	assert_string_equal(refusal.scope, "x y");
}

static void
huge_values_are_cut(void **state)
{
	struct secret token = SECRET_INIT, challenge = SECRET_INIT;
	struct oauth_refusal refusal;
	char *filler = repeated('s', 12000);

	(void)state;
	set(&challenge, "{\"status\":\"401\",\"scope\":\"");
	secret_add(&challenge, filler, 12000);
	secret_add(&challenge, "\"}", 2);
	assert_true(oauth_message_read_refusal(
	    challenge.data, challenge.len, &token, &refusal));
	assert_string_equal(refusal.status, "401");
	assert_int_equal(strlen(refusal.scope), sizeof(refusal.scope) - 1);
	free(filler);

	filler = repeated('[', 50000);
	set(&challenge, "{\"a\":");
	secret_add(&challenge, filler, 50000);
	assert_true(oauth_message_read_refusal(
	    challenge.data, challenge.len, &token, &refusal));
	free(filler);
	secret_done(&challenge);
}

static void
token_that_the_server_sends_back_is_not_repeated(void **state)
{
	static const char *const challenges[] = {
	    "{\"status\":\"401\",\"scope\":\"EwB4A8l6BAAU0123456789\"}",
	    "{\"scope\":\"bad token EwB4A8l6BAAU0123456789 here\"}",
	    "{\"scope\":\"x8l6BAAU0123456789\"}",
	    "{\"scope\":\"\\u0045wB4A8l6BAAU0123456789\"}",
	    "{\"status\":\"EwB4A8l6BAAU0123456789\"}",
	};
	struct secret token = SECRET_INIT;

	(void)state;
	set(&token, "EwB4A8l6BAAU0123456789");
	for (size_t i = 0; i < sizeof(challenges) / sizeof(*challenges); i++) {
		struct oauth_refusal refusal;

		assert_true(oauth_message_read_refusal(
		    challenges[i], strlen(challenges[i]), &token, &refusal));
		assert_null(strstr(refusal.scope, "0123456789"));
		assert_null(strstr(refusal.status, "0123456789"));
	}
	secret_done(&token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(responses_have_the_form_of_their_specification),
	    cmocka_unit_test(forged_fields_and_foreign_characters_are_refused),
	    cmocka_unit_test(token_with_a_nul_is_refused),
	    cmocka_unit_test(sizes_are_limited),
	    cmocka_unit_test(auth_line_holds_512_bytes),
	    cmocka_unit_test(refusals_are_read_and_anything_else_is_none),
	    cmocka_unit_test(every_beginning_of_a_refusal_is_read_in_bounds),
	    cmocka_unit_test(huge_values_are_cut),
	    cmocka_unit_test(token_that_the_server_sends_back_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
