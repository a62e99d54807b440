/* SPDX-License-Identifier: ISC */
#include "clients.h"

#include <stdio.h>
#include <string.h>

/* -- the server ------------------------------------------------------------ */

static struct server_reply
say_next(struct server *s)
{
	struct server_reply reply = {.says = SERVER_NO};

	if (s->said < SERVER_REPLIES_MAX)
		reply = s->replies[s->said++];
	s->over = reply.says != SERVER_CHALLENGE;
	return reply;
}

static struct server_reply
hear_response(struct server *s, const char *data, size_t len)
{
	s->response_len = len;
	if (len && !s->keeps_nothing && len <= sizeof(s->response))
		memcpy(s->response, data, len);
	return say_next(s);
}

/* The command; `len` 0: without an initial response. */
static struct server_reply
server_hear_auth(struct server *s, const char *data, size_t len)
{
	if (!len)
		return (struct server_reply){SERVER_CHALLENGE, "", 0};
	return hear_response(s, data, len);
}

/* A line; NULL: an empty one. */
static struct server_reply
server_hear(struct server *s, const char *data, size_t len)
{
	if (!s->response_len)
		return hear_response(s, data, len);
	if (s->acknowledgements++ == 0 && len <= sizeof(s->acknowledgement)) {
		s->acknowledgement_len = len;
		if (len)
			memcpy(s->acknowledgement, data, len);
	}
	return say_next(s);
}

/* "*" ends the exchange, whatever was meant to come. */
static void
server_hear_cancel(struct server *s)
{
	s->cancelled = s->over = true;
}

/* -- what many clients have in common -------------------------------------- */

static bool
goes_well(int code)
{
	return code == SASL_OK || code == SASL_CONTINUE;
}

/* A name for each id that a mail program knows; false for any other. */
static bool
answer_prompts(struct mail_program *p)
{
	for (sasl_interact_t *i = p->prompts; i->id != SASL_CB_LIST_END; i++) {
		const char *text = i->id == SASL_CB_AUTHNAME ? p->authname
				   : i->id == SASL_CB_USER   ? p->user
				   : i->id == SASL_CB_PASS   ? "no token"
							     : NULL;
		if (i->id == SASL_CB_USER && !text)
			text = p->authname;
		if (!text)
			return false;
		i->result = text;
		i->len = (unsigned)strlen(text);
	}
	return true;
}

/* With an initial response; the prompts are answered and it starts again. */
static int
start(struct mail_program *p, const char *mechanism)
{
	int code = mail_program_start(p, mechanism);

	while (code == SASL_INTERACT && answer_prompts(p))
		code = mail_program_start(p, mechanism);
	return code;
}

static int
start_bare(struct mail_program *p, const char *mechanism)
{
	int code = mail_program_start_bare(p, mechanism);

	while (code == SASL_INTERACT && answer_prompts(p))
		code = mail_program_start_bare(p, mechanism);
	return code;
}

static int
step(struct mail_program *p, const char *data, size_t len)
{
	int code = mail_program_step_bytes(p, data, (unsigned)len);

	while (code == SASL_INTERACT && answer_prompts(p))
		code = mail_program_step_bytes(p, data, (unsigned)len);
	return code;
}

/* -- Postfix --------------------------------------------------------------- */

/* Any failure ends the session.  OK and CONTINUE without data: an empty line;
 * so the server's own reason is read. */
