/* SPDX-License-Identifier: ISC */
#include "form.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
values_are_percent_encoded(void **state)
{
	struct secret form, value;

	(void)state;
	secret_init(&form, NULL);
	secret_init(&value, NULL);
	secret_add(&value, "s:cr%t +/=", 10);
	form_add(&form, "a", "plain-._~09AZ");
	form_add_secret(&form, "b", &value);
	form_add(&form, "none", NULL);
	form_add(&form, "empty", "");
	form_add(&form, "u", "\xc3\xa4&=\n");
	assert_string_equal(secret_expose(&form),
	    "a=plain-._~09AZ&b=s%3Acr%25t%20%2B%2F%3D&empty=&"
	    "u=%C3%A4%26%3D%0A");
	secret_done(&form);
	secret_done(&value);
}

static void
query_is_appended_to_an_address(void **state)
{
	struct secret url;

	(void)state;
	secret_init(&url, NULL);
	secret_add(&url, "https://x/auth?", 15);
	form_add(&url, "a", "1");
	form_add(&url, "b", "2");
	assert_string_equal(secret_expose(&url), "https://x/auth?a=1&b=2");
	secret_done(&url);
}

static const struct {
	const char *query;
	enum form_found found;
	const char *value;
} lookups[] = {
    {"code=x&state=y", FORM_FOUND, "x"},
    {"state=y&code=x", FORM_FOUND, "x"},
    {"code=a%20b+c%2F", FORM_FOUND, "a b c/"},
    {"code=", FORM_FOUND, ""},
    {"code=x=y", FORM_FOUND, "x=y"},
    {"", FORM_MISSING, ""},
    {"code", FORM_MISSING, ""},
    {"xcode=x", FORM_MISSING, ""},
    {"codex=x", FORM_MISSING, ""},
    {"CODE=x", FORM_MISSING, ""},
    {"&&=&", FORM_MISSING, ""},
    {"code=x&code=x", FORM_BAD, ""},
    {"code=x&a=b&code=y", FORM_BAD, ""},
    {"code=%", FORM_BAD, ""},
    {"code=%4", FORM_BAD, ""},
    {"code=%4&x=1", FORM_BAD, ""},
    {"code=%zz", FORM_BAD, ""},
    {"code=%00", FORM_BAD, ""},
};

static void
hostile_queries_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lookups) / sizeof(*lookups); i++) {
		const char *query = lookups[i].query;
		/* exactly as many bytes: a sanitizer sees one too many */
		char *copy = test_malloc(strlen(query) + 1);
		struct secret value;

		memcpy(copy, query, strlen(query) + 1);
		secret_init(&value, NULL);
		if (form_get(copy, strlen(query), "code", &value) !=
			lookups[i].found ||
		    strcmp(secret_expose(&value), lookups[i].value) != 0)
			fail_msg("%s: '%s'", query, secret_expose(&value));
		secret_done(&value);
		test_free(copy);
	}
}

static void
only_the_query_is_looked_at(void **state)
{
	struct secret value;

	(void)state;
	secret_init(&value, NULL);
	assert_int_equal(
	    form_get("a=1#code=x", 3, "code", &value), FORM_MISSING);
	assert_int_equal(form_get("code=%41", 7, "code", &value), FORM_BAD);
	secret_done(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_percent_encoded),
	    cmocka_unit_test(query_is_appended_to_an_address),
	    cmocka_unit_test(hostile_queries_are_read_or_refused),
	    cmocka_unit_test(only_the_query_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
