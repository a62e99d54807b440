/* SPDX-License-Identifier: ISC */
/*
 * Every client x every verdict of a server x every state of a helper: who logs
 * in, what the server hears, and what the client's user gets to read.
 */
#include "exchange.h"
#include "faults.h"

#include "sasl/oauth_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
set_up(void **state)
{
	*state = module_bench_new(MT_TEST_MODULE_DIR, MT_TEST_SETTINGS);
	return 0;
}

static int
tear_down(void **state)
{
	struct module_bench *b = *state;

	faults_cap_waits(0);
	module_bench_free(&b);
	assert_int_equal(faults_live_allocations(), 0);
	return 0;
}

#define WAITS_MS (OAUTH_FIND_MS + OAUTH_TOKEN_MS + OAUTH_REPORT_MS)

static struct exchange
run(struct module_bench *b, const struct client *client, size_t mechanism,
    const char *row, const struct server *server)
{
	struct exchange x = exchange_run(
	    &b->program, client, exchange_mechanisms[mechanism], row, server);

	CHECK(&x, faults_live_allocations() == 1); /* the module itself */
	return x;
}

/* -- verdicts of servers, with a good helper ------------------------------- */

#define IN_THE_SCOPE "{\"status\":\"400\",\"scope\":\""
#define HUGE 12288 /* bytes, the longest line of RFC 4954 */

static char huge_reason[HUGE], huge_noise[HUGE], deep_reason[HUGE];

#define BYTES(text) (text), sizeof(text) - 1

static const struct verdict {
	const char *name;
	struct server_reply replies[SERVER_REPLIES_MAX];
	bool logs_in;
	bool refuses;      /* by a challenge that says why */
	bool goes_too_far; /* challenges after the mechanism's end */
	bool over;         /* the client reads the server's last word */
} verdicts[] = {
    {"OK", {{SERVER_OK, "", 0}}, .logs_in = true, .over = true},
    {"OK with data", {{SERVER_OK, BYTES("welcome")}}, .logs_in = true,
	.over = true},
    {"OK with data that looks like a refusal", {{SERVER_OK, BYTES(" x{}")}},
	.logs_in = true, .over = true},
    {"an empty challenge, OK", {{SERVER_CHALLENGE, "", 0}, {SERVER_OK, "", 0}},
	.logs_in = true, .over = true},
    {"NO", {{SERVER_NO, "", 0}}, .over = true},
    {"the reason, NO", {{SERVER_CHALLENGE, BYTES(REFUSAL)}, {SERVER_NO, "", 0}},
	.refuses = true, .over = true},
    {"the reason twice, NO",
	{{SERVER_CHALLENGE, BYTES(REFUSAL)}, {SERVER_CHALLENGE, BYTES(REFUSAL)},
	    {SERVER_NO, "", 0}},
	.refuses = true},
    {"a reason with the token in it, NO",
	{{SERVER_CHALLENGE, BYTES(IN_THE_SCOPE TOKEN "\"}")},
	    {SERVER_CHALLENGE, BYTES(IN_THE_SCOPE TOKEN "\"}")}},
	.refuses = true},
    {"a reason of NULs and controls, NO",
	{{SERVER_CHALLENGE, BYTES("{\"status\":\"\0\1\x1b[2J\n\",\0\"")},
	    {SERVER_CHALLENGE, "", 0}},
	.refuses = true},
    {"a reason without an end, NO",
	{{SERVER_CHALLENGE, BYTES("{\"status\":\"\\u00")},
	    {SERVER_CHALLENGE, "", 0}},
	.refuses = true},
    {"a reason of 12 KB, NO",
	{{SERVER_CHALLENGE, huge_reason, HUGE}, {SERVER_CHALLENGE, "", 0}},
	.refuses = true},
    {"a reason 12,288 levels deep, NO",
	{{SERVER_CHALLENGE, deep_reason, HUGE}, {SERVER_CHALLENGE, "", 0}},
	.refuses = true},
    {"12 KB of noise, NO",
	{{SERVER_CHALLENGE, huge_noise, HUGE}, {SERVER_NO, "", 0}},
	.over = true},
    {"a challenge after success, OK",
	{{SERVER_CHALLENGE, "", 0}, {SERVER_CHALLENGE, BYTES("more")},
	    {SERVER_OK, "", 0}},
	.goes_too_far = true},
};

