/* SPDX-License-Identifier: ISC */
#include "oauth_reply.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static enum mt_status
read_reply(long http_status, const char *body, struct oauth_tokens *tokens,
    struct failure *failure, struct mt_error *err)
{
	struct http_reply reply = {
	    .http_status = http_status, .sent = true, .retry_after_s = -1};
	enum mt_status status;

	secret_init(&reply.body, NULL);
	secret_add(&reply.body, body, strlen(body));
	status = oauth_reply_read(&reply, tokens, failure, err);
	secret_done(&reply.body);
	return status;
}

static const struct {
	const char *body;
	const char *access, *refresh;
	long expires_in_s;
} good[] = {
    {"{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":60}",
	"a", "", 60},
    {"{\"access_token\":\"a\",\"refresh_token\":\"r\",\"token_type\":\"BEARER\""
     ",\"expires_in\":\"61\"}",
	"a", "r", 61},
    {"{\"access_token\":\"a\"}", "a", "", 3600},
    {"{\"access_token\":\"a\",\"expires_in\":\"soon\"}", "a", "", 3600},
    {"{\"access_token\":\"a\",\"expires_in\":-1}", "a", "", 3600},
    {"{\"access_token\":\"a\",\"expires_in\":null}", "a", "", 3600},
    {"{\"access_token\":\"a\",\"expires_in\":1e300}", "a", "", 30L * 86400},
    {" {\"access_token\" : \"a\", \"more\": [1,{}]}\r\n", "a", "", 3600},
};

static void
tokens_are_read_tolerantly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct oauth_tokens tokens;
		struct failure failure;
		struct mt_error err = {0};

		oauth_tokens_init(&tokens, NULL);
		if (read_reply(200, good[i].body, &tokens, &failure, &err) !=
		    MT_OK)
			fail_msg("%s: %s", good[i].body, err.text);
		assert_string_equal(
		    secret_expose(&tokens.access_token), good[i].access);
		assert_string_equal(
		    secret_expose(&tokens.refresh_token), good[i].refresh);
		assert_int_equal(tokens.expires_in_s, good[i].expires_in_s);
		oauth_tokens_done(&tokens);
	}
}

static void
what_is_no_token_reply_is_temporary(void **state)
{
	static const char *const bodies[] = {"", "<html>", "[]", "null",
	    "\"text\"", "{", "{}", "{\"access_token\":\"\"}",
	    "{\"access_token\":1}", "{\"access_token\":\"a\\tb\"}",
	    "{\"access_token\":\"a\\u0000b\\n\"}",
	    "{\"access_token\":\"\\u00e4\"}",
	    "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
	    "{\"access_token\":\"a\",\"refresh_token\":\"a\\nb\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct oauth_tokens tokens;
		struct failure failure;
		struct mt_error err = {0};

		oauth_tokens_init(&tokens, NULL);
		if (read_reply(200, bodies[i], &tokens, &failure, &err) !=
		    MT_RETRY_LATER)
			fail_msg("%s: status %d", bodies[i], (int)err.status);
		assert_true(failure.ambiguous);
		oauth_tokens_done(&tokens);
	}
}

static const struct {
	const char *body;
	const char *text;
} texts[] = {
    {"{\"error\":\"invalid_grant\"}",
	"the server says invalid_grant: the server ended the login"},
    {"{\"error\":\"invalid_grant\",\"suberror\":\"bad_token\","
     "\"error_codes\":[50173],\"error_description\":\"AADSTS50173: long\","
     "\"correlation_id\":\"00000000-1111-2222-3333-444444444444\"}",
	"the server says invalid_grant/bad_token (AADSTS50173): the password "
	"was changed or the login revoked; correlation id "
	"00000000-1111-2222-3333-444444444444"},
    {"{\"error\":\"odd\",\"error_description\":\"AADSTS70011: The scope x.\"}",
	"the server says odd (AADSTS70011): `scope` is not valid"},
    {"{\"error\":\"odd\",\"error_description\":\"Your token "
     "eyJhbGciOiJub25lIn0.eyJzdWIiOiJh is\\nbad\"}",
	"the server says odd; its words: Your token [...] is bad"},
    {"{\"error\":\"<script>alert(1)\"}", "the server says an unreadable error"},
    {"nonsense", "the token endpoint answered HTTP 400"},
};

