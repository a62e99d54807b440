/* SPDX-License-Identifier: ISC */
/*
 * The module in the real libsasl2: which account serves whom, which error gets
 * which code and text, who is offered the mechanisms at all.  How each mail
 * program drives it: test_clients.c.
 */
#include "module_bench.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
	struct module_bench *f = *state;

	module_bench_free(&f);
	return 0;
}

static void
write_settings(const char *text)
{
	module_bench_write_settings(MT_TEST_SETTINGS, text);
}

static struct mail_program *
begin(void **state, const struct helper_rule *rules)
{
	return module_bench_begin(*state, rules);
}

static void
assert_out(const struct mail_program *p, const char *expected)
{
	assert_non_null(p->out);
	assert_int_equal(p->out_len, strlen(expected));
	assert_memory_equal(p->out, expected, p->out_len);
}

static void
assert_asked(void **state, const char *frame)
{
	struct module_bench *f = *state;
	char *log = scripted_helper_log(f->helper);

	if (!strstr(log, frame))
		fail_msg("'%s' is not in:\n%s", frame, log);
	free(log);
}

static void
assert_detail(struct mail_program *p, const char *text)
{
	const char *detail = sasl_errdetail(p->conn);

	if (!strstr(detail, text) || strstr(detail, "SECRET"))
		fail_msg("'%s' is not in: %s", text, detail);
}

/* -- the clients ---------------------------------------------------------- */

/* KMail, mbsync with SASL-IR */
static void
imap_client_with_initial_response_logs_in(void **state)
{
	struct mail_program *p = begin(state, good_helper);
	struct module_bench *f = *state;
	const void *name;
	char *log;

	assert_int_equal(
	    mail_program_start(p, "AUTH=XOAUTH2 SASL-IR"), SASL_CONTINUE);
	assert_string_equal(p->mechanism, "XOAUTH2");
	assert_out(p, XOAUTH2_OF("joe@example.org"));
	assert_int_equal(mail_program_step(p, NULL), SASL_OK);
	assert_out(p, "");
	assert_int_equal(sasl_getprop(p->conn, SASL_USERNAME, &name), SASL_OK);
	assert_string_equal(name, "joe@example.org");
	assert_int_equal(scripted_helper_connections(f->helper), 1);
	/* one round trip */
	log = scripted_helper_log(f->helper);
	assert_string_equal(log,
	    "1\tget\tservice=imap\thost=mail.example\tuser=joe@example.org\t"
	    "min_ttl=60\twait_ms=0\n");
	free(log);
	assert_string_equal(p->log, "");
}

/* mbsync, KMail, imtest: everything by interaction */
static void
prompting_client_is_asked_for_names_only(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.asks = true;
	p = begin(state, good_helper);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	assert_int_equal(p->prompts[0].id, SASL_CB_AUTHNAME);
	assert_int_equal(p->prompts[1].id, SASL_CB_USER);
	assert_int_equal(p->prompts[2].id, SASL_CB_LIST_END);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_null(p->prompts);
	assert_out(p, XOAUTH2_OF("joe@example.org"));
	assert_int_equal(mail_program_step(p, NULL), SASL_OK);
	assert_int_equal(scripted_helper_connections(f->helper), 1);
	assert_asked(state,
	    "1\texists\tservice=imap\thost=mail.example\n"
	    "1\tget\tservice=imap\thost=mail.example\tuser=joe@example.org\t");
}

static const struct helper_rule shared[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, GOT_FOR("shared@example.org")},
    {0},
};

static void
prompting_client_without_initial_response_logs_in(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.asks = true;
	f->program.user = "shared@example.org";
	p = begin(state, shared);
	assert_int_equal(mail_program_start_bare(p, "XOAUTH2"), SASL_CONTINUE);
	assert_int_equal(mail_program_step(p, ""), SASL_INTERACT);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_step(p, ""), SASL_CONTINUE);
	assert_out(p, XOAUTH2_OF("shared@example.org"));
	assert_int_equal(mail_program_step(p, ""), SASL_OK);
}

static void
abandoned_and_unanswered_prompts_do_no_harm(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.asks = true;
	p = begin(state, good_helper);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	mail_program_connect(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	p->authname = NULL;
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_FAIL);
	assert_detail(p, "could not give the login name");
}

static void
client_that_cannot_be_asked_gets_an_error(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.asks = f->program.never_prompts = true;
	p = begin(state, good_helper);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_BADPARAM);
	assert_detail(p, "login name");
}

