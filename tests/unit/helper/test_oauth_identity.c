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

static bool
read_claims(const char *claims, struct oauth_identity *identity)
{
	struct secret token = SECRET_INIT;
	bool read;

	secret_add(&token, "e30.", 4);
	add_base64(&token, claims);
	secret_add(&token, ".sig", 4);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_audience_are_read),
	    cmocka_unit_test(what_is_no_token_is_not_read),
	    cmocka_unit_test(
		person_who_logs_in_is_the_user_or_the_one_that_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
