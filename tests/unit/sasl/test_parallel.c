/* SPDX-License-Identifier: ISC */
/*
 * A hundred logins at once in one process, of all kinds of clients, each with
 * an account of its own: nobody gets another's token, or verdict.
 */
#include "exchange.h"
#include "faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGINS 100
#define ROUNDS 5

/* The token tells whose it is. */
static const struct helper_rule rules[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_NAMED,
	"1\tok\taccount=work\tuser=@\tserial=7\texpires_in=900\t"
	"token=SECRET-of-@\n"},
    {"reject", HELPER_REPLY, "1\tok\n"},
    {0},
};

static const struct server servers[] = {
    {.replies = {{SERVER_OK, "", 0}}},
    {.replies = {{SERVER_CHALLENGE, REFUSAL, sizeof(REFUSAL) - 1},
	 {SERVER_CHALLENGE, "", 0}, {SERVER_NO, "", 0}}},
    {.replies = {{SERVER_NO, "", 0}}},
};

#define SERVERS (sizeof(servers) / sizeof(*servers))

struct login {
	pthread_t thread;
	pthread_barrier_t *together;
	struct mail_program program;
	char name[32], token[64];
	const struct client *client;
	const struct server *server;
	const char *mechanism;
	struct exchange exchanges[ROUNDS];
};

static void *
log_in(void *context)
{
	struct login *l = context;

	for (size_t i = 0; i < ROUNDS && exchange_takes_part(i); i++) {
		pthread_barrier_wait(l->together);
		l->exchanges[i] = exchange_run(
		    &l->program, l->client, l->mechanism, l->name, l->server);
	}
	return NULL;
}

/* Assertions are for the main thread. */
static void
check(const struct login *l)
{
	for (size_t i = 0; i < ROUNDS && exchange_takes_part(i); i++) {
		const struct exchange *x = &l->exchanges[i];

		exchange_check(x, l->token);
		CHECK(x, !x->server.response_len == l->client->excludes_tokens);
		CHECK(
		    x, x->result.logged_in == (l->server == &servers[0] &&
						  !l->client->excludes_tokens));
		if (x->result.last == SASL_BADAUTH)
			CHECK(x, strstr(x->detail, l->name));
	}
}

/* The settings are the process's, so the clients that need some stay out. */
static const struct client *
pick_client(size_t n)
{
	for (size_t i = n % clients_count;; i = (i + 1) % clients_count)
		if (!clients[i].settings)
			return &clients[i];
}

static void
a_hundred_logins_at_once_do_not_meet(void **state)
{
	struct module_bench *b =
	    module_bench_new(MT_TEST_MODULE_DIR, MT_TEST_SETTINGS);
	struct login *logins = calloc(LOGINS, sizeof(*logins));
	pthread_barrier_t together;

	(void)state;
	assert_non_null(logins);
	module_bench_begin(b, rules);
	mail_program_hang_up(&b->program);
	pthread_barrier_init(&together, NULL, LOGINS);
	for (size_t i = 0; i < LOGINS; i++) {
		struct login *l = &logins[i];

		l->together = &together;
		l->client = pick_client(i);
		l->server = &servers[i / clients_count % SERVERS];
		l->mechanism = exchange_mechanisms[i % MECHANISMS];
		snprintf(l->name, sizeof(l->name), "joe%zu", i);
		snprintf(l->token, sizeof(l->token), "SECRET-of-%s", l->name);
		l->program.authname = l->name;
	}
	for (size_t i = 0; i < LOGINS; i++)
		assert_int_equal(
		    pthread_create(&logins[i].thread, NULL, log_in, &logins[i]),
		    0);
	for (size_t i = 0; i < LOGINS; i++)
		pthread_join(logins[i].thread, NULL);
	for (size_t i = 0; i < LOGINS; i++)
		check(&logins[i]);
	assert_int_equal(faults_live_allocations(), 1); /* the module */
	pthread_barrier_destroy(&together);
	free(logins);
	module_bench_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hundred_logins_at_once_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