/* Whom the server is told is the helper's to say: it knows the account. */
static void
both_identities_reach_the_helper_which_says_whom_the_server_is_told(
    void **state)
{
	static const struct helper_rule rules[] = {
	    {"get", HELPER_REPLY, GOT_FOR("shared,box@example.org")},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.user = "box@example.org";
	p = begin(state, rules);
	assert_int_equal(mail_program_start(p, "OAUTHBEARER"), SASL_CONTINUE);
	assert_out(p, OAUTHBEARER_OF("shared=2Cbox@example.org"));
	mail_program_connect(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_out(p, XOAUTH2_OF("shared,box@example.org"));
	assert_asked(
	    state, "\tuser=joe@example.org\tauthzid=box@example.org\tmin_ttl");
}

static void
refused_token_is_reported_and_acknowledged_before_the_failure(void **state)
{
	static const char *const mechanisms[][2] = {
	    {"XOAUTH2", ""}, {"OAUTHBEARER", "\1"}};
	struct mail_program *p = begin(state, good_helper);

	for (size_t i = 0; i < 2; i++) {
		mail_program_connect(p);
		assert_int_equal(
		    mail_program_start(p, mechanisms[i][0]), SASL_CONTINUE);
		assert_int_equal(mail_program_step(p, REFUSAL), SASL_CONTINUE);
		assert_out(p, mechanisms[i][1]);
		assert_asked(state, "1\treject\taccount=work\tserial=7\n");
		assert_int_equal(mail_program_step(p, ""), SASL_BADAUTH);
		assert_detail(p, "account work");
		assert_detail(p, "mail.example");
		assert_detail(p, "status 401, scope mail.read");
		assert_detail(p, "the token helper will get a new one");
	}
}

/* -- the length of the AUTH line ------------------------------------------ */

static const char *
got_token(size_t len)
{
	static char reply[9000];
	size_t used = (size_t)snprintf(reply, sizeof(reply),
	    "1\tok\taccount=work\tuser=joe@example.org\t"
	    "serial=7\texpires_in=900\ttoken=");

	memset(reply + used, 't', len);
	memcpy(reply + used + len, "\n", 2);
	return reply;
}

static void
long_response_waits_for_the_go_ahead_where_lines_are_short(void **state)
{
	static const struct {
		const char *service;
		size_t token_len;
		bool held;
	} cases[] = {
	    {"smtp", 300, false},
	    {"smtp", 400, true},
	    {"lmtp", 400, true},
	    {"pop", 400, true},
	    {"SMTP", 8192, true},
	    {"imap", 8192, false},
	    {"sieve", 4000, false},
	};
	struct module_bench *f = *state;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(&f->program));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mail_program *p = &f->program;
		const struct helper_rule rules[] = {
		    {"exists", HELPER_REPLY, FOUND},
		    {"get", HELPER_REPLY, got_token(cases[i].token_len)},
		    {0},
		};

		f->helper = scripted_helper_start(f->socket, rules, NOBODY);
		p->service = cases[i].service;
		mail_program_connect(p);
		assert_int_equal(
		    mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
		if ((p->out == NULL) != cases[i].held)
			fail_msg("case %zu", i);
		if (cases[i].held) {
			assert_int_equal(p->out_len, 0);
			assert_int_equal(
			    mail_program_step(p, ""), SASL_CONTINUE);
		}
		assert_int_equal(p->out_len,
		    strlen("user=joe@example.org\1auth=Bearer \1\1") +
			cases[i].token_len);
		assert_int_equal(mail_program_step(p, ""), SASL_OK);
		scripted_helper_stop(&f->helper);
	}
}

/* The server has asked already: there is nothing to wait for. */
static void
long_response_to_a_challenge_is_sent_at_once(void **state)
{
	const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, got_token(4000)},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.service = "smtp";
	p = begin(state, rules);
	assert_int_equal(mail_program_start_bare(p, "XOAUTH2"), SASL_CONTINUE);
	assert_int_equal(mail_program_step(p, ""), SASL_CONTINUE);
	assert_true(p->out_len > 4000);
}

/* nmh wants SASL_OK with the first output; a refusal must work all the same */
static void
program_named_by_first_step_ok_is_told_ok(void **state)
{
	struct mail_program *p;

	write_settings("first_step_ok = send test_sasl_module\n");
	p = begin(state, good_helper);
	assert_int_equal(mail_program_start(p, "OAUTHBEARER"), SASL_OK);
	assert_out(p, OAUTHBEARER_OF("joe@example.org"));
	assert_int_equal(mail_program_step(p, REFUSAL), SASL_CONTINUE);
	assert_out(p, "\1");
	assert_int_equal(mail_program_step(p, ""), SASL_BADAUTH);
}

