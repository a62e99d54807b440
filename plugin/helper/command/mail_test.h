/* SPDX-License-Identifier: ISC */
/*
 * A test of an account's mail servers, each by a login with its token: what it
 * is told by options, and what comes of it.  The token goes to the hosts of the
 * account and no other.  For cmd_test.c and the doctor.
 */
#ifndef MT_COMMAND_MAIL_TEST_H
#define MT_COMMAND_MAIL_TEST_H

#include "command.h"

#include "base/buf.h"

#include <getopt.h>
#include <stdbool.h>

#define MAIL_TEST_HOST_MAX 256
#define MAIL_TEST_TEXT_MAX 4096

enum mail_test_server { MAIL_TEST_IMAP, MAIL_TEST_SMTP, MAIL_TEST_SERVERS };

struct mail_server {
	const char *service;
	char host[MAIL_TEST_HOST_MAX]; /* "": not set */
	long port;
	bool starttls;
};

struct mail_test {
	struct invocation *in;
	struct mail_server servers[MAIL_TEST_SERVERS];
	char provider[TOKEN_ACCOUNT_MAX];
	bool app_only;
	const char *ca_file;
	long timeout_s; /* for each server */
};

/* The options that say where the servers are, for a table of getopt_long(3). */
/* clang-format off */
#define MAIL_TEST_OPTIONS                                                      \
	{"imap", required_argument, NULL, 'I'},                                \
	{"smtp", required_argument, NULL, 'S'},                                \
	{"ca-file", required_argument, NULL, 'C'},                             \
	{"timeout", required_argument, NULL, 'T'}
/* clang-format on */
#define MAIL_TEST_ARGUMENTS                                                    \
	"[--imap PORT[,tls|,starttls]] [--smtp PORT[,tls|,starttls]] "         \
	"[--ca-file FILE] [--timeout SECONDS]"

/* With the usual ports. */
void mail_test_init(struct mail_test *test, struct invocation *in);

/* Takes one of these options; false if `option` is none of them.  *err is set
 * if its value is not good. */
bool mail_test_take_option(struct mail_test *test, int option,
    const char *value, struct mt_error *err);

/* Asks the connected helper for the hosts; "" where the account names none. */
enum mt_status mail_test_find_servers(
    struct mail_test *test, struct mt_error *err) MT_MUST_CHECK;

/*
 * Logs in at a server that has a host.  *line says what came of it, and *remedy
 * what to do, if there is something; both as the server and the network said
 * it, so to be printed with care.  An empty line: it was not tried, and *err is
 * why.  A token that the server refuses may have ended before its time: the
 * helper is told, and the next one tried.
 */
enum mt_status mail_test_try(struct mail_test *test,
    enum mail_test_server which, struct buf *line, struct buf *remedy,
    struct mt_error *err) MT_MUST_CHECK;

#endif
