/* SPDX-License-Identifier: ISC */
/*
 * Drives what changes and searches the mailboxes of an IMAP server, for the
 * tests: logs in by LOGIN, does what its arguments say, and prints what comes.
 *
 *     boxprobe HOST PORT CA USER COMMAND...         (CA "-": in clear)
 *
 * The password is in the environment variable BOXPROBE_PASSWORD.  Commands are
 * the names in the table below; their words are separated by tabs.  Each is
 * answered by what it found and "done", or "failed STATUS: text", and "broken"
 * if nothing more can be asked, which ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/settings.h"
#include "mail/envelope.h"
#include "mail/imap_append.h"
#include "mail/imap_mailboxes.h"
#include "mail/imap_move.h"
#include "mail/imap_search.h"
#include "mail/imap_select.h"
#include "mail/imap_watch.h"
#include "net/net.h"
#include "outbound/sent.h"

#define CALL_MS 20000
#define WORDS_MAX 8
#define MESSAGE_MAX (64 << 20)

static const char *const status_names[] = {"OK", "REFUSED", "USAGE",
    "BAD_INPUT", "NO_ACCOUNT", "UNREACHABLE", "RETRY_LATER", "NEEDS_LOGIN",
    "NEEDS_ADMIN", "BAD_CONFIG", "NO_MEMORY", "BUG"};

/* How long a call may take; "deadline" changes it. */
struct probe {
	struct imap_conn *conn;
	long call_ms;
};

typedef enum mt_status command_fn(
    struct probe *p, char **words, struct mt_error *err);

static struct deadline
until(const struct probe *p)
{
	return deadline_in_ms(p->call_ms);
}

static uint32_t
number(const char *word)
{
	return (uint32_t)strtoul(word, NULL, 10);
}

static enum mt_status
set_deadline(struct probe *p, char **words, struct mt_error *err)
{
	(void)err;
	p->call_ms = (long)number(words[0]);
	return MT_OK;
}

static enum mt_status
do_select(struct probe *p, char **words, struct mt_error *err)
{
	struct imap_mailbox m;
	enum mt_status status =
	    imap_conn_select(p->conn, words[0], &m, until(p), err);

	if (status == MT_OK)
		printf(
		    "mailbox %u %u %u\n", m.uidvalidity, m.uidnext, m.exists);
	return status;
}

static enum mt_status
do_create(struct probe *p, char **words, struct mt_error *err)
{
	bool existed = false;
	enum mt_status status =
	    imap_conn_create(p->conn, words[0], &existed, until(p), err);

	if (status == MT_OK)
		puts(existed ? "existed" : "created");
	return status;
}

static enum mt_status
do_has(struct probe *p, char **words, struct mt_error *err)
{
	bool exists = false;
	enum mt_status status =
	    imap_conn_has_mailbox(p->conn, words[0], &exists, until(p), err);

	if (status == MT_OK)
		puts(exists ? "there" : "not there");
	return status;
}

static enum mt_status
do_role(struct probe *p, char **words, struct mt_error *err)
{
	static const char *const names[] = {"sent", "drafts", "all"};
	char name[IMAP_MAILBOX_NAME_MAX];
	enum imap_role role = IMAP_ROLE_SENT;
	bool exists = false;
	enum mt_status status;

	while (role < IMAP_ROLE_ALL && strcmp(names[role], words[0]) != 0)
		role++;
	status =
	    imap_conn_find_role(p->conn, role, name, &exists, until(p), err);
	if (status == MT_OK)
		printf("role %s %s\n", exists ? "is" : "would-be", name);
	return status;
}

static enum mt_status
do_namespace(struct probe *p, char **words, struct mt_error *err)
{
	struct imap_namespace space;
	enum mt_status status =
	    imap_conn_namespace(p->conn, &space, until(p), err);

	(void)words;
	if (status == MT_OK)
		printf("namespace '%s' '%c'\n", space.prefix,
		    space.delimiter ? space.delimiter : ' ');
	return status;
}

static void
print_place(const struct imap_place *place)
{
	printf("place %u %u\n", place->uidvalidity, place->uid);
}

static enum mt_status
do_append(struct probe *p, char **words, struct mt_error *err)
{
	struct buf message = BUF_INIT(MESSAGE_MAX);
	struct imap_place place;
	enum mt_status status = fs_read(&message, words[3], NULL, err);

	if (status == MT_OK)
		status = imap_conn_append(p->conn, words[0], words[1],
		    (time_t)number(words[2]), message.data, message.len, &place,
		    until(p), err);
	if (status == MT_OK)
		print_place(&place);
	buf_done(&message);
	return status;
}

static enum mt_status
do_move(struct probe *p, char **words, struct mt_error *err)
{
	struct imap_place place;
	bool gone, copied;
	enum mt_status status = imap_conn_move(p->conn, number(words[0]),
	    words[1], &place, &gone, &copied, until(p), err);

	if (gone)
		puts("gone");
	if (copied)
		puts("copied");
	print_place(&place);
	return status;
}

static enum mt_status
do_remove(struct probe *p, char **words, struct mt_error *err)
{
	return imap_conn_remove(p->conn, number(words[0]), until(p), err);
}

static bool
print_header(void *context, const struct imap_header *header)
{
	struct envelope envelope;

	(void)context;
	if (!envelope_parse(&envelope, header->bytes, header->len))
		return false;
	printf("header %u %lld %s", header->uid, (long long)envelope.date,
	    envelope.subject);
	for (size_t i = 0; i < envelope.recipient_count; i++)
		printf(" %s", envelope.recipients[i]);
	puts("");
	envelope_done(&envelope);
	return true;
}