#define VERDICTS (sizeof(verdicts) / sizeof(*verdicts))

static void
fill_challenges(void)
{
	memset(huge_noise, 0xff, HUGE);
	memset(huge_reason, 'x', HUGE);
	memcpy(huge_reason, BYTES(IN_THE_SCOPE TOKEN));
	memset(deep_reason, '{', HUGE);
}

static void
check_verdict(const struct exchange *x, const struct verdict *v)
{
	const struct client *client = x->client;
	bool ends =
	    client->ends_with_token && v->replies[0].says == SERVER_CHALLENGE;

	exchange_check(x, TOKEN);
	if (client->excludes_tokens) {
		CHECK(x, x->result.start == SASL_NOMECH);
		CHECK(x, !x->server.response_len);
		return;
	}
	CHECK(x, x->server.response_len);
	CHECK(
	    x, x->result.logged_in ==
		   ((v->logs_in || (v->goes_too_far && client->heeds_server)) &&
		       !ends));
	if (v->over && !ends)
		CHECK(x, x->server.over);
	if (!v->refuses || ends)
		return;
	/* RFC 7628 wants 0x01, XOAUTH2 an empty line */
	CHECK(x, x->server.acknowledgements);
	CHECK(x, x->server.acknowledgement_len ==
		     (strcmp(x->mechanism, "XOAUTH2") == 0 ? 0U : 1U));
	if (x->server.acknowledgement_len)
		CHECK(x, x->server.acknowledgement[0] == 1);
	/* some clients never ask the module about it */
	if (x->result.last < 0) {
		CHECK(x, x->result.last == SASL_BADAUTH);
		CHECK(x, strstr(x->detail, "mailtoken: account work: "));
	}
}

/* On smtp and lmtp such a response waits for the server's go-ahead. */
static void
every_client_sends_a_token_of_4_kb_whole(void **state)
{
	static const struct server server = {.replies = {{SERVER_OK, "", 0}}};
	static char token[4097], reply[4300];
	const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, FOUND}, {"get", HELPER_REPLY, reply}, {0}};
	struct module_bench *b = *state;

	memset(token, 't', sizeof(token) - 1);
	snprintf(reply, sizeof(reply),
	    "1\tok\taccount=work\tuser=joe@example.org\tserial=7\t"
	    "expires_in=900\ttoken=%s\n",
	    token);
	b->helper = scripted_helper_start(b->socket, rules, NOBODY);
	for (size_t c = 0; c < clients_count; c++) {
		if (clients[c].excludes_tokens)
			continue;
		exchange_enter(b, &clients[c]);
		for (size_t m = 0; m < MECHANISMS; m++) {
			struct exchange x =
			    run(b, &clients[c], m, "a token of 4 KB", &server);
			exchange_check(&x, token);
			CHECK(&x, x.server.response_len);
			CHECK(&x, x.result.logged_in);
		}
		mail_program_done(&b->program);
	}
}

static size_t
count_reports(struct module_bench *b)
{
	char *log = scripted_helper_log(b->helper);
	size_t n = 0;

	for (const char *at = log; (at = strstr(at, "1\treject\t")); at++)
		n++;
	free(log);
	return n;
}

static void
every_client_takes_every_verdict_as_it_is_meant(void **state)
{
	struct module_bench *b = *state;
	size_t reports = 0;

	fill_challenges();
	b->helper = scripted_helper_start(b->socket, good_helper, NOBODY);
	for (size_t c = 0; c < clients_count; c++) {
		exchange_enter(b, &clients[c]);
		for (size_t i = 0; i < MECHANISMS * VERDICTS; i++) {
			const struct verdict *v = &verdicts[i / MECHANISMS];
			struct server server = {0};
			struct exchange x;

			if (!exchange_takes_part(c + i))
				continue;
			memcpy(server.replies, v->replies, sizeof(v->replies));
			x = run(
			    b, &clients[c], i % MECHANISMS, v->name, &server);
			check_verdict(&x, v);
			reports += x.server.response_len && v->refuses &&
				   !clients[c].ends_with_token;
			CHECK(&x, count_reports(b) == reports);
		}
		mail_program_done(&b->program);
	}
}

/* -- helpers in every state ------------------------------------------------ */