static void
run_postfix(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = mail_program_start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE) {
		/* decoded into a buffer: never NULL */
		r->last = step(p, reply.data ? reply.data : "", reply.len);
		if (!goes_well(r->last))
			return;
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* -- neomutt --------------------------------------------------------------- */

/* Its buffer holds the command that it sent, until a challenge replaces it:
 * that goes into the step that follows the server's OK. */
static void
run_neomutt_imap(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;
	const char *buffer;
	char command[64];
	size_t len;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last)) {
		r->goes_on = true;
		return;
	}
	len = (size_t)snprintf(
	    command, sizeof(command), "AUTHENTICATE %s ", p->mechanism);
	buffer = command;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (r->last == SASL_CONTINUE) {
		if (reply.says == SERVER_NO) {
			r->goes_on = true;
			return;
		}
		if (reply.says == SERVER_CHALLENGE) {
			buffer = reply.data ? reply.data : "";
			len = reply.len;
		}
		r->last = step(p, buffer, len);
		if (reply.says == SERVER_CHALLENGE)
			reply = server_hear(server, p->out, p->out_len);
		if (r->last < 0)
			server_hear_cancel(server);
	}
	r->logged_in = r->last == SASL_OK && reply.says == SERVER_OK;
	r->goes_on = !r->logged_in;
}

/* Without SASL-IR the first output waits for the server's empty challenge. */
static void
run_neomutt_imap_without_ir(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;
	const char *buffer = "AUTHENTICATE";
	size_t len = strlen(buffer);
	bool first = true;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last)) {
		r->goes_on = true;
		return;
	}
	reply = server_hear_auth(server, NULL, 0);
	while (r->last == SASL_CONTINUE || first) {
		if (reply.says == SERVER_NO) {
			r->goes_on = true;
			return;
		}
		if (reply.says == SERVER_CHALLENGE) {
			buffer = reply.data ? reply.data : "";
			len = reply.len;
		}
		if (!first || len)
			r->last = step(p, buffer, len);
		first = false;
		if (reply.says == SERVER_CHALLENGE)
			reply = server_hear(server, p->out, p->out_len);
		if (r->last < 0)
			server_hear_cancel(server);
	}
	r->logged_in = r->last == SASL_OK && reply.says == SERVER_OK;
	r->goes_on = !r->logged_in;
}

/* Any output goes into the command, whatever its length; only SASL_FAIL, no
 * other failure, ends the loop, otherwise the server must. */
static void
run_neomutt_smtp(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last)) {
		r->goes_on = true;
		return;
	}
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE && r->last != SASL_FAIL) {
		r->last = step(p, reply.data ? reply.data : "", reply.len);
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK && r->last != SASL_FAIL;
}

/* -- mbsync ---------------------------------------------------------------- */

/* It answers prompts by a step, also those of the start. */
static bool
mbsync_step(
    struct mail_program *p, struct client_result *r, const char *in, size_t len)
{
	while (r->last == SASL_INTERACT) {
		if (!answer_prompts(p))
			return false;
		r->last = mail_program_step_bytes(p, in, (unsigned)len);
	}
	return goes_well(r->last);
}

