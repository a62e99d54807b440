/* SPDX-License-Identifier: ISC */
/*
 * What a login leaves in the process of the mail program: no token, no module,
 * nothing that runs; also when the helper is killed in the middle of it.
 */
#include "exchange.h"
#include "helper_process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct module_bench *bench;
	uint64_t key; /* of the helper's token */
	pid_t helper;
};

static void
start_helper(struct fixture *f, const struct helper_rule *rules)
{
	f->helper = helper_process_start(f->bench->socket, rules, f->key);
}

static void
stop_helper(struct fixture *f)
{
	helper_process_stop(f->helper, f->bench->socket);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->bench = module_bench_new(MT_TEST_MODULE_DIR, MT_TEST_SETTINGS);
	assert_int_equal(getrandom(&f->key, sizeof(f->key), 0), sizeof(f->key));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	module_bench_free(&f->bench);
	free(f);
	return 0;
}

/* -- the token ------------------------------------------------------------- */

#define ASSERT_NO_COPY(f)                                                      \
	assert_int_equal(helper_process_copies_of_token((f)->key), 0)

static const struct server servers[] = {
    {.replies = {{SERVER_OK, "", 0}}, .keeps_nothing = true},
    {.replies = {{SERVER_NO, "", 0}}, .keeps_nothing = true},
    {.replies = {{SERVER_CHALLENGE, REFUSAL, sizeof(REFUSAL) - 1},
	 {SERVER_NO, "", 0}},
	.keeps_nothing = true},
};

#define SERVERS (sizeof(servers) / sizeof(*servers))

/* It must be found where it is, too. */
static void
token_is_in_memory_from_the_answer_to_the_verdict(void **state)
{
	static const char *const verdicts[] = {"", REFUSAL};
	struct fixture *f = *state;
	struct mail_program *p;

	start_helper(f, NULL);
	p = module_bench_begin(f->bench, NULL);
	for (size_t i = 0; i < 2 * MECHANISMS; i++) {
		mail_program_connect(p);
		ASSERT_NO_COPY(f);
		assert_int_equal(
		    mail_program_start(p, exchange_mechanisms[i / 2]),
		    SASL_CONTINUE);
		assert_true(helper_process_copies_of_token(f->key) > 0);
		mail_program_step(p, verdicts[i % 2]);
		ASSERT_NO_COPY(f);
		mail_program_hang_up(p);
		ASSERT_NO_COPY(f);
	}
	stop_helper(f);
}

/* A refusal without a challenge: the module never hears of it. */
static void
dispose_wipes_the_token(void **state)
{
	struct fixture *f = *state;
	struct mail_program *p;

	start_helper(f, NULL);
	p = module_bench_begin(f->bench, NULL);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_true(helper_process_copies_of_token(f->key) > 0);
	mail_program_hang_up(p);
	ASSERT_NO_COPY(f);
	p->service = "smtp"; /* held back, never sent */
	mail_program_connect(p);
	assert_int_equal(mail_program_start(p, "OAUTHBEARER"), SASL_CONTINUE);
	assert_int_equal(p->out_len, 0);
	assert_true(helper_process_copies_of_token(f->key) > 0);
	mail_program_hang_up(p);
	ASSERT_NO_COPY(f);
	stop_helper(f);
}

static void
no_client_is_left_with_the_token(void **state)
{
	struct fixture *f = *state;
	struct mail_program *p = &f->bench->program;

	start_helper(f, NULL);
	for (size_t c = 0; c < clients_count; c++) {
		exchange_enter(f->bench, &clients[c]);
		for (size_t i = 0; i < MECHANISMS * SERVERS; i++) {
			struct exchange x = exchange_run(p, &clients[c],
			    exchange_mechanisms[i % MECHANISMS], "memory",
			    &servers[i / MECHANISMS]);

			CHECK(&x, !x.server.response_len ==
				      clients[c].excludes_tokens);
			CHECK(&x, helper_process_copies_of_token(f->key) == 0);
		}
		mail_program_done(p);
	}
	stop_helper(f);
}

/* -- a helper that is killed ----------------------------------------------- */

static const struct helper_rule killed_when_asked[] = {
    {"exists", HELPER_DIE, "1\tok\taccount=wo"},
    {"get", HELPER_DIE, "1\tok\taccount=wo"},
    {0},
};
static const struct helper_rule killed_in_the_token[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_DIE, "1\tok\taccount=work\tuser=joe\ttoken=SECRET"},
    {0},
};
static const struct helper_rule killed_in_the_report[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, GOT},
    {"reject", HELPER_DIE, "1\to"},
    {0},
};

static void
client_gets_an_error_when_the_helper_is_killed(void **state)
{
	static const struct {
		const struct helper_rule *rules;
		int code;
		const char *text;
	} cases[] = {
	    {killed_when_asked, SASL_UNAVAIL, "the token helper"},
	    {killed_in_the_token, SASL_UNAVAIL, "the token helper"},
	    {killed_in_the_report, SASL_BADAUTH, "could not be told"},
	};
	static const struct server refusing = {
	    .replies = {{SERVER_CHALLENGE, REFUSAL, sizeof(REFUSAL) - 1},
		{SERVER_CHALLENGE, "", 0}, {SERVER_NO, "", 0}}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t c = 0; c < clients_count; c++) {
			struct exchange x;

			if (clients[c].excludes_tokens)
				continue;
			start_helper(f, cases[i].rules);
			exchange_enter(f->bench, &clients[c]);
			x = exchange_run(&f->bench->program, &clients[c],
			    exchange_mechanisms[c % MECHANISMS], "killed",
			    &refusing);
			mail_program_done(&f->bench->program);
			exchange_check(&x, TOKEN);
			CHECK(&x, !x.result.logged_in);
			if (x.result.last < 0) {
				CHECK(&x, x.result.last == cases[i].code);
				CHECK(&x, strstr(x.detail, cases[i].text));
			}
			stop_helper(f);
		}
	}
}

/* -- the module ------------------------------------------------------------ */

static void
module_comes_and_goes(void **state)
{
	struct fixture *f = *state;
	struct mail_program *p = &f->bench->program;

	start_helper(f, NULL);
	for (int i = 0; i < 3; i++) {
		struct exchange x;

		exchange_enter(f->bench, &clients[0]);
		assert_true(module_bench_is_mapped("libmailtoken.so"));
		x = exchange_run(
		    p, &clients[0], "XOAUTH2", "unload", &servers[0]);
		CHECK(&x, x.result.logged_in);
		mail_program_done(p);
		assert_false(module_bench_is_mapped("libmailtoken.so"));
		assert_int_equal(
		    module_bench_descriptors(), f->bench->descriptors);
		assert_int_equal(module_bench_threads(), f->bench->threads);
	}
	stop_helper(f);
}

/* A handler for exit(3) in a module that is gone would crash. */
static void
program_ends_well_with_the_module_and_after_it(void **state)
{
	struct fixture *f = *state;
	struct mail_program *p = &f->bench->program;

	start_helper(f, NULL);
	for (int with = 0; with < 2; with++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			exchange_enter(f->bench, &clients[0]);
			exchange_run(
			    p, &clients[0], "XOAUTH2", "exit", &servers[0]);
			if (!with)
				mail_program_done(p);
			exit(5);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 5);
	}
	stop_helper(f);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(token_is_in_memory_from_the_answer_to_the_verdict),
	    CASE(dispose_wipes_the_token),
	    CASE(no_client_is_left_with_the_token),
	    CASE(client_gets_an_error_when_the_helper_is_killed),
	    CASE(module_comes_and_goes),
	    CASE(program_ends_well_with_the_module_and_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
