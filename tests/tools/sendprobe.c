/* SPDX-License-Identifier: ISC */
/*
 * Drives connector/sender from the command line, for the tests, with what
 * the connector itself does not let anybody set, such as the deadline.
 *
 *     sendprobe [OPTION]... DRAFT      sends a draft, prints the JSON line
 *     sendprobe [OPTION]... --work     works the outbox once, as a service does
 *
 * The password is in the environment variable SENDPROBE_PASSWORD; without one
 * the SASL module is asked for a token.  Standard error tells what happened.
 * Exit code: that of the status (base/status.h).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/settings.h"
#include "net/net.h"
#include "mail/imap_conn.h"
#include "mail/sasl_session.h"
#include "mail/smtp_conn.h"
#include "outbound/send.h"
#include "sender_once.h"
#include "state/state.h"

struct probe {
	struct mail_server server;
	struct secret password;
	const char *mechanisms[2];
	const char *ca, *socket, *from, *state_dir, *draft, *request_id;
	long deadline_ms;
	bool work;
	struct net_trust *trust;
	struct sender_settings sending;
};

static enum mt_status
open_server(void *context, struct smtp_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	const struct probe *p = context;
	enum mail_login login;

	return smtp_conn_open(
	    ret_conn, &p->server, p->trust, &login, deadline, err);
}

/* There is none: whatever is asked of it waits. */
static enum mt_status
open_no_imap(void *context, struct imap_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	(void)context;
	(void)ret_conn;
	(void)deadline;
	return mt_fail(err, MT_RETRY_LATER, "there is no IMAP server");
}

static void
on_result(void *context, const struct outbox_entry *entry)
{
	const struct probe *p = context;
	struct buf line = BUF_INIT(65536);

	submit_describe(&line, entry, &p->sending.submit.rules, time(NULL));
	fprintf(stderr, "result: %s\n", buf_text(&line));
	buf_done(&line);
}

static enum mt_status
send_draft(struct probe *p, struct send_report *report, struct mt_error *err)
{
	const struct send_settings settings = {
	    .from = p->from,
	    .state = p->sending.state,
	    .rules = &p->sending.submit.rules,
	};
	const struct send_request request = {
	    .request_id = p->request_id,
	    .draft = {.path = p->draft, .agent_dir = -1},
	};
	int64_t entry;
	enum mt_status status =
	    send_queue(&settings, &request, &entry, report, err);

	if (status == MT_OK && p->deadline_ms && !report->decided)
		status = sender_once(
		    &p->sending, entry, p->deadline_ms, report, err);
	return status == MT_OK ? send_outcome(report, err) : status;
}

static enum mt_status
work(struct probe *p, struct state *state, struct mt_error *err)
{
	struct buf line = BUF_INIT(65536);
	struct send_report report;
	enum mt_status status;

	p->sending.state = state;
	if (p->work)
		return sender_once_all(&p->sending, p->deadline_ms, err);
	status = send_draft(p, &report, err);
	send_add_json(&line, &report);
	puts(buf_text(&line));
	buf_done(&line);
	return status;
}

static enum mt_status
run(struct probe *p, struct mt_error *err)
{
	struct sasl_library *library = NULL;
	struct state *state = NULL;
	enum mt_status status = net_trust_new(&p->trust, p->ca, err);

	if (status == MT_OK)
		status = sasl_library_open(&library, p->socket, err);
	if (status == MT_OK && p->state_dir)
		status = state_open(&state, p->state_dir, err);
	if (status == MT_OK)
		status = work(p, state, err);
	state_close(&state);
	sasl_library_close(&library);
	net_trust_free(&p->trust);
	return status;
}

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"starttls", no_argument, NULL, 't'},
    {"mechanism", required_argument, NULL, 'm'},
    {"user", required_argument, NULL, 'u'},
    {"ca", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, 's'},
    {"from", required_argument, NULL, 'f'},
    {"state", required_argument, NULL, 'd'},
    {"deadline-ms", required_argument, NULL, 'l'},
    {"request-id", required_argument, NULL, 'r'},
    {"hold", no_argument, NULL, 'h'},
    {"work", no_argument, NULL, 'w'},
    {NULL, 0, NULL, 0},
};

static bool
set_option(struct probe *p, int option)
{
	long port;

	switch (option) {
	case 'p':
		if (!settings_number(optarg, 1, 65535, &port))
			return false;
		p->server.port = (uint16_t)port;
		return true;
	case 't':
		p->server.tls = MAIL_TLS_STARTTLS;
		return true;
	case 'm':
		p->mechanisms[0] = optarg;
		return true;
	case 'u':
		p->server.authentication_id = optarg;
		return true;
	case 'c':
		p->ca = optarg;
		return true;
	case 's':
		p->socket = optarg;
		return true;
	case 'f':
		p->from = optarg;
		return true;
	case 'd':
		p->state_dir = optarg;
		return true;
	case 'l':
		return settings_number(optarg, 0, 3600000, &p->deadline_ms);
	case 'r':
		p->request_id = optarg;
		return true;
	case 'h':
		p->sending.submit.rules.policy = OUTBOX_HOLD;
		return true;
	case 'w':
		p->work = true;
		return true;
	default:
		return false;
	}
}

int
main(int argc, char **argv)
{
	struct probe p = {
	    .server = {.host = "localhost", .tls = MAIL_TLS_IMPLICIT},
	    .password = SECRET_INIT,
	    .mechanisms = {"PLAIN", NULL},
	    .from = "alice@example.test",
	    .deadline_ms = 20000,
	    .sending =
		{
		    .name = "probe",
		    .smtp_server = "localhost",
		    .imap_server = "none",
		    .connections = 1,
		    .interval_ms = 60000,
		    .submit.rules = {.account = "probe",
			.filing = OUTBOX_FILED_BY_NOBODY},
		},
	};
	struct mt_error err = {.text = ""};
	enum mt_status status;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!set_option(&p, option))
			return mt_exit_code(MT_USAGE);
	p.draft = argv[optind];
	if (!p.work && !p.draft)
		return mt_exit_code(MT_USAGE);
	p.server.mechanisms = p.mechanisms;
	if (secret_take_env(&p.password, "SENDPROBE_PASSWORD"))
		p.server.password = &p.password;
	p.sending.submit.context = &p;
	p.sending.submit.open_smtp = open_server;
	p.sending.submit.open_imap = open_no_imap;
	p.sending.submit.result = on_result;
	status = run(&p, &err);
	secret_done(&p.password);
	if (status != MT_OK)
		fprintf(stderr, "failed: %s\n", err.text);
	return mt_exit_code(status);
}
