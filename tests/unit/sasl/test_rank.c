/* SPDX-License-Identifier: ISC */
/*
 * Which mechanism libsasl2 picks, with Debian's modules beside ours, in every
 * order in which they can have been put into the directory: between equals
 * libsasl2 takes what readdir(3) brings last.
 */
#include "mail_program.h"

#include "unit/cmocka_headers.h"
#include "unit/tokensock/scripted_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULES 4

static const char *const modules[MODULES] = {
    MT_TEST_MODULE_DIR "/libmailtoken.so",
    MT_SASL_SYSTEM_DIR "/libplain.so",
    MT_SASL_SYSTEM_DIR "/liblogin.so",
    MT_SASL_SYSTEM_DIR "/libscram.so",
};

#define FOUND "1\tok\taccount=work\n"
#define GOT "1\tok\taccount=work\tuser=joe\tserial=1\texpires_in=900\ttoken=t\n"

static const struct helper_rule rules[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, GOT},
    {0},
};

struct fixture {
	char dir[32];
	char socket[64];
	struct scripted_helper *helper;
	struct mail_program program;
};

static void
copy(const char *from, const char *to)
{
	char chunk[65536];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	if (!in || !out)
		fail_msg("cannot copy %s to %s", from, to);
	while ((n = fread(chunk, 1, sizeof(chunk), in)))
		assert_int_equal(fwrite(chunk, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static void
module_path(char path[64], const struct fixture *f, size_t position)
{
	snprintf(path, 64, "%s/lib%zu.so", f->dir, position);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memcpy(f->dir, "/tmp/mt-rank-XXXXXX", sizeof("/tmp/mt-rank-XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof(f->socket), "%s/socket", f->dir);
	f->helper = scripted_helper_start(f->socket, rules, (uid_t)-1);
	f->program = (struct mail_program){
	    .module_dir = f->dir,
	    .service = "imap",
	    .host = "mail.example",
	    .authname = "joe",
	    .password = "secret",
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	unsetenv("MAILTOKEN_SOCKET");
	scripted_helper_stop(&f->helper);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* The n-th order of the modules: names and creation follow it. */
static void
put_modules(const struct fixture *f, size_t n)
{
	size_t left[MODULES] = {0, 1, 2, 3};
	char path[64];

	for (size_t i = 0; i < MODULES; i++) {
		size_t count = MODULES - i, pick = n % count;

		n /= count;
		module_path(path, f, i);
		copy(modules[left[pick]], path);
		memmove(left + pick, left + pick + 1,
		    (count - pick - 1) * sizeof(*left));
	}
}

static void
remove_modules(const struct fixture *f)
{
	char path[64];

	for (size_t i = 0; i < MODULES; i++) {
		module_path(path, f, i);
		unlink(path);
	}
}

static const struct {
	const char *offered, *with_us, *without_us;
} choices[] = {
    {"PLAIN LOGIN XOAUTH2 OAUTHBEARER", "OAUTHBEARER", NULL},
    {"PLAIN LOGIN XOAUTH2", "XOAUTH2", NULL},
    {"XOAUTH2 OAUTHBEARER", "OAUTHBEARER", ""},
    {"PLAIN LOGIN XOAUTH2 OAUTHBEARER SCRAM-SHA-1", "SCRAM-SHA-1",
	"SCRAM-SHA-1"},
    {"SCRAM-SHA-256 XOAUTH2", "SCRAM-SHA-256", "SCRAM-SHA-256"},
};

#define CHOICES (sizeof(choices) / sizeof(*choices))

static void
tokens_rank_above_passwords_in_clear_and_below_scram(void **state)
{
	struct fixture *f = *state;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	for (size_t order = 0; order < 24; order++) {
		put_modules(f, order);
		assert_true(mail_program_init(&f->program));
		for (size_t i = 0; i < CHOICES; i++) {
			const char *picked =
			    mail_program_pick(&f->program, choices[i].offered);
			if (strcmp(picked, choices[i].with_us) != 0)
				fail_msg("order %zu, %s: %s", order,
				    choices[i].offered, picked);
		}
		mail_program_done(&f->program);
		remove_modules(f);
	}
}

/* The machine has the module, the process has no use for it. */
static void
without_use_for_us_the_choice_is_as_without_the_module(void **state)
{
	struct fixture *f = *state;

	mail_program_syslog_lines();
	for (size_t order = 0; order < 24; order++) {
		put_modules(f, order);
		assert_true(mail_program_init(&f->program));
		for (size_t i = 0; i < CHOICES; i++) {
			const char *picked =
			    mail_program_pick(&f->program, choices[i].offered);
			const char *expected = choices[i].without_us;
			if (expected ? strcmp(picked, expected) != 0
				     : strcmp(picked, "PLAIN") != 0 &&
					   strcmp(picked, "LOGIN") != 0)
				fail_msg("order %zu, %s: %s", order,
				    choices[i].offered, picked);
		}
		mail_program_done(&f->program);
		remove_modules(f);
	}
	assert_int_equal(mail_program_syslog_lines(), 0);
	assert_null(strstr(f->program.log, "mailtoken"));
	assert_int_equal(scripted_helper_connections(f->helper), 0);
}

/* No PASS callback: programs that know about tokens may have none. */
static void
program_without_a_password_may_use_tokens(void **state)
{
	struct fixture *f = *state;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	put_modules(f, 0);
	f->program.password = NULL;
	assert_true(mail_program_init(&f->program));
	assert_string_equal(
	    mail_program_pick(&f->program, "PLAIN SCRAM-SHA-1 XOAUTH2"),
	    "XOAUTH2");
	mail_program_done(&f->program);
	remove_modules(f);
}

/* They remain for a program that names them, or a server that has nothing
 * else; but not for one that excludes anonymous logins, as Postfix does. */
static void
settings_rank_tokens_below_passwords(void **state)
{
	static const struct {
		const char *offered, *one, *other;
	} cases[] = {
	    {"PLAIN XOAUTH2 OAUTHBEARER", "PLAIN", "PLAIN"},
	    {"LOGIN XOAUTH2", "LOGIN", "LOGIN"},
	    {"PLAIN LOGIN XOAUTH2 OAUTHBEARER", "PLAIN", "LOGIN"},
	    {"XOAUTH2 OAUTHBEARER", "OAUTHBEARER", "OAUTHBEARER"},
	    {"XOAUTH2", "XOAUTH2", "XOAUTH2"},
	};
	struct fixture *f = *state;
	FILE *settings = fopen(MT_TEST_SETTINGS, "w");

	assert_non_null(settings);
	fputs("rank = below-passwords\n", settings);
	fclose(settings);
	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	for (size_t order = 0; order < 24; order++) {
		put_modules(f, order);
		assert_true(mail_program_init(&f->program));
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			const char *picked =
			    mail_program_pick(&f->program, cases[i].offered);
			if (strcmp(picked, cases[i].one) != 0 &&
			    strcmp(picked, cases[i].other) != 0)
				fail_msg("order %zu, %s: %s", order,
				    cases[i].offered, picked);
		}
		mail_program_done(&f->program);
		remove_modules(f);
	}
	unlink(MT_TEST_SETTINGS);
}

/* Whose XOAUTH2 it is, with the two modules in the order given. */
static bool
ours_is_picked(struct fixture *f, const char *first, const char *second)
{
	char paths[2][64];
	bool ours;

	module_path(paths[0], f, 0);
	module_path(paths[1], f, 1);
	copy(first, paths[0]);
	copy(second, paths[1]);
	assert_true(mail_program_init(&f->program));
	mail_program_connect(&f->program);
	assert_int_equal(
	    mail_program_start(&f->program, "XOAUTH2"), SASL_CONTINUE);
	ours = f->program.out_len != strlen("rival");
	mail_program_done(&f->program);
	unlink(paths[0]);
	unlink(paths[1]);
	return ours;
}

/* What is honest loses; against what claims more nothing honest wins. */
static void
rival_wins_only_if_it_claims_more_than_it_gives(void **state)
{
	struct fixture *f = *state;

	setenv("MAILTOKEN_SOCKET", f->socket, 1);
	assert_true(ours_is_picked(f, modules[0], MT_TEST_HONEST_RIVAL));
	assert_true(ours_is_picked(f, MT_TEST_HONEST_RIVAL, modules[0]));
	assert_false(ours_is_picked(f, modules[0], MT_TEST_CLAIMING_RIVAL));
	assert_false(ours_is_picked(f, MT_TEST_CLAIMING_RIVAL, modules[0]));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(tokens_rank_above_passwords_in_clear_and_below_scram),
	    CASE(without_use_for_us_the_choice_is_as_without_the_module),
	    CASE(program_without_a_password_may_use_tokens),
	    CASE(settings_rank_tokens_below_passwords),
	    CASE(rival_wins_only_if_it_claims_more_than_it_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