/* -- helpers -------------------------------------------------------------- */

static void
status_of_the_helper_becomes_a_code_and_a_text(void **state)
{
	static const struct {
		const char *reply;
		int code;
		const char *text;
	} cases[] = {
	    {"1\tlater\ttext=provider is busy\tretry_s=60\n", SASL_UNAVAIL,
		"provider is busy"},
	    {"1\tlogin\ttext=run: mailtoken login work\taccount=work\n",
		SASL_EXPIRED, "run: mailtoken login work"},
	    {"1\tadmin\ttext=consent is missing\taccount=work\n", SASL_NOAUTHZ,
		"consent is missing"},
	    {"1\tconfig\ttext=work.conf:3: x\n", SASL_CONFIGERR,
		"work.conf:3: x"},
	    {"1\tnone\ttext=not for you\n", SASL_NOMECH, "not for you"},
	    {"1\tbad\ttext=what\n", SASL_BADPARAM, "what"},
	    {"1\tnonsense\n", SASL_FAIL, "nonsense"},
	    {"1\tok\n", SASL_UNAVAIL, "lacks a field"},
	    {"9\tok\n", SASL_UNAVAIL, "not version 1"},
	    {"1\tok\taccount=work\tuser=j\texpires_in=99\ttoken=SECRET with "
	     "spaces\n",
		SASL_BADPARAM, "no bearer token"},
	    {"1\tok\taccount=work\tuser=j\texpires_in=99\ttoken=SECRET\1user="
	     "root\n",
		SASL_BADPARAM, "no bearer token"},
	};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct helper_rule rules[] = {
		    {"exists", HELPER_REPLY, FOUND},
		    {"get", HELPER_REPLY, cases[i].reply},
		    {0},
		};
		int code;

		f->helper = scripted_helper_start(f->socket, rules, NOBODY);
		mail_program_connect(p);
		p->log[0] = '\0';
		code = mail_program_start(p, "XOAUTH2");
		if (code != cases[i].code)
			fail_msg("case %zu: %d", i, code);
		assert_detail(p, cases[i].text);
		/* once, at the level that Postfix prints */
		assert_int_equal(strncmp(p->log, "2 mailtoken: ", 13), 0);
		assert_null(strchr(strchr(p->log, '\n') + 1, '\n'));
		scripted_helper_stop(&f->helper);
	}
}

static void
token_of_more_than_8_kib_is_refused(void **state)
{
	const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, got_token(8193)},
	    {0},
	};
	struct mail_program *p = begin(state, rules);

	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_BADPARAM);
	assert_detail(p, "longer than 8192 bytes");
}

static const struct helper_rule without_accounts[] = {
    {"get", HELPER_REPLY, "1\tnone\ttext=not configured\n"},
    {"exists", HELPER_REPLY, "1\tnone\ttext=not configured\n"},
    {0},
};

static void
without_account_the_mechanism_is_not_available(void **state)
{
	struct mail_program *p = begin(state, without_accounts);

	/* already from mech_new: mbsync goes on to LOGIN only then */
	assert_int_equal(mail_program_start_bare(p, "XOAUTH2"), SASL_NOMECH);
	assert_detail(p, "no account for imap at mail.example as "
			 "joe@example.org: not configured");
	assert_detail(p, "exclude XOAUTH2 and OAUTHBEARER");
}

static void
long_names_leave_room_for_the_reason(void **state)
{
	struct module_bench *f = *state;
	char name[1001], host[201];
	struct mail_program *p;

	memset(name, 'j', sizeof(name));
	memset(host, 'h', sizeof(host));
	name[sizeof(name) - 1] = host[sizeof(host) - 1] = '\0';
	f->program.authname = name;
	f->program.host = host;
	p = begin(state, without_accounts);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_NOMECH);
	assert_detail(p, "not configured; to use a password, exclude XOAUTH2");
}

static void
long_names_leave_room_for_the_servers_reason(void **state)
{
	struct module_bench *f = *state;
	char name[1001], host[201], reply[2000];
	const struct helper_rule rules[] = {{"get", HELPER_REPLY, reply}, {0}};
	struct mail_program *p;

	memset(name, 'j', sizeof(name));
	memset(host, 'h', sizeof(host));
	name[sizeof(name) - 1] = host[sizeof(host) - 1] = '\0';
	snprintf(reply, sizeof(reply),
	    "1\tok\taccount=work\tuser=%s\tserial=7\texpires_in=900"
	    "\ttoken=" TOKEN "\n",
	    name);
	f->program.host = host;
	p = begin(state, rules);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_int_equal(mail_program_step(p, REFUSAL), SASL_CONTINUE);
	assert_int_equal(mail_program_step(p, ""), SASL_BADAUTH);
	assert_detail(p, "status 401, scope mail.read");
	assert_detail(p, "check the account's user and scope");
}

