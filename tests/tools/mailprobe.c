/* SPDX-License-Identifier: ISC */
/*
 * Drives connector/mail from the command line, for the tests: logs in, lists,
 * fetches or sends, and prints what came of it.
 *
 *     mailprobe imap|smtp HOST PORT tls|starttls|none MECHANISMS USER [OPTION]
 *
 * MECHANISMS are separated by commas.  The password, if there is one, is in
 * the environment variable MAILPROBE_PASSWORD.  Exit code: that of the status
 * (base/status.h); the last line is "failed STATUS: text" or "ok".
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/settings.h"
#include "mail/imap_conn.h"
#include "net/net.h"
#include "mail/sasl_session.h"
#include "mail/smtp_conn.h"

#define WORDS_MAX 16
#define RECIPIENTS_MAX 400

struct probe {
	bool imap;
	struct mail_server server;
	const char *mechanisms[WORDS_MAX + 1];
	struct secret password;
	const char *ca, *socket, *mailbox, *out, *send, *from, *dsn, *envid;
	const char *to[RECIPIENTS_MAX + 1];
	size_t to_count;
	long timeout_ms, max_bytes, first_uid, times;
	bool list, fetch, fail_on_data, smtputf8;
	struct net_trust *trust;
	enum mail_login login;
};

static const char *const status_names[] = {"OK", "REFUSED", "USAGE",
    "BAD_INPUT", "NO_ACCOUNT", "UNREACHABLE", "RETRY_LATER", "NEEDS_LOGIN",
    "NEEDS_ADMIN", "BAD_CONFIG", "NO_MEMORY", "BUG"};

static const char *const login_names[] = {"not-tried", "rejected", "done"};

static const char *const result_names[] = {
    "accepted", "deferred", "refused", "uncertain"};

/* Where fetched messages go: files named by UID, or nowhere. */
struct output {
	const char *directory;
	FILE *file;
	char name[512];
	size_t bytes;
};

static enum mt_status
output_begin(void *context, struct mt_error *err)
{
	struct output *o = context;

	o->bytes = 0;
	if (!o->directory)
		return MT_OK;
	snprintf(o->name, sizeof(o->name), "%s/incoming", o->directory);
	o->file = fopen(o->name, "w");
	return o->file ? MT_OK
		       : mt_fail_errno(err, MT_BUG, errno, "%s", o->name);
}

static enum mt_status
output_data(void *context, const void *bytes, size_t len, struct mt_error *err)
{
	struct output *o = context;

	o->bytes += len;
	if (o->file && fwrite(bytes, 1, len, o->file) != len)
		return mt_fail_errno(err, MT_BUG, errno, "%s", o->name);
	return MT_OK;
}

static enum mt_status
output_end(
    void *context, uint32_t uid, time_t internal_date, struct mt_error *err)
{
	struct output *o = context;
	char name[512];

	printf(
	    "message %u %zu %lld\n", uid, o->bytes, (long long)internal_date);
	if (!o->file)
		return MT_OK;
	fclose(o->file);
	o->file = NULL;
	snprintf(name, sizeof(name), "%s/%u", o->directory, uid);
	return rename(o->name, name) == 0
		   ? MT_OK
		   : mt_fail_errno(err, MT_BUG, errno, "%s", name);
}

static enum mt_status
fetch(const struct probe *p, struct imap_conn *conn,
    const struct imap_summary *list, size_t count, struct mt_error *err)
{
	struct output output = {.directory = p->out};
	const struct imap_fetch_sink sink = {
	    &output, output_begin, output_data, output_end};
	uint32_t *uids = calloc(count + 1, sizeof(*uids));
	enum mt_status status;

	if (!uids)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++)
		uids[i] = list[i].uid;
	status = imap_conn_fetch(conn, uids, count, (size_t)p->max_bytes, &sink,
	    deadline_in_ms(p->timeout_ms), err);
	if (output.file)
		fclose(output.file);
	free(uids);
	return status;
}

