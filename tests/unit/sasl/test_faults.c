/* SPDX-License-Identifier: ISC */
/*
 * When the process itself fails the module: no memory, at any point of any
 * client's login, and callbacks of the mail program that do not do their part.
 */
#include "exchange.h"
#include "faults.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

	faults_fail_allocations(0, 0);
	module_bench_free(&b);
	assert_int_equal(faults_live_allocations(), 0);
	return 0;
}

/* -- no memory ------------------------------------------------------------- */

static const struct server accepting = {.replies = {{SERVER_OK, "", 0}}};
static const struct server refusing = {
    .replies = {{SERVER_CHALLENGE, REFUSAL, sizeof(REFUSAL) - 1},
	{SERVER_CHALLENGE, "", 0}, {SERVER_NO, "", 0}}};

/* NOMECH would send some clients on to a password, without need; it is what
 * libsasl2 says by itself when the module could not be initialised. */
static void
check_out_of_memory(const struct exchange *x, bool offered)
{
	int code = x->result.last;

	if (!offered) {
		CHECK(x, x->result.start == SASL_NOMECH);
		/* settings that cannot be read are said so */
		CHECK(x, mail_program_syslog_lines() <=
			     (x->client->settings ? 1U : 0U));
		return;
	}
	exchange_check(x, TOKEN);
	if (code < 0 && code != SASL_BADAUTH)
		CHECK(x, code == SASL_NOMEM);
	if (x->result.logged_in)
		CHECK(x, x->server.response_len);
}

/* From the n-th to the last one that fails; true if one was needed at all. */
static bool
login_without_memory(struct module_bench *b, const struct client *client,
    size_t n, size_t last, const struct server *server)
{
	struct exchange x;
	bool offered, hit;

	faults_fail_allocations(n, last);
	exchange_enter(b, client);
	offered = faults_live_allocations() > 0;
	x = exchange_run(&b->program, client,
	    exchange_mechanisms[n % MECHANISMS], "no memory", server);
	hit = faults_hit();
	if (!client->excludes_tokens)
		check_out_of_memory(&x, offered);
	mail_program_done(&b->program);
	CHECK(&x, faults_live_allocations() == 0);
	return hit;
}

static void
every_allocation_may_fail(void **state)
{
	static const struct server *const servers[] = {&accepting, &refusing};
	struct module_bench *b = *state;

	b->helper = scripted_helper_start(b->socket, good_helper, NOBODY);
	for (size_t c = 0; c < clients_count; c++) {
		for (size_t i = 0; i < 4; i++) {
			size_t n = 1;

			if (!exchange_takes_part(4 * c + i))
				continue;
			while (login_without_memory(b, &clients[c], n,
			    i % 2 ? n : SIZE_MAX, servers[i / 2]))
				n++;
			/* the module, the conversation, the request, the
			 * token, the response */
			if (!clients[c].excludes_tokens)
				assert_in_range(n, 6, 100);
		}
	}
}

/* -- callbacks ------------------------------------------------------------- */

static int
fails(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)result;
	(void)len;
	return SASL_FAIL;
}

static int
has_no_memory(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)result;
	(void)len;
	return SASL_NOMEM;
}

static int
wants_other_parameters(
    void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)result;
	(void)len;
	return SASL_BADPARAM;
}

static int
returns_nonsense(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)result;
	(void)len;
	return 4711;
}

static int
gives_nothing(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)len;
	*result = NULL;
	return SASL_OK;
}

static int
gives_joe(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)len;
	*result = "joe@example.org";
	return SASL_OK;
}

static int
gives_an_empty_one(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	(void)len;
	*result = "";
	return SASL_OK;
}

static int
gives_5000_bytes(void *context, int id, const char **result, unsigned *len)
{
	static char name[5001];

	(void)context;
	(void)id;
	(void)len;
	memset(name, 'j', sizeof(name) - 1);
	*result = name;
	return SASL_OK;
}

static int
makes_nothing_canonical(sasl_conn_t *conn, void *context, const char *in,
    unsigned inlen, unsigned flags, const char *user_realm, char *out,
    unsigned out_max, unsigned *out_len)
{
	(void)conn;
	(void)context;
	(void)in;
	(void)inlen;
	(void)flags;
	(void)user_realm;
	(void)out;
	(void)out_max;
	(void)out_len;
	return SASL_BADAUTH;
}

#define CALLBACK(id, f)                                                        \
	{                                                                      \
		id, (int (*)(void))(void (*)(void))(f), NULL                   \
	}
#define AUTHNAME(f) CALLBACK(SASL_CB_AUTHNAME, f)
#define USER(f) CALLBACK(SASL_CB_USER, f)
#define CANON(f) CALLBACK(SASL_CB_CANON_USER, f)
#define END                                                                    \
	{                                                                      \
		SASL_CB_LIST_END, NULL, NULL                                   \
	}

static const struct {
	sasl_callback_t callbacks[4];
	int code;
	const char *text;
} broken[] = {
    {{END}, SASL_FAIL, "login name"}, /* and no $USER */
    {{AUTHNAME(fails), END}, SASL_FAIL, "could not give the login name"},
    {{AUTHNAME(has_no_memory), END}, SASL_NOMEM,
	"could not give the login name"},
    {{AUTHNAME(wants_other_parameters), END}, SASL_BADPARAM,
	"could not give the login name"},
    {{AUTHNAME(returns_nonsense), END}, SASL_FAIL,
	"could not give the login name"},
    {{AUTHNAME(gives_nothing), END}, SASL_FAIL,
	"could not give the login name"},
    {{AUTHNAME(gives_an_empty_one), END}, SASL_FAIL,
	"could not give the login name"},
    {{AUTHNAME(gives_5000_bytes), END}, SASL_BADPARAM, "longer than 1024"},
    {{AUTHNAME(gives_joe), USER(has_no_memory), END}, SASL_NOMEM,
	"could not give the authorization name"},
    {{AUTHNAME(gives_joe), USER(gives_5000_bytes), END}, SASL_BADPARAM,
	"longer than 1024"},
    {{AUTHNAME(gives_joe), USER(fails), END}, SASL_CONTINUE, ""},
    {{AUTHNAME(gives_joe), USER(gives_nothing), END}, SASL_CONTINUE, ""},
    {{AUTHNAME(gives_joe), CANON(makes_nothing_canonical), END}, SASL_BADAUTH,
	"no usable login name"},
};

static void
callback_that_fails_is_named(void **state)
{
	struct module_bench *b = *state;
	struct mail_program *p;

	unsetenv("USER");
	unsetenv("USERNAME");
	p = module_bench_begin(b, good_helper);
	for (size_t i = 0; i < 2 * sizeof(broken) / sizeof(*broken); i++) {
		const char *detail;
		int code;

		p->instead = broken[i / 2].callbacks;
		p->never_prompts = i % 2;
		mail_program_connect(p);
		code = mail_program_start(p, "XOAUTH2");
		detail = sasl_errdetail(p->conn);
		if (code != broken[i / 2].code ||
		    !strstr(detail, broken[i / 2].text))
			fail_msg("callbacks %zu: %d, %s", i / 2, code, detail);
	}
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(every_allocation_may_fail),
	    CASE(callback_that_fails_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