static void
helper_that_restarts_during_the_exchange_is_found_again(void **state)
{
	static const struct helper_rule in_the_middle_of_the_token[] = {
	    {"get", HELPER_CLOSE, "1\tok\taccount=work\ttok"},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	static const struct helper_rule before_the_wait[] = {
	    {"get", HELPER_CLOSE, "1\tlater\ttext=t\taccount=work\n"},
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	static const struct helper_rule in_the_middle_of_the_wait[] = {
	    {"get", HELPER_REPLY, "1\tlater\ttext=t\taccount=work\n"},
	    {"get", HELPER_CLOSE, "1\tok\tacc"},
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	const struct helper_rule *const all[] = {in_the_middle_of_the_token,
	    before_the_wait, in_the_middle_of_the_wait};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		f->helper = scripted_helper_start(f->socket, all[i], NOBODY);
		mail_program_connect(p);
		if (mail_program_start(p, "XOAUTH2") != SASL_CONTINUE)
			fail_msg("case %zu: %s", i, sasl_errdetail(p->conn));
		assert_out(p, XOAUTH2_OF("joe@example.org"));
		assert_int_equal(scripted_helper_connections(f->helper), 2);
		scripted_helper_stop(&f->helper);
	}
}

/* A token that is fetched anew is worth a wait; one that ends is not. */
static void
token_that_is_about_to_end_is_asked_for_again(void **state)
{
	static const struct helper_rule rules[] = {
	    {"get", HELPER_REPLY,
		"1\tok\taccount=work\tuser=old\texpires_in=59\ttoken=old\n"},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p = begin(state, rules);

	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_out(p, XOAUTH2_OF("joe@example.org"));
	assert_int_equal(scripted_helper_connections(f->helper), 1);
}

static void
helper_that_always_ends_in_the_middle_is_down(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_CLOSE, "1\tok\taccount=work\ttok"},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p = begin(state, rules);

	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_UNAVAIL);
	assert_int_equal(scripted_helper_connections(f->helper), 2);
}

static void
account_of_another_helper_is_found_once_the_name_is_known(void **state)
{
	static const struct helper_rule for_others[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"exists", HELPER_REPLY, "1\tnone\ttext=not for joe\n"},
	    {"get", HELPER_REPLY, "1\tnone\ttext=not for joe\n"},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p;
	struct scripted_helper *own;
	char path[80];

	snprintf(path, sizeof(path), "%s/own", f->dir);
	own = scripted_helper_start(path, for_others, NOBODY);
	f->program.asks = true;
	f->program.mailtoken_socket = path;
	p = begin(state, good_helper);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	assert_int_equal(scripted_helper_connections(f->helper), 0);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_int_equal(scripted_helper_connections(f->helper), 1);
	scripted_helper_stop(&own);
}

static void
several_accounts_fit_as_long_as_nobody_knows_who_logs_in(void **state)
{
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, "1\tconfig\ttext=several accounts\n"},
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.asks = true;
	p = begin(state, rules);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
}

static void
helper_of_a_stranger_gets_no_question(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;
	char *log;

	if (geteuid() != 0)
		skip();
	p = begin(state, NULL);
	f->helper = scripted_helper_start(f->socket, good_helper, 65534);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONFIGERR);
	assert_detail(p, "uid 65534");
	log = scripted_helper_log(f->helper);
	assert_string_equal(log, "");
	free(log);
}

static void
helper_of_the_trusted_uid_is_asked(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	if (geteuid() != 0)
		skip();
	write_settings("trusted_uid = 65534\n");
	p = begin(state, NULL);
	f->helper = scripted_helper_start(f->socket, good_helper, 65534);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
}

/* A mail session may live for hours after its login. */
static void
verdict_ends_the_connection_to_the_helper(void **state)
{
	static const char *const verdicts[] = {"", REFUSAL};
	struct module_bench *f = *state;
	struct mail_program *p = begin(state, good_helper);

	for (size_t i = 0; i < 2; i++) {
		mail_program_connect(p);
		mail_program_start(p, "XOAUTH2");
		assert_int_equal(module_bench_descriptors(),
		    f->descriptors + 5); /* 3 of the helper, 2 ends of one */
		mail_program_step(p, verdicts[i]);
		while (scripted_helper_open(f->helper))
			usleep(1000);
		assert_int_equal(
		    module_bench_descriptors(), f->descriptors + 3);
	}
}