static const struct helper_rule none[] = {
    {"exists", HELPER_REPLY, "1\tnone\ttext=not for you\n"},
    {"get", HELPER_REPLY, "1\tnone\ttext=not for you\n"},
    {0},
};
static const struct helper_rule later[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, "1\tlater\ttext=account work: busy\tretry_s=60\n"},
    {0},
};
static const struct helper_rule login[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY,
	"1\tlogin\taccount=work\ttext=account work: log in\n"},
    {0},
};
static const struct helper_rule mute[] = {
    {"exists", HELPER_HANG, NULL}, {"get", HELPER_HANG, NULL}, {0}};
static const struct helper_rule mute_about_the_token[] = {
    {"exists", HELPER_REPLY, FOUND}, {"get", HELPER_HANG, NULL}, {0}};
static const struct helper_rule dripping[] = {
    {"exists", HELPER_DRIP, FOUND}, {"get", HELPER_DRIP, GOT}, {0}};
static const struct helper_rule dripping_the_token[] = {
    {"exists", HELPER_REPLY, FOUND}, {"get", HELPER_DRIP, GOT}, {0}};
static const struct helper_rule dying[] = {
    {"exists", HELPER_CLOSE, "1\tok\tacc"}, {"get", HELPER_CLOSE, "1\tok\tacc"},
    {0}};
static const struct helper_rule dying_in_the_token[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_CLOSE, "1\tok\taccount=work\ttoken=SECRET"}, {0}};
static const struct helper_rule malformed[] = {{"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, "1\tok\taccount=wo\\rk\ttoken=SECRET\n"}, {0}};
static const struct helper_rule of_another_version[] = {
    {"exists", HELPER_REPLY, "9\tok\taccount=work\n"},
    {"get", HELPER_REPLY, "9\tok\taccount=work\ttoken=SECRET\n"}, {0}};
static const struct helper_rule with_controls[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY,
	"1\tok\taccount=work\tuser=joe\ttoken=SECRET\1user=root\1\n"},
    {0},
};
static const struct helper_rule without_token[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, "1\tok\taccount=work\tuser=joe\ttoken=\n"}, {0}};
static const struct helper_rule endless[] = {
    {"exists", HELPER_FLOOD, NULL}, {"get", HELPER_FLOOD, NULL}, {0}};
static const struct helper_rule endless_in_the_token[] = {
    {"exists", HELPER_REPLY, FOUND}, {"get", HELPER_FLOOD, NULL}, {0}};

static const struct condition {
	const char *name;
	const struct helper_rule *rules;
	int code;
	const char *text;
	enum { QUICK, SLOW, STRANGER } nature;
} conditions[] = {
    {"no account", none, SASL_NOMECH, "no account for ", QUICK},
    {"later", later, SASL_UNAVAIL, "account work: busy", QUICK},
    {"login", login, SASL_EXPIRED, "account work: log in", QUICK},
    {"down", NULL, SASL_UNAVAIL, "cannot reach the token helper at ", QUICK},
    {"mute", mute, SASL_UNAVAIL, "no answer from the token helper", SLOW},
    {"mute about the token", mute_about_the_token, SASL_UNAVAIL,
	"no answer from the token helper", SLOW},
    {"dripping", dripping, SASL_UNAVAIL, "no answer from the token helper",
	SLOW},
    {"dripping the token", dripping_the_token, SASL_UNAVAIL,
	"no answer from the token helper", SLOW},
    {"dying", dying, SASL_UNAVAIL, "no answer from the token helper", QUICK},
    {"dying in the token", dying_in_the_token, SASL_UNAVAIL,
	"no answer from the token helper", QUICK},
    {"malformed", malformed, SASL_UNAVAIL, "not version 1", QUICK},
    {"of another version", of_another_version, SASL_UNAVAIL, "not version 1",
	QUICK},
    {"with controls in the token", with_controls, SASL_BADPARAM,
	"no bearer token", QUICK},
    {"without a token", without_token, SASL_UNAVAIL, "lacks a field", QUICK},
    {"without a line end", endless, SASL_UNAVAIL,
	"no answer from the token helper", QUICK},
    {"without a line end in the token", endless_in_the_token, SASL_UNAVAIL,
	"no answer from the token helper", QUICK},
    {"of a stranger", good_helper, SASL_CONFIGERR, "uid 65534", STRANGER},
};