static void
text_names_the_servers_words_and_nothing_that_may_be_a_secret(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct oauth_tokens tokens;
		struct failure failure;
		struct mt_error err = {0};

		oauth_tokens_init(&tokens, NULL);
		assert_int_not_equal(
		    read_reply(400, texts[i].body, &tokens, &failure, &err),
		    MT_OK);
		assert_string_equal(err.text, texts[i].text);
		oauth_tokens_done(&tokens);
	}
}

static void
lost_answer_says_what_happened(void **state)
{
	struct http_reply reply = {.sent = true,
	    .broken = true,
	    .http_status = 200,
	    .retry_after_s = -1,
	    .why = "Connection reset"};
	struct oauth_tokens tokens;
	struct failure failure;
	struct mt_error err = {0};

	(void)state;
	secret_init(&reply.body, NULL);
	oauth_tokens_init(&tokens, NULL);
	assert_int_equal(
	    oauth_reply_read(&reply, &tokens, &failure, &err), MT_RETRY_LATER);
	assert_string_equal(
	    err.text, "no answer from the token endpoint: Connection reset");
	assert_true(failure.ambiguous);
	secret_add(&reply.body, "{\"error\":\"invalid_grant\"}", 25);
	assert_int_equal(
	    oauth_reply_read(&reply, &tokens, &failure, &err), MT_RETRY_LATER);
	secret_done(&reply.body);
}

static void
tokens_of_a_reply_that_breaks_off_behind_them_are_taken(void **state)
{
	static const char body[] =
	    "{\"access_token\":\"a\",\"refresh_token\":\"r\"}";
	struct http_reply reply = {
	    .sent = true, .broken = true, .http_status = 200};
	struct oauth_tokens tokens;
	struct failure failure;
	struct mt_error err = {0};

	(void)state;
	secret_init(&reply.body, NULL);
	oauth_tokens_init(&tokens, NULL);
	secret_add(&reply.body, body, strlen(body));
	assert_int_equal(
	    oauth_reply_read(&reply, &tokens, &failure, &err), MT_OK);
	assert_string_equal(secret_expose(&tokens.refresh_token), "r");
	oauth_tokens_done(&tokens);
	secret_done(&reply.body);
}

static void
granted_scope_is_compared_word_by_word(void **state)
{
	static const struct {
		const char *granted, *asked, *missing;
	} cases[] = {
	    {"mail imap", "imap mail", ""},
	    {"mail", "mail imap smtp", "imap smtp"},
	    {"mailbox", "mail", "mail"},
	    {"mail", "mail offline_access openid profile email", ""},
	    {"https://outlook.office.com/SMTP.Send x",
		"https://outlook.office365.com/SMTP.Send offline_access", ""},
	    {"https://outlook.office.com/IMAP.AccessAsUser.All",
		"https://outlook.office365.com/SMTP.Send",
		"https://outlook.office365.com/SMTP.Send"},
	    {"https://mail.google.com/", "https://mail.google.com/", ""},
	    {"https://evil.test/", "https://mail.google.com/",
		"https://mail.google.com/"},
	    {"", "mail", "mail"},
	    {"mail", "", ""},
	};
	char missing[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool covers = oauth_scope_covers(
		    cases[i].granted, cases[i].asked, missing, sizeof(missing));
		assert_string_equal(missing, cases[i].missing);
		assert_int_equal(covers, !*cases[i].missing);
	}
}

static void
long_list_of_missing_scopes_is_cut_but_missed(void **state)
{
	char missing[16];

	(void)state;
	assert_false(oauth_scope_covers(
	    "", "a-scope-that-does-not-fit b", missing, sizeof(missing)));
	assert_false(oauth_scope_covers(
	    "", "a-scope-that-does-not-fit", missing, sizeof(missing)));
}

static enum mt_status
read_device(long http_status, const char *body, struct oauth_device *device,
    struct failure *failure)
{
	struct http_reply reply = {
	    .http_status = http_status, .sent = true, .retry_after_s = -1};
	struct mt_error err = {0};
	enum mt_status status;

	secret_init(&reply.body, NULL);
	secret_add(&reply.body, body, strlen(body));
	status = oauth_device_read(&reply, device, failure, &err);
	secret_done(&reply.body);
	return status;
}