static enum mt_status
print_found(struct probe *p, enum mt_status status, uint32_t *uids,
    size_t count, struct mt_error *err)
{
	if (status == MT_OK)
		printf("found %zu\n", count);
	if (status == MT_OK)
		status = imap_conn_headers(
		    p->conn, uids, count, print_header, NULL, until(p), err);
	free(uids);
	return status;
}

static enum mt_status
do_search_id(struct probe *p, char **words, struct mt_error *err)
{
	uint32_t *uids = NULL;
	size_t count = 0;
	enum mt_status status = imap_conn_search_message_id(
	    p->conn, words[0], &uids, &count, until(p), err);

	return print_found(p, status, uids, count, err);
}

static enum mt_status
do_search_date(struct probe *p, char **words, struct mt_error *err)
{
	uint32_t *uids = NULL;
	size_t count = 0;
	enum mt_status status = imap_conn_search_sent_on(
	    p->conn, (time_t)number(words[0]), &uids, &count, until(p), err);

	return print_found(p, status, uids, count, err);
}

/* words: mailbox ("": the server's), Message-ID, the server's, date, file */
static enum mt_status
sent(struct probe *p, char **words, bool file, struct mt_error *err)
{
	struct buf bytes = BUF_INIT(MESSAGE_MAX);
	bool found = false;
	enum mt_status status = fs_read(&bytes, words[4], NULL, err);
	struct sent_message message = {
	    .message_id = words[1],
	    .server_id = words[2],
	    .date = (time_t)number(words[3]),
	    .bytes = bytes.data,
	    .len = bytes.len,
	};

	if (status == MT_OK)
		status =
		    file ? sent_file(p->conn, words[0], &message, until(p), err)
			 : sent_find(p->conn, words[0], &message, &found,
			       until(p), err);
	if (status == MT_OK && !file)
		puts(found ? "found" : "not found");
	buf_done(&bytes);
	return status;
}

static enum mt_status
do_find(struct probe *p, char **words, struct mt_error *err)
{
	return sent(p, words, false, err);
}

static enum mt_status
do_file(struct probe *p, char **words, struct mt_error *err)
{
	return sent(p, words, true, err);
}

static const struct {
	const char *name;
	size_t words;
	command_fn *run;
} commands[] = {
    {"deadline", 1, set_deadline},
    {"select", 1, do_select},
    {"create", 1, do_create},
    {"has", 1, do_has},
    {"role", 1, do_role},
    {"namespace", 0, do_namespace},
    {"append", 4, do_append}, /* mailbox, flags, date, file */
    {"move", 2, do_move},     /* uid, mailbox */
    {"remove", 1, do_remove},
    {"search-id", 1, do_search_id},
    {"search-date", 1, do_search_date},
    {"find", 5, do_find},
    {"file", 5, do_file},
};

static enum mt_status
run_command(struct probe *p, char *text, struct mt_error *err)
{
	char *name = strsep(&text, "\t"), *words[WORDS_MAX] = {NULL};
	size_t count = 0;

	while (text && count < WORDS_MAX)
		words[count++] = strsep(&text, "\t");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, name) == 0 &&
		    commands[i].words == count)
			return commands[i].run(p, words, err);
	return mt_fail(err, MT_USAGE, "no such command: %s", name);
}

static void
run_commands(struct probe *p, char **commands_given)
{
	for (; *commands_given; commands_given++) {
		struct mt_error err = {0};
		enum mt_status status = run_command(p, *commands_given, &err);
		if (status == MT_OK)
			puts("done");
		else
			printf(
			    "failed %s: %s\n", status_names[status], err.text);
		if (status != MT_OK && err.status != status)
			puts("the error has another status");
		fflush(stdout);
		if (!imap_conn_is_usable(p->conn)) {
			puts("broken");
			return;
		}
	}
}

static enum mt_status
run(char **args, const struct net_trust *trust, struct secret *password,
    struct mt_error *err)
{
	static const char *const none[] = {NULL};
	struct mail_server server = {
	    .host = args[0],
	    .tls = trust ? MAIL_TLS_IMPLICIT : MAIL_TLS_NONE,
	    .mechanisms = none,
	    .authentication_id = args[3],
	    .password = password,
	    .login_command = true,
	};
	struct probe p = {.call_ms = CALL_MS};
	enum mail_login login;
	enum mt_status status;
	long port;

	if (!settings_number(args[1], 1, 65535, &port))
		return mt_fail(err, MT_USAGE, "no such port");
	server.port = (uint16_t)port;
	status = imap_conn_open(
	    &p.conn, &server, trust, &login, deadline_in_ms(CALL_MS), err);
	if (status == MT_OK)
		run_commands(&p, args + 4);
	imap_conn_close(&p.conn);
	return status;
}

int
main(int argc, char **argv)
{
	struct secret password = SECRET_INIT;
	struct net_trust *trust = NULL;
	struct mt_error err = {0};
	enum mt_status status = MT_OK;

	if (argc < 5 || !secret_take_env(&password, "BOXPROBE_PASSWORD")) {
		fputs("usage: boxprobe HOST PORT CA USER COMMAND...\n", stderr);
		return mt_exit_code(MT_USAGE);
	}
	if (strcmp(argv[3], "-") != 0)
		status = net_trust_new(&trust, argv[3], &err);
	if (status == MT_OK)
		status = run(argv + 1, trust, &password, &err);
	secret_done(&password);
	net_trust_free(&trust);
	if (status != MT_OK)
		printf("failed %s: %s\n", status_names[status], err.text);
	return mt_exit_code(status);
}
