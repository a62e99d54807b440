/* SPDX-License-Identifier: ISC */
#include "check.h"

#include "base/log.h"
#include "mail/imap_conn.h"
#include "mail/smtp_conn.h"
#include "report.h"
#include "session.h"

#include <json-c/json.h>

#define LOGIN_MS 60000

static struct json_object *
describe(const char *protocol, const struct mail_server *server,
    enum mt_status status, const char *mechanism, const struct mt_error *err)
{
	struct json_object *report = json_object_new_object();

	report_add_text(report, "host", server->host);
	json_object_object_add(
	    report, "port", json_object_new_int(server->port));
	if (status == MT_OK) {
		log_info("%s %s:%d: logged in with %s", protocol, server->host,
		    server->port, mechanism);
		report_add_text(report, "mechanism", mechanism);
	} else {
		log_error("%s %s:%d: %s", protocol, server->host, server->port,
		    err->text);
	}
	report_add_outcome(report, status, err, "logged in");
	return report;
}

static enum mt_status
check_imap(
    struct session *session, struct json_object *report, struct mt_error *err)
{
	struct imap_conn *conn = NULL;
	enum mt_status status =
	    session_open_imap(session, &conn, 0, deadline_in_ms(LOGIN_MS), err);

	json_object_object_add(report, "imap",
	    describe("IMAP", &session->config->imap, status,
		conn ? imap_conn_mechanism(conn) : "", err));
	imap_conn_close(&conn);
	return status;
}

static enum mt_status
check_smtp(
    struct session *session, struct json_object *report, struct mt_error *err)
{
	struct smtp_conn *conn = NULL;
	enum mt_status status =
	    session_open_smtp(session, &conn, deadline_in_ms(LOGIN_MS), err);

	json_object_object_add(report, "smtp",
	    describe("SMTP", &session->config->smtp, status,
		conn ? smtp_conn_mechanism(conn) : "", err));
	smtp_conn_close(&conn);
	return status;
}

enum mt_status
check_logins(
    struct session *session, struct json_object *report, struct mt_error *err)
{
	struct mt_error why;
	enum mt_status imap = check_imap(session, report, err);
	enum mt_status smtp = check_smtp(session, report, &why);

	if (imap == MT_OK && smtp != MT_OK)
		*err = why;
	return imap != MT_OK ? imap : smtp;
}
