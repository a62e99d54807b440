/* SPDX-License-Identifier: ISC */
#include "oauth_identity.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
add_base64(struct secret *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 3) {
		unsigned int n = (unsigned int)(unsigned char)text[i] << 16;

		if (i + 1 < len)
			n |= (unsigned int)(unsigned char)text[i + 1] << 8;
		if (i + 2 < len)
			n |= (unsigned char)text[i + 2];
		for (size_t k = 0; k < 4 && k < len - i + 1; k++)
			secret_add(out, &digits[n >> (18 - 6 * k) & 63], 1);
	}
}

static void
make_token(struct secret *token, const char *claims)
{
	secret_add(token, "e30.", 4);
	add_base64(token, claims);
	secret_add(token, ".sig", 4);
}

static bool
read_claims(const char *claims, struct oauth_identity *identity)
{
	struct secret token = SECRET_INIT;
	bool read;

	make_token(&token, claims);
	read = oauth_identity_read(&token, "client", identity);
	secret_done(&token);
	return read;
}

static const struct {
	const char *claims;
	const char *name; /* NULL: none */
	bool for_client;
} tokens[] = {
    {"{\"aud\":\"client\",\"preferred_username\":\"a@x\",\"email\":\"b@x\"}",
	"a@x", true},
    {"{\"aud\":[\"other\",\"client\"],\"email\":\"b@x\"}", "b@x", true},
    {"{\"aud\":\"client\",\"upn\":\"c@x\"}", "c@x", true},
    {"{\"aud\":\"client\",\"email\":\"b@x\",\"email_verified\":true}", "b@x",
	true},
    {"{\"aud\":\"client\",\"email\":\"b@x\",\"email_verified\":false}", NULL,
	true},
    {"{\"aud\":\"client\",\"email\":\"b@x\",\"email_verified\":\"false\"}",
	NULL, true},
    {"{\"aud\":\"client\",\"email\":\"b@x\",\"email_verified\":\"true\"}",
	"b@x", true},
    {"{\"aud\":\"client\",\"sub\":\"1\"}", NULL, true},
    {"{\"aud\":\"client\",\"email\":7,\"upn\":\"\",\"preferred_username\":"
     "\"a\\nb\"}",
	NULL, true},
    {"{\"aud\":\"client2\",\"email\":\"b@x\"}", "b@x", false},
    {"{\"aud\":[],\"email\":\"b@x\"}", "b@x", false},
    {"{\"email\":\"b@x\"}", "b@x", false},
    {"{\"aud\":{\"client\":1},\"email\":\"b@x\"}", "b@x", false},
};

static void
names_and_audience_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
		struct oauth_identity identity;
		const char *name;

		if (!read_claims(tokens[i].claims, &identity))
			fail_msg("%s: not read", tokens[i].claims);
		name = oauth_identity_name(&identity);
		if (!name != !tokens[i].name ||
		    (name && strcmp(name, tokens[i].name) != 0))
			fail_msg("%s: %s", tokens[i].claims, name);
		if (identity.for_client != tokens[i].for_client)
			fail_msg("%s: for whom", tokens[i].claims);
	}
}

static void
what_is_no_token_is_not_read(void **state)
{
	static const char *const bad[] = {"", "a", "a.b", "..", "a..c",
	    "a.!!!!.c", "a.e30", "a.bnVsbA.c", "a.W10.c", "a.e3.c", "a.e30=.c"};
	struct oauth_identity identity;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct secret token = SECRET_INIT;

		secret_add(&token, bad[i], strlen(bad[i]));
		if (oauth_identity_read(&token, "client", &identity))
			fail_msg("%s: read", bad[i]);
		secret_done(&token);
	}
}

static void
person_who_logs_in_is_the_user_or_the_one_that_is_set(void **state)
{
	struct oauth_identity identity = {.name = {"Alice@X.test"}};
	char alice[] = "alice@x.test", bob[] = "bob@x.test";
	char office[] = "office@x.test";
	struct account_settings settings = {.user = alice};

	(void)state;
	assert_true(oauth_identity_fits(&identity, &settings));
	settings.user = office;
	assert_false(oauth_identity_fits(&identity, &settings));
	settings.service_user[SERVICE_SMTP] = alice;
	assert_true(oauth_identity_fits(&identity, &settings));
	settings.login_user = bob;
	assert_false(oauth_identity_fits(&identity, &settings));
	settings.login_user = alice;
	assert_true(oauth_identity_fits(&identity, &settings));
}

/* For the client "client" at https://id.test, and the user alice@x.test. */
static const struct {
	const char *claims; /* NULL: no ID token came */
	enum mt_status status;
	const char *name;
	const char *words; /* in the reason */
} judged[] = {
    {NULL, MT_OK, "", ""},
    {"{}", MT_BAD_CONFIG, "", "for another client"},
    {"{\"aud\":\"client\"}", MT_BAD_CONFIG, "", "set `issuer`"},
    {"{\"aud\":\"client\",\"iss\":\"https://id.test\"}", MT_OK, "", ""},
    {"{\"aud\":\"client\",\"iss\":\"id.test\",\"email\":\"Alice@x.test\"}",
	MT_OK, "Alice@x.test", ""},
    {"{\"aud\":\"client\",\"iss\":\"https://id.test\",\"email\":\"bob@x\"}",
	MT_NEEDS_LOGIN, "", "it was bob@x who logged in, not alice@x.test"},
    {"{\"aud\":\"other\",\"iss\":\"https://id.test\",\"email\":"
     "\"alice@x.test\"}",
	MT_BAD_CONFIG, "", "for another client"},
    {"{\"aud\":\"client\",\"iss\":\"https://evil.test\",\"email\":"
     "\"alice@x.test\"}",
	MT_BAD_CONFIG, "", "https://evil.test"},
};

static void
token_is_judged_by_server_client_and_person(void **state)
{
	char client[] = "client", alice[] = "alice@x.test";
	char issuer[] = "https://id.test", name[OAUTH_IDENTITY_NAME_SIZE];
	const struct account_settings settings = {
	    .user = alice, .client_id = client, .provider = {.issuer = issuer}};

	(void)state;
	for (size_t i = 0; i < sizeof(judged) / sizeof(*judged); i++) {
		struct secret token = SECRET_INIT;
		struct mt_error err = {0};

		if (judged[i].claims)
			make_token(&token, judged[i].claims);
		if (oauth_identity_judge(&settings, &token, name, &err) !=
			judged[i].status ||
		    strcmp(name, judged[i].name) != 0 ||
		    !strstr(err.text, judged[i].words))
			fail_msg(
			    "%s: %s, %s", judged[i].claims, name, err.text);
		secret_done(&token);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_audience_are_read),
	    cmocka_unit_test(what_is_no_token_is_not_read),
	    cmocka_unit_test(
		person_who_logs_in_is_the_user_or_the_one_that_is_set),
	    cmocka_unit_test(token_is_judged_by_server_client_and_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