static const struct {
	const char *body;
	const char *address, *whole;
	long expires_in_s, interval_s;
} devices[] = {
    {"{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_uri\":"
     "\"https://x/d\",\"verification_uri_complete\":\"https://x/d?U\","
     "\"expires_in\":60,\"interval\":7}",
	"https://x/d", "https://x/d?U", 60, 7},
    {"{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_url\":"
     "\"https://g/d\",\"expires_in\":\"61\"}",
	"https://g/d", "", 61, 5},
    {"{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_uri\":"
     "\"https://x/d\",\"expires_in\":1e300,\"interval\":1e300}",
	"https://x/d", "", 3600, 60},
    {"{\"device_code\":\"d\",\"user_code\":\"U\",\"verification_uri\":"
     "\"https://x/d\",\"expires_in\":-1,\"interval\":0}",
	"https://x/d", "", 900, 5},
};

static void
device_codes_are_read_as_servers_word_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		struct oauth_device device;
		struct failure failure;

		oauth_device_init(&device, NULL);
		assert_int_equal(
		    read_device(200, devices[i].body, &device, &failure),
		    MT_OK);
		assert_string_equal(secret_expose(&device.code), "d");
		assert_string_equal(device.user_code, "U");
		assert_string_equal(device.address, devices[i].address);
		assert_string_equal(device.whole_address, devices[i].whole);
		assert_int_equal(device.expires_in_s, devices[i].expires_in_s);
		assert_int_equal(device.interval_s, devices[i].interval_s);
		oauth_device_done(&device);
	}
}

static void
incomplete_device_codes_are_refused(void **state)
{
	static const char *const bad[] = {"", "{}", "[]",
	    "{\"user_code\":\"U\",\"verification_uri\":\"https://x/d\"}",
	    "{\"device_code\":\"d\",\"verification_uri\":\"https://x/d\"}",
	    "{\"device_code\":\"d\",\"user_code\":\"U\"}",
	    "{\"device_code\":\"d\",\"user_code\":\"U\\n\","
	    "\"verification_uri\":\"https://x/d\"}",
	    "{\"device_code\":\"d\",\"user_code\":\"U\","
	    "\"verification_uri\":\"\\u001b[2J\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct oauth_device device;
		struct failure failure;

		oauth_device_init(&device, NULL);
		if (read_device(200, bad[i], &device, &failure) !=
		    MT_RETRY_LATER)
			fail_msg("%s", bad[i]);
		oauth_device_done(&device);
	}
}

static void
words_for_a_device_are_known(void **state)
{
	static const struct {
		const char *body;
		enum failure_device meaning;
	} cases[] = {
	    {"{\"error\":\"authorization_pending\"}", FAILURE_DEVICE_PENDING},
	    {"{\"error\":\"slow_down\"}", FAILURE_DEVICE_SLOWER},
	    {"{\"error\":\"access_denied\"}", FAILURE_DEVICE_DENIED},
	    {"{\"error\":\"authorization_declined\"}", FAILURE_DEVICE_DENIED},
	    {"{\"error\":\"expired_token\"}", FAILURE_DEVICE_EXPIRED},
	    {"{\"error\":\"bad_verification_code\"}", FAILURE_DEVICE_EXPIRED},
	    {"{\"error\":\"invalid_grant\"}", FAILURE_DEVICE_OTHER},
	    {"<html>", FAILURE_DEVICE_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct oauth_tokens tokens;
		struct failure failure;
		struct mt_error err = {0};

		oauth_tokens_init(&tokens, NULL);
		assert_int_not_equal(
		    read_reply(400, cases[i].body, &tokens, &failure, &err),
		    MT_OK);
		if (failure.device != cases[i].meaning)
			fail_msg("%s", cases[i].body);
		oauth_tokens_done(&tokens);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_are_read_tolerantly),
	    cmocka_unit_test(device_codes_are_read_as_servers_word_them),
	    cmocka_unit_test(incomplete_device_codes_are_refused),
	    cmocka_unit_test(words_for_a_device_are_known),
	    cmocka_unit_test(what_is_no_token_reply_is_temporary),
	    cmocka_unit_test(
		text_names_the_servers_words_and_nothing_that_may_be_a_secret),
	    cmocka_unit_test(lost_answer_says_what_happened),
	    cmocka_unit_test(
		tokens_of_a_reply_that_breaks_off_behind_them_are_taken),
	    cmocka_unit_test(granted_scope_is_compared_word_by_word),
	    cmocka_unit_test(long_list_of_missing_scopes_is_cut_but_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