/* -- passwords ------------------------------------------------------------ */

#define NONE "1\tnone\ttext=not for joe\n"
#define SEVERAL "1\tconfig\ttext=several accounts\n"
#define PASSED_ON "SECRET-of-the-mail-program.0123456789-0123456789"

static const struct helper_rule not_for_joe[] = {
    {"get", HELPER_REPLY, NONE},
    {"exists", HELPER_REPLY, FOUND},
    {0},
};
static const struct helper_rule work_by_name[] = {
    {"get", HELPER_REPLY, NONE},
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, GOT},
    {0},
};
static const struct helper_rule for_nobody[] = {
    {"get", HELPER_REPLY, NONE},
    {"exists", HELPER_REPLY, NONE},
    {0},
};

/* Postfix: everything by procedures */
static void
password_of_a_procedure_chooses_an_account(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.never_prompts = true;
	f->program.password = "@work";
	p = begin(state, work_by_name);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_out(p, XOAUTH2_OF("joe@example.org"));
	assert_int_equal(p->password_asked, 1);
	assert_asked(
	    state, "1\tget\taccount=work\tservice=imap\thost=mail.example\t");
}

/* imtest, KMail: everything by prompts; the password in a turn of its own */
static void
password_of_a_prompt_chooses_an_account(void **state)
{
	static const struct helper_rule several[] = {
	    {"exists", HELPER_REPLY, SEVERAL},
	    {"get", HELPER_REPLY, SEVERAL},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	static const struct helper_rule of_another[] = {
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, NONE},
	    {"exists", HELPER_REPLY, NONE},
	    {"exists", HELPER_REPLY, FOUND},
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	const struct helper_rule *const all[] = {several, of_another};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	p->asks = true;
	p->password = "@work";
	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < 2; i++) {
		f->helper = scripted_helper_start(f->socket, all[i], NOBODY);
		mail_program_connect(p);
		assert_int_equal(
		    mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
		mail_program_answer_prompts(p);
		assert_int_equal(
		    mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
		assert_int_equal(p->prompts[0].id, SASL_CB_PASS);
		assert_int_equal(p->prompts[1].id, SASL_CB_LIST_END);
		mail_program_answer_prompts(p);
		if (mail_program_start(p, "XOAUTH2") != SASL_CONTINUE)
			fail_msg("case %zu: %s", i, sasl_errdetail(p->conn));
		assert_out(p, XOAUTH2_OF("joe@example.org"));
		assert_asked(state,
		    "1\tget\taccount=work\tservice=imap\thost=mail.example\t"
		    "user=joe@example.org\t");
		scripted_helper_stop(&f->helper);
	}
	assert_int_equal(p->password_asked, 2);
}

static int
give_joe(void *context, int id, const char **ret_name, unsigned *ret_len)
{
	(void)context;
	(void)id;
	*ret_name = "joe@example.org";
	if (ret_len)
		*ret_len = (unsigned)strlen(*ret_name);
	return SASL_OK;
}

/* A procedure for the login name, prompts for the rest: each may tell. */
static void
person_is_asked_before_the_login_name_is_given_up(void **state)
{
	static const sasl_callback_t callbacks[] = {
	    {SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))give_joe, NULL},
	    {SASL_CB_USER, NULL, NULL},
	    {SASL_CB_PASS, NULL, NULL},
	    {SASL_CB_LIST_END, NULL, NULL},
	};
	static const struct helper_rule rules[] = {
	    {"exists", HELPER_REPLY, NONE},  /* for joe */
	    {"exists", HELPER_REPLY, FOUND}, /* for anybody */
	    {"get", HELPER_REPLY, NONE},     /* as box */
	    {"exists", HELPER_REPLY, NONE},
	    {"exists", HELPER_REPLY, FOUND}, /* by name */
	    {"get", HELPER_REPLY, GOT},
	    {0},
	};
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.instead = callbacks;
	f->program.user = "box@example.org";
	f->program.password = "@work";
	p = begin(state, rules);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	assert_int_equal(p->prompts[0].id, SASL_CB_USER);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_INTERACT);
	assert_int_equal(p->prompts[0].id, SASL_CB_PASS);
	mail_program_answer_prompts(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
	assert_out(p, XOAUTH2_OF("joe@example.org"));
	assert_asked(
	    state, "\tuser=joe@example.org\tauthzid=box@example.org\tmin_ttl");
	assert_asked(state, "1\tget\taccount=work\tservice=imap\t");
}

