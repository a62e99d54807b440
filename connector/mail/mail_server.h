/* SPDX-License-Identifier: ISC */
/*
 * What it takes to reach and enter one mail server, for IMAP and submission
 * alike.  LOGIN, PLAIN, SCRAM, XOAUTH2 and OAUTHBEARER differ in `mechanisms`
 * and in whether there is a password, and nowhere else.
 */
#ifndef MT_MAIL_MAIL_SERVER_H
#define MT_MAIL_MAIL_SERVER_H

#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

enum mail_tls {
	MAIL_TLS_IMPLICIT, /* TLS from the first byte */
	MAIL_TLS_STARTTLS, /* required, before anything else is said */
	MAIL_TLS_NONE,     /* loopback, or an explicit insecure opt-in */
};

struct mail_server {
	const char *host; /* also the name in its certificate, and for SNI */
	uint16_t port;
	enum mail_tls tls;
	const char *const *mechanisms; /* by preference, ended by NULL */
	const char *authentication_id; /* login name */
	const char *authorization_id;  /* NULL: the same */
	const struct secret *password; /* NULL: the SASL module has a token */
	const char *token_socket;      /* where it asks; NULL: as it likes */
	bool login_command; /* IMAP LOGIN may stand in for a mechanism */
	int64_t reach_ms; /* from connecting to when the login can begin; 0: no
			     limit but the deadline of all */
};

/*
 * What became of the credentials in a failed login: only a caller that knows
 * that the server itself refused them reports the token and tries again.
 */
enum mail_login {
	MAIL_LOGIN_NOT_TRIED,
	MAIL_LOGIN_REJECTED, /* the server saw them and said no */
	MAIL_LOGIN_DONE,
};

#endif