static void
mbsync_converse(struct mail_program *p, struct server *server,
    struct client_result *r, struct server_reply reply)
{
	while (reply.says == SERVER_CHALLENGE) {
		if (r->last != SASL_CONTINUE)
			return; /* "IMAP wants more steps despite ..." */
		r->last =
		    mail_program_step_bytes(p, reply.data, (unsigned)reply.len);
		if (!mbsync_step(p, r, reply.data, reply.len))
			return;
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
	if (r->logged_in && r->last == SASL_CONTINUE) {
		/* it would only warn if this failed */
		r->last = mail_program_step_bytes(p, NULL, 0);
		mbsync_step(p, r, NULL, 0);
	}
}

static void
run_mbsync(struct mail_program *p, const char *mechanism, struct server *server,
    struct client_result *r)
{
	r->start = r->last = mail_program_start(p, mechanism);
	r->goes_on = r->start == SASL_NOMECH;
	if (mbsync_step(p, r, NULL, 0))
		mbsync_converse(
		    p, server, r, server_hear_auth(server, p->out, p->out_len));
	if (r->start == SASL_INTERACT)
		r->start = r->last;
}

static void
run_mbsync_without_ir(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	r->start = r->last = mail_program_start_bare(p, mechanism);
	r->goes_on = r->start == SASL_NOMECH;
	if (mbsync_step(p, r, NULL, 0))
		mbsync_converse(
		    p, server, r, server_hear_auth(server, NULL, 0));
}

/* -- KMail ----------------------------------------------------------------- */

/* Sends what the step gives, be it nothing; an empty challenge is NULL. */
static void
kmail_converse(struct mail_program *p, struct server *server,
    struct client_result *r, struct server_reply reply)
{
	while (reply.says == SERVER_CHALLENGE) {
		r->last = step(p, reply.len ? reply.data : NULL, reply.len);
		if (!goes_well(r->last))
			return;
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

static void
run_kmail(struct mail_program *p, const char *mechanism, struct server *server,
    struct client_result *r)
{
	r->start = r->last = start(p, mechanism);
	if (goes_well(r->last))
		kmail_converse(
		    p, server, r, server_hear_auth(server, p->out, p->out_len));
}

static void
run_kmail_without_ir(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	r->start = r->last = start_bare(p, mechanism);
	if (goes_well(r->last))
		kmail_converse(p, server, r, server_hear_auth(server, NULL, 0));
}

/* -- libetpan -------------------------------------------------------------- */

/* The first output waits for the first challenge, whatever that holds. */
static void
run_libetpan_imap(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;
	bool first = true;

	r->start = r->last = mail_program_start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, NULL, 0);
	while (reply.says == SERVER_CHALLENGE) {
		if (!first)
			r->last = step(p, reply.data, reply.len);
		first = false;
		if (!goes_well(r->last))
			return;
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

static void
run_libetpan_smtp(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = mail_program_start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE) {
		r->last = step(p, reply.data, reply.len);
		if (!goes_well(r->last))
			return;
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* -- sendmail -------------------------------------------------------------- */

static void
run_sendmail(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last))
		return; /* it does not know which mechanism to leave out */
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE) {
		r->last = step(p, reply.data ? reply.data : "", reply.len);
		if (!goes_well(r->last)) {
			server_hear_cancel(server);
			r->goes_on = true;
			return;
		}
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
	r->goes_on = !r->logged_in;
}

/* -- OpenLDAP -------------------------------------------------------------- */

/* Success counts only if the mechanism has finished, too: there is one more
 * step, with the data that came with it. */
static void
run_openldap(struct mail_program *p, const char *mechanism,
    struct server *server, struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says != SERVER_NO) {
		if (reply.says == SERVER_OK && r->last == SASL_OK)
			break;
		r->last = step(p, reply.len ? reply.data : NULL, reply.len);
		if (!goes_well(r->last))
			return;
		if (reply.says == SERVER_CHALLENGE)
			reply = server_hear(server, p->out, p->out_len);
		else if (r->last != SASL_OK)
			return;
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* -- nmh ------------------------------------------------------------------- */

/* After SASL_OK the server's next line must be the last. */
static void
run_nmh(struct mail_program *p, const char *mechanism, struct server *server,
    struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = mail_program_start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (r->last == SASL_CONTINUE) {
		if (reply.says != SERVER_CHALLENGE)
			return; /* "Improper SASL protocol response" */
		r->last = step(p, reply.data, reply.len);
		if (!goes_well(r->last)) {
			server_hear_cancel(server);
			return;
		}
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* -- imtest and Perl ------------------------------------------------------- */

static void
run_imtest(struct mail_program *p, const char *mechanism, struct server *server,
    struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE) {
		r->last = step(p, reply.data, reply.len);
		if (!goes_well(r->last)) {
			server_hear_cancel(server);
			return;
		}
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* Net::SMTP and others send whatever client_step() gives, undef as nothing,
 * and look for an error only at the end. */
static void
run_perl(struct mail_program *p, const char *mechanism, struct server *server,
    struct client_result *r)
{
	struct server_reply reply;

	r->start = r->last = mail_program_start(p, mechanism);
	if (!goes_well(r->last))
		return;
	reply = server_hear_auth(server, p->out, p->out_len);
	while (reply.says == SERVER_CHALLENGE) {
		r->last = step(p, reply.data ? reply.data : "", reply.len);
		reply = server_hear(server, p->out, p->out_len);
	}
	r->logged_in = reply.says == SERVER_OK;
}

/* -- the table ------------------------------------------------------------- */

#define NO_CLEAR_TEXT (SASL_SEC_NOPLAINTEXT | SASL_SEC_NOANONYMOUS)

const struct client clients[] = {
    {"Postfix over TLS", run_postfix, "smtp", .never_prompts = true,
	.has_password = true, .security_flags = SASL_SEC_NOANONYMOUS},
    {"Postfix with send_cyrus_sasl_authzid", run_postfix, "lmtp",
	.never_prompts = true, .has_password = true, .names_authzid = true,
	.security_flags = SASL_SEC_NOANONYMOUS},
    {"Postfix by default", run_postfix, "smtp", .never_prompts = true,
	.has_password = true, .security_flags = NO_CLEAR_TEXT,
	.excludes_tokens = true},
    {"neomutt IMAP", run_neomutt_imap, "imap", .has_password = true,
	.names_authzid = true, .tells_addresses = true, .external_ssf = 256,
	.has_fallback = true},
    {"neomutt IMAP without SASL-IR", run_neomutt_imap_without_ir, "imap",
	.has_password = true, .names_authzid = true, .tells_addresses = true,
	.external_ssf = 256, .has_fallback = true},
    {"neomutt SMTP", run_neomutt_smtp, "smtp", .has_password = true,
	.names_authzid = true, .tells_addresses = true, .external_ssf = 256,
	.has_fallback = true},
    {"mbsync", run_mbsync, "imap", .asks = true, .has_fallback = true},
    {"mbsync without SASL-IR", run_mbsync_without_ir, "imap", .asks = true,
	.has_fallback = true},
    {"KMail", run_kmail, "imap", .asks = true},
    {"KMail without SASL-IR", run_kmail_without_ir, "imap", .asks = true},
    {"libetpan IMAP", run_libetpan_imap, "imap", .never_prompts = true,
	.has_password = true, .names_authzid = true},
    {"libetpan SMTP", run_libetpan_smtp, "smtp", .never_prompts = true,
	.has_password = true, .names_authzid = true},
    {"sendmail", run_sendmail, "smtp", .has_password = true,
	.names_authzid = true, .tells_addresses = true, .external_ssf = 128},
    {"OpenLDAP", run_openldap, "ldap", .asks = true, .external_ssf = 256,
	.excludes_tokens = true},
    {"OpenLDAP with tokens", run_openldap, "ldap", .asks = true,
	.external_ssf = 256, .settings = "services = ldap\n"},
    {"nmh", run_nmh, "smtp", .never_prompts = true, .has_password = true,
	.names_authzid = true, .ends_with_token = true,
	.settings = "first_step_ok = test_sasl_clients test_sasl_faults "
		    "test_sasl_memory\n"},
    {"imtest", run_imtest, "imap", .asks = true, .tells_addresses = true},
    {"Perl Authen::SASL::Cyrus", run_perl, "smtp", .never_prompts = true,
	.has_password = true, .names_authzid = true, .heeds_server = true},
};

const size_t clients_count = sizeof(clients) / sizeof(*clients);

void
client_connect(struct mail_program *p, const struct client *client)
{
	p->service = client->service;
	p->host = "mail.example";
	p->local = client->tells_addresses ? "127.0.0.1;40000" : NULL;
	p->remote = client->tells_addresses ? "127.0.0.1;993" : NULL;
	p->user = client->names_authzid ? p->authname : NULL;
	p->asks = client->asks;
	p->never_prompts = client->never_prompts;
	p->password = client->has_password ? "no token" : NULL;
	p->security_flags = client->security_flags;
	p->external_ssf = client->external_ssf;
	mail_program_connect(p);
}
