/* SPDX-License-Identifier: ISC */
/* Copies of secrets must not lie where nobody locks or wipes memory. */
#include "handon/gateway.h"
#include "handon/webhook.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "a token that is nowhere else";

static struct secret_arena *arena;
static struct secret secret;

static int
make_secret(void **state)
{
	bool locked;

	(void)state;
	arena = secret_arena_new(65536, &locked);
	secret_init(&secret, arena);
	secret_add(&secret, text, sizeof(text) - 1);
	return arena ? 0 : -1;
}

static int
release_secret(void **state)
{
	(void)state;
	secret_done(&secret);
	secret_arena_free(&arena);
	return 0;
}

/* Whether malloc(3)'s memory holds the text: that of the program's first
 * thread, which makes all copies. */
static bool
is_in_the_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned long begin, end;
	bool found = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]") &&
		    sscanf(line, "%lx-%lx", &begin, &end) == 2)
			found = memmem((const void *)begin, end - begin, text,
				    sizeof(text) - 1) != NULL;
	fclose(maps);
	return found;
}

static void
wake(void *context)
{
	(void)context;
}

static void
token_of_a_gateway_stays_in_the_arena(void **state)
{
	const struct gateway_settings settings = {
	    .url = "ws://127.0.0.1:1",
	    .agent = "bot",
	    .token = &secret,
	    .wake = wake,
	};
	struct gateway *gateway = NULL;
	struct mt_error err;

	(void)state;
	assert_int_equal(gateway_new(&gateway, &settings, &err), MT_OK);
	assert_false(is_in_the_heap());
	gateway_free(&gateway);
}

static void
secret_of_a_webhook_stays_in_the_arena(void **state)
{
	const struct webhook_settings settings = {
	    .url = "http://127.0.0.1:1", .agent = "bot", .secret = &secret};
	struct sink *sink = webhook_new(NULL, &settings);

	(void)state;
	assert_non_null(sink);
	assert_false(is_in_the_heap());
	sink->class->free(sink);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, make_secret, release_secret)
	const struct CMUnitTest tests[] = {
	    CASE(token_of_a_gateway_stays_in_the_arena),
	    CASE(secret_of_a_webhook_stays_in_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
