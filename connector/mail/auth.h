/* SPDX-License-Identifier: ISC */
/*
 * The dialogue of a login, which IMAP (RFC 3501 section 6.2.2, RFC 4959) and
 * SMTP (RFC 4954) have in common: initial response, challenges, cancel,
 * verdict.  How lines look is for the carrier.
 */
#ifndef MT_MAIL_AUTH_H
#define MT_MAIL_AUTH_H

#include "base/secret.h"
#include "base/status.h"
#include "mail/mail_server.h"

#include <stdbool.h>

enum auth_reply_kind {
	AUTH_CHALLENGE,
	AUTH_ACCEPTED,
	AUTH_REFUSED,
};

#define AUTH_TEXT_MAX 300

struct auth_reply {
	enum auth_reply_kind kind;
	const char *challenge;    /* base64; lives until the next reply */
	enum mt_status status;    /* AUTH_REFUSED: what to do about it */
	bool rejected;            /* AUTH_REFUSED: it was for the credentials */
	char text[AUTH_TEXT_MAX]; /* AUTH_REFUSED: the server's, printable */
};

struct auth_carrier {
	void *context;
	const char *service; /* "imap", "smtp" */
	const char *peer;    /* who it is, for error texts */
	bool tls;

	/*
	 * Sends the command that begins the login.  `initial` is the initial
	 * response in base64, NULL if the mechanism has none; *ret_sent tells
	 * whether it went along.
	 */
	enum mt_status (*begin)(void *context, const char *mechanism,
	    const struct secret *initial, bool *ret_sent, struct mt_error *err);
	/* Sends a response in base64, or "*" to cancel. */
	enum mt_status (*respond)(
	    void *context, const struct secret *response, struct mt_error *err);
	enum mt_status (*receive)(
	    void *context, struct auth_reply *ret_reply, struct mt_error *err);
};

/*
 * Logs in by `mechanism`.  Fails with what the server's refusal or the SASL
 * module says; *ret_login is MAIL_LOGIN_REJECTED only if the server itself
 * refused the credentials.
 */
enum mt_status auth_run(const struct auth_carrier *carrier,
    const struct mail_server *server, const char *mechanism,
    enum mail_login *ret_login, struct mt_error *err) MT_MUST_CHECK;

#endif