static void
password_is_not_asked_for_when_the_login_name_tells_or_nothing_does(
    void **state)
{
	const struct helper_rule *const all[] = {good_helper, for_nobody};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	p->password = "SECRET of joe";
	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < 2; i++) {
		f->helper = scripted_helper_start(f->socket, all[i], NOBODY);
		mail_program_connect(p);
		assert_int_equal(mail_program_start(p, "XOAUTH2"),
		    i ? SASL_NOMECH : SASL_CONTINUE);
		assert_int_equal(p->password_asked, 0);
		scripted_helper_stop(&f->helper);
	}
}

static void
password_that_is_none_of_ours_is_asked_for_once_and_goes_nowhere(void **state)
{
	static const char *const passwords[] = {
	    "SECRET of joe", PASSED_ON, "", "@", "@SECRET of joe", "@-SECRET"};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;
	char *log;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < sizeof(passwords) / sizeof(*passwords); i++) {
		f->helper =
		    scripted_helper_start(f->socket, not_for_joe, NOBODY);
		p->password = passwords[i];
		p->password_asked = 0;
		mail_program_connect(p);
		assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_NOMECH);
		assert_detail(p, "as joe@example.org: not for joe");
		assert_int_equal(p->password_asked, 1);
		log = scripted_helper_log(f->helper);
		assert_null(strstr(log, "SECRET"));
		free(log);
		scripted_helper_stop(&f->helper);
	}
}

/* Programs log the text, and it may be somebody's password all the same. */
static void
password_that_looks_like_the_name_of_an_account_is_in_no_error(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p;

	f->program.password = "@SECRET";
	p = begin(state, not_for_joe);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_NOMECH);
	assert_detail(p,
	    "no account for imap at mail.example as joe@example.org and the "
	    "name in the password: not for joe");
	assert_null(strstr(p->log, "SECRET"));
}

static void
token_of_the_program_is_passed_through_if_the_settings_say_so(void **state)
{
	const struct helper_rule *const all[] = {not_for_joe, for_nobody, NULL};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	write_settings("pass_through = kmail test_sasl_module\n");
	assert_true(mail_program_init(p));
	p->password = PASSED_ON;
	for (size_t i = 0; i < 6; i++) {
		if (all[i / 2])
			f->helper = scripted_helper_start(
			    f->socket, all[i / 2], NOBODY);
		p->asks = i % 2;
		p->user = p->asks ? "" : NULL;
		p->password_asked = 0;
		mail_program_connect(p);
		while (mail_program_start(p, "XOAUTH2") == SASL_INTERACT)
			mail_program_answer_prompts(p);
		assert_out(
		    p, "user=joe@example.org\1auth=Bearer " PASSED_ON "\1\1");
		assert_int_equal(p->password_asked, 1);
		assert_int_equal(mail_program_step(p, REFUSAL), SASL_CONTINUE);
		assert_int_equal(mail_program_step(p, ""), SASL_BADAUTH);
		assert_detail(p, "it came from the mail program");
		scripted_helper_stop(&f->helper);
	}
}

/* By procedures and by prompts. */
static void
token_of_the_program_is_kept_where_several_accounts_fit(void **state)
{
	static const struct helper_rule several[] = {
	    {"get", HELPER_REPLY, SEVERAL},
	    {0},
	};
	static const struct helper_rule several_for_nobody[] = {
	    {"exists", HELPER_REPLY, SEVERAL},
	    {"get", HELPER_REPLY, SEVERAL},
	    {0},
	};
	const struct helper_rule *const all[] = {several, several_for_nobody};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;
	int code;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	write_settings("pass_through = test_sasl_module\n");
	assert_true(mail_program_init(p));
	p->password = PASSED_ON;
	for (size_t i = 0; i < 2; i++) {
		f->helper = scripted_helper_start(f->socket, all[i], NOBODY);
		p->asks = i;
		p->user = p->asks ? "" : NULL;
		mail_program_connect(p);
		while (
		    (code = mail_program_start(p, "XOAUTH2")) == SASL_INTERACT)
			mail_program_answer_prompts(p);
		assert_int_equal(code, SASL_CONFIGERR);
		assert_detail(p, "several accounts");
		scripted_helper_stop(&f->helper);
	}
}

