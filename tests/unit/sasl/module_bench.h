/* SPDX-License-Identifier: ISC */
/*
 * What the tests of the module share: a place with a settings file and a
 * scripted helper's socket, and a look at what an exchange leaves behind in the
 * process.
 */
#ifndef MT_TESTS_MODULE_BENCH_H
#define MT_TESTS_MODULE_BENCH_H

#include "mail_program.h"
#include "unit/tokensock/scripted_helper.h"

#include <stdbool.h>
#include <stddef.h>

#define NOBODY ((uid_t)-1)

/* A token that no log may hold: all begin so. */
#define TOKEN "SECRET-0123456789.abcdef"
#define FOUND "1\tok\taccount=work\n"
#define GOT_FOR(user)                                                          \
	"1\tok\taccount=work\tuser=" user "\tserial=7\texpires_in=900"         \
	"\ttoken=" TOKEN "\n"
#define GOT GOT_FOR("joe@example.org")
#define XOAUTH2_OF(user) "user=" user "\1auth=Bearer " TOKEN "\1\1"
#define OAUTHBEARER_OF(user)                                                   \
	"n,a=" user ",\1host=mail.example\1auth=Bearer " TOKEN "\1\1"
#define REFUSAL                                                                \
	"{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail.read\"}"

/* Rules of a helper with one account that serves everybody. */
extern const struct helper_rule good_helper[];

struct module_bench {
	char dir[32];
	char socket[64];
	const char *settings;           /* path of the module's settings */
	struct scripted_helper *helper; /* NULL: none runs */
	struct mail_program program;
	size_t descriptors, threads; /* before the test */
};

/* The bench of one test: cmocka's set-up and tear-down call these.  The module
 * lies in `module_dir` and reads `settings`. */
struct module_bench *module_bench_new(
    const char *module_dir, const char *settings);

/* Sees to it that no descriptor, thread, mapping of the module or line in syslog
 * is left, and that the log holds no token. */
void module_bench_free(struct module_bench **bench);

/* Replaces the settings of the module. */
void module_bench_write_settings(const char *path, const char *text);

/* Initialises libsasl2 with a helper (NULL: none runs) that the environment
 * names, and connects. */
struct mail_program *module_bench_begin(
    struct module_bench *bench, const struct helper_rule *rules);

/* Replaces the helper (NULL: none runs) by one with the effective uid `uid`
 * (NOBODY: the test's). */
void module_bench_replace_helper(
    struct module_bench *bench, const struct helper_rule *rules, uid_t uid);

/* Descriptors and threads of this process. */
size_t module_bench_descriptors(void);
size_t module_bench_threads(void);

/* Whether a file of this name is mapped into this process. */
bool module_bench_is_mapped(const char *name);

#endif
