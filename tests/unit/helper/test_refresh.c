/* SPDX-License-Identifier: ISC */
#include "refresh.h"

#include "unit/cmocka_headers.h"

#include <string.h>
#include <unistd.h>

static void
refresh_is_due_when_too_little_is_left(void **state)
{
	static const struct {
		long lifetime, left, min_ttl;
		bool due;
	} cases[] = {
	    {3600, 3600, 0, false},
	    {3600, 60, 0, false},
	    {3600, 59, 0, true},
	    {3600, 0, 0, true},
	    {3600, 119, 120, true},
	    {3600, 120, 120, false},
	    /* a wish never makes a young token old */
	    {3600, 2880, 86400, false},
	    {3600, 2879, 86400, true},
	    {30, 30, 60, false},
	    {30, 24, 60, false},
	    {30, 23, 60, true},
	    {1, 1, 60, false},
	    {1, 0, 60, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (refresh_is_due(cases[i].lifetime, cases[i].left,
			cases[i].min_ttl) != cases[i].due)
			fail_msg("case %zu", i);
}

static void
pauses_double_by_chance_within_bounds(void **state)
{
	static const struct {
		unsigned int failures;
		long most;
	} cases[] = {
	    {1, 5}, {2, 10}, {3, 20}, {8, 640}, {9, 900}, {100, 900}, {0, 5}};
	bool differs = false;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int n = 0; n < 100; n++) {
			long pause = refresh_pause_s(cases[i].failures);
			assert_in_range(
			    pause, (cases[i].most + 1) / 2, cases[i].most);
			differs = differs || pause != cases[i].most;
		}
	}
	assert_true(differs);
}

static void
token_in_use_is_replaced_at_four_fifths_of_its_life(void **state)
{
	static const struct {
		long lifetime, min_ttl, from, to; /* seconds */
	} cases[] = {
	    {3600, 0, 2700, 2880},
	    {3600, 60, 2700, 2880},
	    {3600, 1800, 1620, 1800},
	    {3600, 86400, 720, 720},
	    {100, 0, 75, 80},
	    {30, 60, 6, 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int n = 0; n < 100; n++) {
			int64_t ms = refresh_ahead_ms(
			    cases[i].lifetime, cases[i].min_ttl);
			if (ms < cases[i].from * 1000 ||
			    ms > cases[i].to * 1000)
				fail_msg("case %zu: %lld", i, (long long)ms);
		}
	}
}

static void
unused_login_is_used_in_its_time(void **state)
{
	static const struct {
		long keep_alive;
		int64_t age;
		long from, to; /* seconds */
	} cases[] = {
	    {604800, 0, 453600, 604800},
	    {604800, 400000, 53600, 204800},
	    {604800, 604800, 0, 0},
	    {604800, INT64_C(1) << 40, 0, 0},
	    {604800, -1, 0, 302400},
	    {1, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int n = 0; n < 100; n++) {
			int64_t ms = refresh_keep_alive_in_ms(
			    cases[i].keep_alive, cases[i].age);
			if (ms < cases[i].from * 1000 ||
			    ms > cases[i].to * 1000)
				fail_msg("case %zu: %lld", i, (long long)ms);
		}
	}
}

static struct account_settings
make_settings(void)
{
	static char endpoint[] = "https://x.test/token", user[] = "u@x.test",
		    client[] = "id", scope[] = "mail offline_access";

	return (struct account_settings){.user = user,
	    .client_id = client,
	    .provider = {.token_endpoint = endpoint, .scope = scope}};
}

static void
fingerprint_follows_endpoint_client_user_and_owner(void **state)
{
	struct account_settings settings = make_settings(), other;
	char first[CRYPTO_HEX_SIZE], second[CRYPTO_HEX_SIZE];
	char changed[] = "changed";

	(void)state;
	assert_true(refresh_fingerprint(&settings, first));
	other = settings;
	other.provider.scope = changed;
	other.provider.authorization_endpoint = changed;
	assert_true(refresh_fingerprint(&other, second));
	assert_string_equal(first, second);
	char **const parts[] = {
	    &other.provider.token_endpoint, &other.client_id, &other.user};
	for (size_t i = 0; i < 3; i++) {
		other = settings;
		*parts[i] = changed;
		assert_true(refresh_fingerprint(&other, second));
		assert_string_not_equal(first, second);
	}
	other = settings;
	other.owner = geteuid();
	assert_true(refresh_fingerprint(&other, second));
	assert_string_equal(first, second);
	for (uid_t owner = 65533; owner <= 65534; owner++) {
		other.owner = owner;
		memcpy(first, second, sizeof(first));
		assert_true(refresh_fingerprint(&other, second));
		assert_string_not_equal(first, second);
	}
}

static void
assert_form(const struct account_settings *settings, const char *expected)
{
	struct secret form, token;

	secret_init(&form, NULL);
	secret_init(&token, NULL);
	secret_add(&token, "r/t", 3);
	refresh_form(&form, settings, &token);
	assert_string_equal(secret_expose(&form), expected);
	secret_done(&form);
	secret_done(&token);
}

static void
form_has_what_the_server_wants_and_no_more(void **state)
{
	struct account_settings settings = make_settings();
	char yes[] = "yes", no[] = "no";

	(void)state;
	assert_form(&settings,
	    "grant_type=refresh_token&refresh_token=r%2Ft&client_id=id");
	settings.provider.resend_scope = no;
	assert_form(&settings,
	    "grant_type=refresh_token&refresh_token=r%2Ft&client_id=id");
	settings.provider.resend_scope = yes;
	secret_init(&settings.client_secret, NULL);
	secret_add(&settings.client_secret, "s&s", 3);
	assert_form(&settings,
	    "grant_type=refresh_token&refresh_token=r%2Ft&"
	    "scope=mail%20offline_access&client_id=id&client_secret=s%26s");
	secret_done(&settings.client_secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refresh_is_due_when_too_little_is_left),
	    cmocka_unit_test(pauses_double_by_chance_within_bounds),
	    cmocka_unit_test(
		token_in_use_is_replaced_at_four_fifths_of_its_life),
	    cmocka_unit_test(unused_login_is_used_in_its_time),
	    cmocka_unit_test(
		fingerprint_follows_endpoint_client_user_and_owner),
	    cmocka_unit_test(form_has_what_the_server_wants_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
