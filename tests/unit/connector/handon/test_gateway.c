/* SPDX-License-Identifier: ISC */
#include "handon/gateway.h"

#include "unit/cmocka_headers.h"

#define NOWHERE "ws://127.0.0.1:1"

static void
wake(void *context)
{
	(void)context;
}

static void
one_that_ends_gets_no_new_sinks(void **state)
{
	struct secret token = SECRET_INIT, other = SECRET_INIT;
	const struct gateway_settings settings = {
	    .url = NOWHERE, .agent = "bot", .token = &token, .wake = wake};
	struct gateway *g = NULL;
	struct mt_error err;

	(void)state;
	secret_add(&token, "token", 5);
	secret_add(&other, "nekot", 5);
	assert_int_equal(gateway_new(&g, &settings, &err), MT_OK);
	assert_true(gateway_is_for(g, NOWHERE, &token));
	assert_false(gateway_is_for(g, NOWHERE, &other));
	assert_false(gateway_is_for(g, "ws://127.0.0.1:2", &token));
	gateway_stop(g);
	assert_false(gateway_is_for(g, NOWHERE, &token));
	gateway_free(&g);
	secret_done(&token);
	secret_done(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_that_ends_gets_no_new_sinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