static enum mt_status
read_mailbox(
    const struct probe *p, struct imap_conn *conn, struct mt_error *err)
{
	struct imap_summary *list = NULL;
	struct imap_mailbox mailbox;
	size_t count = 0;
	enum mt_status status = imap_conn_examine(
	    conn, p->mailbox, &mailbox, deadline_in_ms(p->timeout_ms), err);

	if (status != MT_OK)
		return status;
	printf("mailbox %u %u %u\n", mailbox.uidvalidity, mailbox.uidnext,
	    mailbox.exists);
	status = imap_conn_list(conn, (uint32_t)p->first_uid, UINT32_MAX, &list,
	    &count, deadline_in_ms(p->timeout_ms), err);
	for (size_t i = 0; status == MT_OK && p->list && i < count; i++)
		printf("listed %u %u\n", list[i].uid, list[i].size);
	if (status == MT_OK && p->fetch)
		status = fetch(p, conn, list, count, err);
	free(list);
	return status;
}

static enum mt_status
run_imap(struct probe *p, struct mt_error *err)
{
	struct imap_conn *conn = NULL;
	enum mt_status status = imap_conn_open(&conn, &p->server, p->trust,
	    &p->login, deadline_in_ms(p->timeout_ms), err);

	printf("login %s\n", login_names[p->login]);
	if (status != MT_OK)
		return status;
	printf("mechanism %s\n", imap_conn_mechanism(conn));
	fflush(stdout);
	if (p->list || p->fetch)
		status = read_mailbox(p, conn, err);
	imap_conn_close(&conn);
	return status;
}

static enum mt_status
refuse_data(void *context, struct mt_error *err)
{
	(void)context;
	return mt_fail(err, MT_NO_MEMORY, "not to be sent");
}

static enum mt_status
accept_data(void *context, struct mt_error *err)
{
	(void)context;
	(void)err;
	puts("data");
	fflush(stdout);
	return MT_OK;
}

static enum mt_status
send_file(const struct probe *p, struct smtp_conn *conn, struct mt_error *err)
{
	struct buf message = BUF_INIT(64 << 20);
	struct smtp_envelope envelope = {
	    .mail_from = p->from,
	    .rcpt_to = p->to,
	    .smtputf8 = p->smtputf8,
	    .dsn = p->dsn,
	    .envid = p->envid,
	};
	struct smtp_outcome outcome;
	enum mt_status status = fs_read(&message, p->send, NULL, err);

	if (status == MT_OK) {
		envelope.message = message.data;
		envelope.message_len = message.len;
		status = smtp_conn_send(conn, &envelope,
		    p->fail_on_data ? refuse_data : accept_data, NULL, &outcome,
		    deadline_in_ms(p->timeout_ms), err);
		printf("outcome %s %d %s\n", result_names[outcome.result],
		    outcome.code, outcome.reply);
	}
	buf_done(&message);
	return status;
}

static enum mt_status
run_smtp(struct probe *p, struct mt_error *err)
{
	struct smtp_conn *conn = NULL;
	enum mt_status status = smtp_conn_open(&conn, &p->server, p->trust,
	    &p->login, deadline_in_ms(p->timeout_ms), err);

	printf("login %s\n", login_names[p->login]);
	if (status != MT_OK)
		return status;
	printf("mechanism %s\n", smtp_conn_mechanism(conn));
	fflush(stdout);
	for (long i = 0; p->send && i < p->times; i++)
		status = send_file(p, conn, err);
	smtp_conn_close(&conn);
	return status;
}

static enum mt_status
run(struct probe *p, struct mt_error *err)
{
	struct sasl_library *library = NULL;
	enum mt_status status = MT_OK;

	if (p->server.tls != MAIL_TLS_NONE)
		status = net_trust_new(&p->trust, p->ca, err);
	if (status == MT_OK)
		status = sasl_library_open(&library, p->socket, err);
	if (status == MT_OK)
		status = p->imap ? run_imap(p, err) : run_smtp(p, err);
	sasl_library_close(&library);
	net_trust_free(&p->trust);
	return status;
}

static void
split(char *words, const char **list)
{
	char *rest = words, *word;
	size_t count = 0;

	while (count < WORDS_MAX && (word = strsep(&rest, ",")))
		if (*word)
			list[count++] = word;
}

static bool
set_tls(struct probe *p, const char *word)
{
	if (strcmp(word, "tls") == 0)
		p->server.tls = MAIL_TLS_IMPLICIT;
	else if (strcmp(word, "starttls") == 0)
		p->server.tls = MAIL_TLS_STARTTLS;
	else if (strcmp(word, "none") == 0)
		p->server.tls = MAIL_TLS_NONE;
	else
		return false;
	return true;
}