static void
password_that_is_no_token_is_not_passed_through(void **state)
{
	static const struct {
		const struct helper_rule *rules;
		const char *password;
		int code;
	} cases[] = {
	    {not_for_joe, "SECRET", SASL_NOMECH},
	    {not_for_joe, "SECRET that is long, has spaces, and is no token",
		SASL_NOMECH},
	    {for_nobody, "SECRET", SASL_NOMECH},
	    {NULL, "SECRET", SASL_UNAVAIL},
	};
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	write_settings("pass_through = test_sasl_module\n");
	assert_true(mail_program_init(p));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (cases[i].rules)
			f->helper = scripted_helper_start(
			    f->socket, cases[i].rules, NOBODY);
		p->password = cases[i].password;
		mail_program_connect(p);
		if (mail_program_start(p, "XOAUTH2") != cases[i].code)
			fail_msg("case %zu: %s", i, sasl_errdetail(p->conn));
		scripted_helper_stop(&f->helper);
	}
}

/* -- what is refused without asking --------------------------------------- */

static void
services_other_than_mail_are_refused_without_a_question(void **state)
{
	static const struct {
		const char *service;
		int code;
	} cases[] = {
	    {"imap", SASL_CONTINUE},
	    {"sieve", SASL_CONTINUE},
	    {"nntp", SASL_CONTINUE}, /* by the settings */
	    {"ldap", SASL_NOMECH},
	    {"http", SASL_NOMECH},
	    {"imap2", SASL_NOMECH},
	};
	struct module_bench *f = *state;
	struct mail_program *p;
	size_t asked = 0;

	write_settings("services = nntp\n");
	p = begin(state, good_helper);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		p->service = cases[i].service;
		mail_program_connect(p);
		assert_int_equal(
		    mail_program_start(p, "XOAUTH2"), cases[i].code);
		asked += cases[i].code == SASL_CONTINUE;
		assert_int_equal(scripted_helper_connections(f->helper), asked);
	}
	assert_detail(p, "'imap2'");
}

static void
security_layer_is_not_pretended(void **state)
{
	struct mail_program *p = begin(state, good_helper);
	sasl_security_properties_t demand = {
	    .min_ssf = 1, .max_ssf = 256, .maxbufsize = 4096};
	sasl_ssf_t tls = 128;

	sasl_setprop(p->conn, SASL_SEC_PROPS, &demand);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_TOOWEAK);
	assert_detail(p, "no security layer");
	mail_program_connect(p);
	sasl_setprop(p->conn, SASL_SEC_PROPS, &demand);
	sasl_setprop(p->conn, SASL_SSF_EXTERNAL, &tls);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
}

static void
server_without_a_name_is_left_to_passwords(void **state)
{
	struct module_bench *f = *state;

	f->program.host = NULL;
	begin(state, good_helper);
	assert_string_equal(
	    mail_program_pick(&f->program, "XOAUTH2 OAUTHBEARER"), "");
}

/* -- whether there are mechanisms at all ---------------------------------- */

static bool
offered(struct module_bench *f)
{
	bool yes;

	assert_true(mail_program_init(&f->program));
	yes = *mail_program_pick(&f->program, "XOAUTH2 OAUTHBEARER");
	mail_program_done(&f->program);
	return yes;
}

/* Keeps the right to read, for the module may lie where others cannot go. */
static bool
become(uid_t uid)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.effective = 1U << CAP_DAC_READ_SEARCH,
		.permitted = 1U << CAP_DAC_READ_SEARCH}};

	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgid(65534) == 0 &&
	       setuid(uid) == 0 && syscall(SYS_capset, &head, data) == 0;
}

/* In a child with another uid, which libsasl2 must be initialised in anew. */
static bool
offered_to(struct module_bench *f, uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (!become(uid))
			_exit(2);
		status = offered(f);
		if (mail_program_syslog_lines() ||
		    strstr(f->program.log, "mailtoken"))
			_exit(3); /* to change nothing includes the log */
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status);
}

static void
users_are_offered_what_their_sockets_allow(void **state)
{
	struct module_bench *f = *state;
	char settings[128];

	if (geteuid() != 0)
		skip();
	assert_false(offered_to(f, 65534)); /* no socket anywhere */
	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_false(offered_to(f, 65534)); /* named, but not there */
	f->helper = scripted_helper_start(f->socket, good_helper, NOBODY);
	chmod(f->dir, 0711);
	chmod(f->socket, 0600);
	assert_false(offered_to(f, 65534));
	chmod(f->socket, 0666);
	assert_true(offered_to(f, 65534));
	unsetenv("MAILTOKEN_SOCKET");
	assert_false(offered_to(f, 65534));
	snprintf(settings, sizeof(settings), "socket = %s\n", f->socket);
	write_settings(settings);
	assert_true(offered_to(f, 65534));
	chmod(f->socket, 0600);
	assert_false(offered_to(f, 65534));
}

