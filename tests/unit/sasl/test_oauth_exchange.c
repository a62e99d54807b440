/* SPDX-License-Identifier: ISC */
/* What test_module.c cannot show in a short time: the deadlines. */
#include "sasl/oauth_exchange.h"

#include "unit/cmocka_headers.h"
#include "unit/tokensock/scripted_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1)

struct fixture {
	char dir[32];
	char socket[64];
	struct scripted_helper *helper;
	struct oauth_exchange exchange;
	struct mt_error err;
};

static const struct oauth_server server = {
    .service = "imap", .host = "mail.example"};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct token_paths paths = {0};

	memcpy(f->dir, "/tmp/mt-exch-XXXXXX", sizeof("/tmp/mt-exch-XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof(f->socket), "%s/socket", f->dir);
	token_paths_add(&paths, f->socket);
	assert_int_equal(oauth_exchange_init(&f->exchange, OAUTH_XOAUTH2,
			     &server, &paths, NOBODY, &f->err),
	    MT_OK);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	oauth_exchange_done(&f->exchange);
	scripted_helper_stop(&f->helper);
	rmdir(f->dir);
	free(f);
	return 0;
}

static enum mt_status
begin(struct fixture *f, struct oauth_output *output)
{
	const struct oauth_login login = {.user = "joe"};
	enum mt_status status =
	    oauth_exchange_fetch(&f->exchange, &login, &f->err);

	return status == MT_OK
		   ? oauth_exchange_begin(&f->exchange, false, output, &f->err)
		   : status;
}

static void
all_waits_together_are_bounded(void **state)
{
	(void)state;
	assert_true(OAUTH_FIND_MS <= 1000);
	assert_true(OAUTH_FIND_MS + OAUTH_TOKEN_MS + OAUTH_REPORT_MS <= 20000);
}

static void
token_that_does_not_come_ends_at_the_deadline(void **state)
{
	static const struct helper_rule rules[][3] = {
	    {{"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
		{"get", HELPER_HANG, NULL}},
	    {{"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
		{"get", HELPER_DRIP,
		    "1\tok\taccount=work\tuser=joe\ttoken=t\n"}},
	    {{"exists", HELPER_HANG, NULL}},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct oauth_output output = {.len = 4711};

		f->exchange.token_ms = 150;
		f->helper = scripted_helper_start(f->socket, rules[i], NOBODY);
		assert_int_equal(begin(f, &output), MT_UNREACHABLE);
		assert_int_equal(output.len, 4711);
		assert_int_equal(f->exchange.state, OAUTH_ASK);
		scripted_helper_stop(&f->helper);
	}
}

/* A login may need several questions, one after the other. */
static void
time_that_has_passed_is_given_to_no_other_question(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_HANG, NULL}, {"get", HELPER_HANG, NULL}, {0}};
	static const struct oauth_login login = {.user = "joe"};
	struct fixture *f = *state;
	struct oauth_exchange *x = &f->exchange;

	f->helper = scripted_helper_start(f->socket, rules, NOBODY);
	x->find_ms = x->token_ms = 50;
	assert_int_equal(
	    oauth_exchange_find(x, &login, false, &f->err), MT_UNREACHABLE);
	assert_int_equal(
	    oauth_exchange_fetch(x, &login, &f->err), MT_UNREACHABLE);
	assert_int_equal(x->find_ms, 0);
	assert_int_equal(x->token_ms, 0);
}

/* The helper says "later" before we stop to listen. */
static void
helper_is_told_to_answer_before_the_deadline(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
	    {"get", HELPER_REPLY, "1\tlater\ttext=busy\n"},
	    {0},
	};
	struct fixture *f = *state;
	struct oauth_output output;
	const char *wait;
	char *log;

	f->helper = scripted_helper_start(f->socket, rules, NOBODY);
	assert_int_equal(begin(f, &output), MT_RETRY_LATER);
	log = scripted_helper_log(f->helper);
	wait = strstr(log, "wait_ms=");
	assert_non_null(wait);
	assert_in_range(
	    strtol(wait + 8, NULL, 10), 1000, OAUTH_TOKEN_MS * 9 / 10 + 1);
	free(log);
}

static void
secrets_are_wiped_with_the_verdict(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
	    {"get", HELPER_REPLY,
		"1\tok\taccount=work\tuser=joe\ttoken=SECRET\n"},
	    {0},
	};
	struct fixture *f = *state;
	struct oauth_output output;

	f->helper = scripted_helper_start(f->socket, rules, NOBODY);
	assert_int_equal(begin(f, &output), MT_OK);
	assert_int_equal(f->exchange.response.len, output.len);
	/* the frame that brought it is wiped already */
	assert_int_equal(f->exchange.client.frame.len, 0);
	assert_int_equal(
	    oauth_exchange_answer(&f->exchange, NULL, 0, &output, &f->err),
	    MT_OK);
	assert_int_equal(f->exchange.state, OAUTH_DONE);
	assert_null(f->exchange.response.data);
	assert_null(f->exchange.answer.token.data);
	assert_int_equal(
	    oauth_exchange_answer(&f->exchange, NULL, 0, &output, &f->err),
	    MT_BUG);
}

static void
unusable_token_is_wiped_at_once(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
	    {"get", HELPER_REPLY,
		"1\tok\taccount=work\tuser=joe\ttoken=not one\n"},
	    {0},
	};
	struct fixture *f = *state;
	struct oauth_output output;

	f->helper = scripted_helper_start(f->socket, rules, NOBODY);
	assert_int_equal(begin(f, &output), MT_BAD_INPUT);
	assert_int_equal(f->exchange.answer.token.len, 0);
	assert_int_equal(f->exchange.response.len, 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(all_waits_together_are_bounded),
	    CASE(token_that_does_not_come_ends_at_the_deadline),
	    CASE(time_that_has_passed_is_given_to_no_other_question),
	    CASE(helper_is_told_to_answer_before_the_deadline),
	    CASE(secrets_are_wiped_with_the_verdict),
	    CASE(unusable_token_is_wiped_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