static bool
set_server(struct probe *p, char **args)
{
	long port;

	p->imap = strcmp(args[0], "imap") == 0;
	p->server.host = args[1];
	if (!settings_number(args[2], 1, 65535, &port) || !set_tls(p, args[3]))
		return false;
	p->server.port = (uint16_t)port;
	split(args[4], p->mechanisms);
	p->server.mechanisms = p->mechanisms;
	p->server.authentication_id = args[5];
	if (secret_take_env(&p->password, "MAILPROBE_PASSWORD"))
		p->server.password = &p->password;
	return p->imap || strcmp(args[0], "smtp") == 0;
}

static const struct option options[] = {
    {"ca", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, 's'},
    {"authzid", required_argument, NULL, 'z'},
    {"login-command", no_argument, NULL, 'L'},
    {"timeout-ms", required_argument, NULL, 't'},
    {"mailbox", required_argument, NULL, 'm'},
    {"list", no_argument, NULL, 'l'},
    {"fetch", no_argument, NULL, 'f'},
    {"first-uid", required_argument, NULL, 'u'},
    {"max-bytes", required_argument, NULL, 'b'},
    {"out", required_argument, NULL, 'o'},
    {"send", required_argument, NULL, 'S'},
    {"times", required_argument, NULL, 'n'},
    {"from", required_argument, NULL, 'F'},
    {"to", required_argument, NULL, 'T'},
    {"fail-on-data", no_argument, NULL, 'D'},
    {"smtputf8", no_argument, NULL, '8'},
    {"dsn", required_argument, NULL, 'N'},
    {"envid", required_argument, NULL, 'E'},
    {NULL, 0, NULL, 0},
};

static bool
set_option(struct probe *p, int option)
{
	switch (option) {
	case 'c':
		p->ca = optarg;
		return true;
	case 's':
		p->socket = optarg;
		return true;
	case 'z':
		p->server.authorization_id = optarg;
		return true;
	case 'L':
		p->server.login_command = true;
		return true;
	case 't':
		return settings_number(optarg, 1, 3600000, &p->timeout_ms);
	case 'm':
		p->mailbox = optarg;
		return true;
	case 'l':
		p->list = true;
		return true;
	case 'f':
		p->fetch = true;
		return true;
	case 'u':
		return settings_number(optarg, 1, UINT32_MAX, &p->first_uid);
	case 'b':
		return settings_number(optarg, 1, 1L << 40, &p->max_bytes);
	case 'o':
		p->out = optarg;
		return true;
	case 'S':
		p->send = optarg;
		return true;
	case 'n':
		return settings_number(optarg, 1, 1000, &p->times);
	case 'F':
		p->from = optarg;
		return true;
	case 'T':
		if (p->to_count == RECIPIENTS_MAX)
			return false;
		p->to[p->to_count++] = optarg;
		return true;
	case 'D':
		p->fail_on_data = true;
		return true;
	case '8':
		p->smtputf8 = true;
		return true;
	case 'N':
		p->dsn = optarg;
		return true;
	case 'E':
		p->envid = optarg;
		return true;
	default:
		return false;
	}
}

/* Not getrusage: that begins with what the parent had at the fork. */
static void
print_peak(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	long peak;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %ld", &peak) == 1)
			printf("peak_kb %ld\n", peak);
	if (file)
		fclose(file);
}

int
main(int argc, char **argv)
{
	struct probe p = {
	    .mailbox = "INBOX",
	    .timeout_ms = 20000,
	    .max_bytes = 64 << 20,
	    .first_uid = 1,
	    .times = 1,
	};
	struct mt_error err = {0};
	enum mt_status status;
	int option;
	bool good = true;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		good = good && set_option(&p, option);
	if (!good || argc - optind != 6 || !set_server(&p, argv + optind)) {
		fprintf(stderr, "usage: mailprobe imap|smtp HOST PORT "
				"tls|starttls|none MECHANISMS USER [OPTION]\n");
		return mt_exit_code(MT_USAGE);
	}
	status = run(&p, &err);
	secret_done(&p.password);
	print_peak();
	if (status == MT_OK)
		puts("ok");
	else
		printf("failed %s: %s\n", status_names[status], err.text);
	return mt_exit_code(status);
}