static void
root_is_offered_only_what_is_asked_for(void **state)
{
	struct module_bench *f = *state;
	char settings[128];

	if (geteuid() != 0)
		skip();
	f->helper = scripted_helper_start(f->socket, good_helper, NOBODY);
	snprintf(settings, sizeof(settings), "socket = %s\n", f->socket);
	write_settings(settings);
	assert_false(offered(f));
	write_settings("offer = smtp\n");
	assert_false(offered(f));
	write_settings("offer = smtp test_sasl_module\n");
	assert_true(offered(f));
	write_settings("");
	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(offered(f));
	setenv("MAILTOKEN_SOCKET", "", 1);
	assert_false(offered(f));
}

static void
program_with_a_socket_of_its_own_is_always_offered(void **state)
{
	struct module_bench *f = *state;
	struct mail_program *p = &f->program;

	p->mailtoken_socket = f->socket;
	assert_true(mail_program_init(p));
	mail_program_connect(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_UNAVAIL);
	f->helper = scripted_helper_start(f->socket, good_helper, NOBODY);
	mail_program_connect(p);
	assert_int_equal(mail_program_start(p, "XOAUTH2"), SASL_CONTINUE);
}

static void
broken_settings_offer_nothing_and_are_named_once(void **state)
{
	struct module_bench *f = *state;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	f->helper = scripted_helper_start(f->socket, good_helper, NOBODY);
	write_settings("sockets = /nowhere\n");
	mail_program_syslog_lines();
	assert_true(mail_program_init(&f->program));
	assert_int_equal(mail_program_syslog_lines(), 1);
	assert_string_equal(
	    mail_program_pick(&f->program, "XOAUTH2 OAUTHBEARER"), "");
	assert_int_equal(mail_program_syslog_lines(), 0);
	assert_int_equal(scripted_helper_connections(f->helper), 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(imap_client_with_initial_response_logs_in),
	    CASE(prompting_client_is_asked_for_names_only),
	    CASE(prompting_client_without_initial_response_logs_in),
	    CASE(abandoned_and_unanswered_prompts_do_no_harm),
	    CASE(client_that_cannot_be_asked_gets_an_error),
	    CASE(
		both_identities_reach_the_helper_which_says_whom_the_server_is_told),
	    CASE(refused_token_is_reported_and_acknowledged_before_the_failure),
	    CASE(long_response_waits_for_the_go_ahead_where_lines_are_short),
	    CASE(long_response_to_a_challenge_is_sent_at_once),
	    CASE(program_named_by_first_step_ok_is_told_ok),
	    CASE(status_of_the_helper_becomes_a_code_and_a_text),
	    CASE(token_of_more_than_8_kib_is_refused),
	    CASE(without_account_the_mechanism_is_not_available),
	    CASE(long_names_leave_room_for_the_reason),
	    CASE(long_names_leave_room_for_the_servers_reason),
	    CASE(helper_that_restarts_during_the_exchange_is_found_again),
	    CASE(token_that_is_about_to_end_is_asked_for_again),
	    CASE(helper_that_always_ends_in_the_middle_is_down),
	    CASE(account_of_another_helper_is_found_once_the_name_is_known),
	    CASE(several_accounts_fit_as_long_as_nobody_knows_who_logs_in),
	    CASE(helper_of_a_stranger_gets_no_question),
	    CASE(helper_of_the_trusted_uid_is_asked),
	    CASE(verdict_ends_the_connection_to_the_helper),
	    CASE(password_of_a_procedure_chooses_an_account),
	    CASE(password_of_a_prompt_chooses_an_account),
	    CASE(person_is_asked_before_the_login_name_is_given_up),
	    CASE(
		password_is_not_asked_for_when_the_login_name_tells_or_nothing_does),
	    CASE(
		password_that_is_none_of_ours_is_asked_for_once_and_goes_nowhere),
	    CASE(
		password_that_looks_like_the_name_of_an_account_is_in_no_error),
	    CASE(token_of_the_program_is_passed_through_if_the_settings_say_so),
	    CASE(token_of_the_program_is_kept_where_several_accounts_fit),
	    CASE(password_that_is_no_token_is_not_passed_through),
	    CASE(services_other_than_mail_are_refused_without_a_question),
	    CASE(security_layer_is_not_pretended),
	    CASE(server_without_a_name_is_left_to_passwords),
	    CASE(users_are_offered_what_their_sockets_allow),
	    CASE(root_is_offered_only_what_is_asked_for),
	    CASE(program_with_a_socket_of_its_own_is_always_offered),
	    CASE(broken_settings_offer_nothing_and_are_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