/* The user must know which of his accounts, or logins, it is about. */
static bool
says_who(const struct exchange *x)
{
	return strstr(x->detail, "account work") ||
	       strstr(x->detail, x->program->authname) ||
	       (x->client->asks && strstr(x->detail, "mail.example"));
}

static void
check_condition(const struct exchange *x, const struct condition *c)
{
	exchange_check(x, TOKEN);
	CHECK(x, !x->result.logged_in);
	CHECK(x, !x->server.response_len);
	if (x->client->excludes_tokens) {
		CHECK(x, x->result.start == SASL_NOMECH);
		return;
	}
	CHECK(x, x->result.last == c->code);
	CHECK(x, strstr(x->detail, c->text));
	CHECK(x, says_who(x));
	if (x->client->has_fallback &&
	    strncmp(x->client->name, "mbsync", 6) == 0)
		CHECK(x, x->result.goes_on == (c->code == SASL_NOMECH));
}

/* The slow ones get less patience, and that only shortens the test. */
static void
no_client_logs_in_without_a_good_helper(void **state)
{
	static const struct server server = {.replies = {{SERVER_OK, "", 0}}};
	struct module_bench *b = *state;

	assert_int_equal(geteuid(), 0); /* one helper gets another uid */
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		const struct condition *condition = &conditions[i];

		module_bench_replace_helper(b, NULL, NOBODY);
		assert_int_equal(module_bench_descriptors(), b->descriptors);
		module_bench_replace_helper(b, condition->rules,
		    condition->nature == STRANGER ? (uid_t)65534 : NOBODY);
		faults_cap_waits(condition->nature == SLOW ? 10 : 0);
		for (size_t c = 0; c < clients_count; c++) {
			if (!exchange_takes_part(c + i))
				continue;
			exchange_enter(b, &clients[c]);
			for (size_t m = 0; m < MECHANISMS; m++) {
				struct exchange x = run(b, &clients[c], m,
				    condition->name, &server);
				check_condition(&x, condition);
			}
			mail_program_done(&b->program);
		}
	}
}

/* Whatever the helper does, in whatever step: a wait that has run to its end
 * is not begun anew. */
static void
all_waits_of_an_exchange_have_one_end(void **state)
{
	static const struct helper_rule dripping_after_the_token[] = {
	    {"exists", HELPER_REPLY, FOUND}, {"get", HELPER_REPLY, GOT},
	    {"reject", HELPER_DRIP, FOUND}, {0}};
	static const struct helper_rule dripping_always[] = {
	    {"exists", HELPER_DRIP, FOUND}, {"get", HELPER_DRIP, GOT}, {0}};
	static const struct helper_rule late_after_a_question[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, "1\tlater\ttext=account work: busy\n"},
	    {"get", HELPER_DRIP, GOT}, {"get", HELPER_HANG, NULL}, {0}};
	static const struct helper_rule *const helpers[] = {
	    dripping_after_the_token, dripping_always, dripping_the_token,
	    late_after_a_question, mute};
	static const struct server server = {
	    .replies = {
		{SERVER_CHALLENGE, BYTES(REFUSAL)}, {SERVER_NO, "", 0}}};
	struct module_bench *b = *state;

	for (size_t i = 0; i < sizeof(helpers) / sizeof(*helpers); i++) {
		for (size_t c = 0; c < clients_count; c++) {
			struct exchange x;

			if (!exchange_takes_part(c + i))
				continue;
			module_bench_replace_helper(b, helpers[i], NOBODY);
			/* enough for a helper that answers at once */
			faults_cap_waits(i == 0 ? 0 : 20);
			if (i == 0 && c > 0)
				break; /* takes OAUTH_REPORT_MS */
			exchange_enter(b, &clients[c]);
			faults_waits_ms();
			x = run(
			    b, &clients[c], c % MECHANISMS, "waits", &server);
			CHECK(&x, faults_waits_ms() <= WAITS_MS);
			mail_program_done(&b->program);
		}
	}
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(every_client_takes_every_verdict_as_it_is_meant),
	    CASE(every_client_sends_a_token_of_4_kb_whole),
	    CASE(no_client_logs_in_without_a_good_helper),
	    CASE(all_waits_of_an_exchange_have_one_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
