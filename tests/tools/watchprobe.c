/* SPDX-License-Identifier: ISC */
/*
 * Drives a watched IMAP connection for the tests: logs in by LOGIN, opens
 * INBOX, does what the lines of its standard input say, and prints what comes.
 *
 *     watchprobe HOST PORT CA USER          (CA "-": in clear)
 *
 * The password is in the environment variable WATCHPROBE_PASSWORD.  Lines:
 *
 *     begin none|idle|notify [MAILBOX...]   what is offered, or this
 *     end    noop    status MAILBOX    examine MAILBOX
 *
 * Mailboxes are separated by tabs.  Each line is answered by "done LINE" or
 * "failed STATUS: text"; news are printed whenever they come.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "mail/imap_watch.h"
#include "net/net.h"

#define CALL_MS 20000
#define LINE_SIZE 4096

static const char *const push_names[] = {"none", "idle", "notify"};

static void
print_news(const struct imap_news *news)
{
	if (news->selected_changed)
		puts("news selected");
	for (int i = 0; i < IMAP_WATCHED_MAX; i++)
		if (news->others >> i & 1)
			printf("news %d\n", i);
	if (news->overflow)
		puts("news overflow");
	if (news->ended)
		puts("news ended");
	if (news->bye)
		printf("news bye %s\n", news->bye_text);
}

static enum mt_status
take_news(struct imap_conn *conn, struct mt_error *err)
{
	struct imap_news news;
	enum mt_status status = imap_watch_read(conn, &news, err);

	print_news(&news);
	return status;
}

static enum mt_status
begin(
    struct imap_conn *conn, const char *push, char *names, struct mt_error *err)
{
	const char *mailboxes[IMAP_WATCHED_MAX];
	enum imap_push wanted = imap_watch_offered(conn);
	enum mt_status status;
	char *name;
	size_t count = 0;

	printf("offered %s\n", push_names[wanted]);
	if (strcmp(push, "idle") == 0)
		wanted = IMAP_PUSH_IDLE;
	while (count < IMAP_WATCHED_MAX && (name = strsep(&names, "\t")))
		mailboxes[count++] = name;
	status = imap_watch_begin(
	    conn, wanted, mailboxes, count, deadline_in_ms(CALL_MS), err);
	if (status != MT_OK)
		return status;
	printf("watching %s\n", push_names[imap_watch_push(conn)]);
	return take_news(conn, err);
}

static void
print_mailbox(const char *what, const struct imap_mailbox *mailbox)
{
	printf("%s %u %u %u\n", what, mailbox->uidvalidity, mailbox->uidnext,
	    mailbox->exists);
}

static enum mt_status
ask(struct imap_conn *conn, const char *verb, const char *name,
    struct mt_error *err)
{
	struct imap_mailbox mailbox;
	enum mt_status status = strcmp(verb, "status") == 0
				    ? imap_conn_status(conn, name, &mailbox,
					  deadline_in_ms(CALL_MS), err)
				    : imap_conn_examine(conn, name, &mailbox,
					  deadline_in_ms(CALL_MS), err);

	if (status == MT_OK)
		print_mailbox("mailbox", &mailbox);
	return status;
}

static enum mt_status
run_line(struct imap_conn *conn, char *line, struct mt_error *err)
{
	struct imap_news news = {0};
	enum mt_status status;
	char *rest = line, *verb = strsep(&rest, " ");

	if (rest && strcmp(verb, "begin") == 0) {
		const char *push = strsep(&rest, " ");
		return begin(conn, push, rest, err);
	}
	if (rest)
		return ask(conn, verb, rest, err);
	if (strcmp(verb, "end") == 0)
		printf("covered %llu\n",
		    (unsigned long long)imap_watch_covered(conn));
	status =
	    strcmp(verb, "end") == 0
		? imap_watch_end(conn, &news, deadline_in_ms(CALL_MS), err)
		: imap_conn_noop(conn, &news, deadline_in_ms(CALL_MS), err);
	print_news(&news);
	return status;
}

/* False at the end of the input, or of the connection. */
static bool
take_line(struct imap_conn *conn)
{
	struct mt_error err = {0};
	char line[LINE_SIZE], copy[LINE_SIZE];
	enum mt_status status;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	memcpy(copy, line, sizeof(line));
	status = run_line(conn, copy, &err);
	if (status == MT_OK)
		printf("done %s\n", line);
	else
		printf("failed %d: %s\n", status, err.text);
	return imap_conn_is_usable(conn);
}

static bool
take_descriptor(struct imap_conn *conn)
{
	struct mt_error err = {0};
	enum mt_status status = take_news(conn, &err);

	if (status != MT_OK)
		printf("failed %d: %s\n", status, err.text);
	return status == MT_OK;
}

static void
loop(struct imap_conn *conn)
{
	struct pollfd fds[2] = {
	    {0, POLLIN, 0}, {imap_watch_fd(conn), POLLIN, 0}};
	bool going = true;

	while (going) {
		fflush(stdout);
		/* between commands nobody reads what comes */
		if (poll(fds, imap_watch_push(conn) ? 2 : 1, -1) < 0)
			return;
		if (fds[1].revents && imap_watch_push(conn))
			going = take_descriptor(conn);
		if (going && fds[0].revents)
			going = take_line(conn);
		fds[1].revents = 0;
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
	struct imap_conn *conn = NULL;
	struct imap_mailbox mailbox;
	enum mail_login login;
	enum mt_status status;
	long port;

	if (!settings_number(args[1], 1, 65535, &port))
		return mt_fail(err, MT_USAGE, "no such port");
	server.port = (uint16_t)port;
	status = imap_conn_open(
	    &conn, &server, trust, &login, deadline_in_ms(CALL_MS), err);
	if (status == MT_OK)
		status = imap_conn_examine(
		    conn, "INBOX", &mailbox, deadline_in_ms(CALL_MS), err);
	if (status == MT_OK) {
		print_mailbox("mailbox", &mailbox);
		loop(conn);
	}
	imap_conn_close(&conn);
	return status;
}

int
main(int argc, char **argv)
{
	struct secret password = SECRET_INIT;
	struct net_trust *trust = NULL;
	struct mt_error err = {0};
	enum mt_status status = MT_OK;

	if (argc != 5 || !secret_take_env(&password, "WATCHPROBE_PASSWORD")) {
		fputs("usage: watchprobe HOST PORT CA USER\n", stderr);
		return mt_exit_code(MT_USAGE);
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* poll(2) sees all lines */
	if (strcmp(argv[3], "-") != 0)
		status = net_trust_new(&trust, argv[3], &err);
	if (status == MT_OK)
		status = run(argv + 1, trust, &password, &err);
	secret_done(&password);
	net_trust_free(&trust);
	if (status != MT_OK)
		printf("failed %d: %s\n", status, err.text);
	return mt_exit_code(status);
}
