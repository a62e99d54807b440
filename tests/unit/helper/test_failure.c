/* SPDX-License-Identifier: ISC */
#include "failure.h"

#include "unit/cmocka_headers.h"

#include <string.h>

struct classing {
	const char *name;
	struct failure_facts facts;
	enum failure_class class;
	bool ambiguous;
};

#define REPLY(status) .http_status = (status), .sent = true, .retry_after_s = -1

static const struct classing classings[] = {
    {"never sent", {.retry_after_s = -1}, FAILURE_TRANSIENT, false},
    {"sent, no answer", {.sent = true, .retry_after_s = -1}, FAILURE_TRANSIENT,
	true},
    {"our CA file is missing", {.misconfigured = true, .retry_after_s = -1},
	FAILURE_CONFIG, false},
    {"200 without tokens", {REPLY(200)}, FAILURE_TRANSIENT, true},
    {"302", {REPLY(302)}, FAILURE_TRANSIENT, false},
    {"400 with a page", {REPLY(400)}, FAILURE_TRANSIENT, false},
    {"400 with nothing", {REPLY(400), .body_is_empty = true}, FAILURE_LOGIN,
	false},
    {"401 with a page", {REPLY(401)}, FAILURE_TRANSIENT, false},
    {"401 with nothing", {REPLY(401), .body_is_empty = true}, FAILURE_CONFIG,
	false},
    {"403 with a page", {REPLY(403)}, FAILURE_TRANSIENT, false},
    {"404", {REPLY(404)}, FAILURE_TRANSIENT, false},
    {"408", {REPLY(408)}, FAILURE_TRANSIENT, true},
    {"429", {REPLY(429)}, FAILURE_TRANSIENT, false},
    {"500", {REPLY(500)}, FAILURE_TRANSIENT, true},
    {"504", {REPLY(504), .body_is_empty = true}, FAILURE_TRANSIENT, true},
    {"invalid_grant", {REPLY(400), .error = "invalid_grant"}, FAILURE_LOGIN,
	false},
    {"invalid_grant with 401", {REPLY(401), .error = "invalid_grant"},
	FAILURE_LOGIN, false},
    {"error with 200", {REPLY(200), .error = "invalid_grant"}, FAILURE_LOGIN,
	false},
    {"invalid_grant with 503", {REPLY(503), .error = "invalid_grant"},
	FAILURE_TRANSIENT, true},
    {"invalid_grant with 429", {REPLY(429), .error = "invalid_grant"},
	FAILURE_TRANSIENT, false},
    {"interaction_required", {REPLY(400), .error = "interaction_required"},
	FAILURE_LOGIN, false},
    {"temporarily_unavailable",
	{REPLY(400), .error = "temporarily_unavailable"}, FAILURE_TRANSIENT,
	false},
    {"server_error", {REPLY(400), .error = "server_error"}, FAILURE_TRANSIENT,
	false},
    {"invalid_client", {REPLY(401), .error = "invalid_client"}, FAILURE_CONFIG,
	false},
    {"invalid_scope", {REPLY(400), .error = "invalid_scope"}, FAILURE_CONFIG,
	false},
    {"unauthorized_client", {REPLY(400), .error = "unauthorized_client"},
	FAILURE_CONFIG, false},
    {"access_denied", {REPLY(403), .error = "access_denied"}, FAILURE_ADMIN,
	false},
    {"unknown error", {REPLY(400), .error = "quantum_flux"}, FAILURE_TRANSIENT,
	false},
    {"suberror says more",
	{REPLY(400), .error = "invalid_grant", .suberror = "message_only"},
	FAILURE_ADMIN, false},
    {"unknown suberror",
	{REPLY(400), .error = "invalid_grant", .suberror = "x"}, FAILURE_LOGIN,
	false},
    {"number softens to transient",
	{REPLY(400), .error = "invalid_grant", .number = 90033},
	FAILURE_TRANSIENT, false},
    {"number softens to admin",
	{REPLY(400), .error = "invalid_grant", .number = 53003}, FAILURE_ADMIN,
	false},
    {"number makes nothing graver",
	{REPLY(400), .error = "invalid_grant", .number = 7000222},
	FAILURE_LOGIN, false},
    {"number makes a transient one no graver",
	{REPLY(400), .error = "server_error", .number = 50173},
	FAILURE_TRANSIENT, false},
    {"unknown number", {REPLY(400), .error = "invalid_client", .number = 12345},
	FAILURE_CONFIG, false},
};

static void
replies_are_classed_by_what_comes_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(classings) / sizeof(*classings); i++) {
		const struct classing *c = &classings[i];
		struct failure failure = failure_classify(&c->facts);
		if (failure.class != c->class)
			fail_msg("%s: class %d", c->name, (int)failure.class);
		if (failure.ambiguous != c->ambiguous)
			fail_msg(
			    "%s: ambiguous %d", c->name, failure.ambiguous);
	}
}

static void
number_explains(void **state)
{
	const struct failure_facts facts = {
	    REPLY(401), .error = "invalid_client", .number = 7000222};
	struct failure failure = failure_classify(&facts);

	(void)state;
	assert_string_equal(failure.meaning, "the client secret has expired");
}

static void
longer_pause_wins(void **state)
{
	struct failure_facts facts = {
	    REPLY(400), .error = "invalid_request", .number = 50196};

	(void)state;
	assert_int_equal(failure_classify(&facts).retry_after_s, 600);
	facts.retry_after_s = 5;
	assert_int_equal(failure_classify(&facts).retry_after_s, 600);
	facts.retry_after_s = 900;
	assert_int_equal(failure_classify(&facts).retry_after_s, 900);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_classed_by_what_comes_next),
	    cmocka_unit_test(number_explains),
	    cmocka_unit_test(longer_pause_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
