/* SPDX-License-Identifier: ISC */
/*
 * One submission connection (RFC 5321, RFC 4954, RFC 6409): connect, TLS, log
 * in, hand over one message.  The only user of libetpan for SMTP.
 */
#ifndef MT_MAIL_SMTP_CONN_H
#define MT_MAIL_SMTP_CONN_H

#include "base/deadline.h"
#include "base/status.h"
#include "mail/mail_server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_trust;
struct smtp_conn;

/* As imap_conn_open.  Never goes on without authentication. */
enum mt_status smtp_conn_open(struct smtp_conn **ret_conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Says QUIT if the connection is healthy, and releases it. */
void smtp_conn_close(struct smtp_conn **conn);

const char *smtp_conn_mechanism(const struct smtp_conn *conn);

struct smtp_envelope {
	const char *mail_from;
	const char *const *rcpt_to; /* ended by NULL */
	const void *message;        /* RFC 5322, CRLF line ends, 7-bit; UTF-8 in
			      * the header with `smtputf8` */
	size_t message_len;
	bool smtputf8; /* an address in it is not ASCII (RFC 6531) */
	/* Which reports the sender asks for, in the words of NOTIFY= (RFC
	 * 3461); NULL or "": the server's own custom.  They return the headers
	 * only (RET=HDRS). */
	const char *dsn;
	/* What the reports call the message (ENVID=), such as its Message-ID,
	 * whose angle brackets are left out; NULL, "", or more than 100 bytes:
	 * nothing.  Counts only with `dsn`. */
	const char *envid;
	/* How long the server may take to answer the final dot, also beyond
	 * the deadline (RFC 5321 4.5.3.2.6: ten minutes): to give up earlier
	 * makes duplicates.  0: until the deadline. */
	int64_t answer_ms;
};

enum smtp_result {
	SMTP_ACCEPTED,  /* 250 after the final dot */
	SMTP_DEFERRED,  /* not accepted, may be tried again (4xx, connection) */
	SMTP_REFUSED,   /* a 5xx reply of the server, or what the server
			 * announced (SIZE, no SMTPUTF8) rules it out */
	SMTP_UNCERTAIN, /* the final dot may have arrived, no answer did */
};

struct smtp_outcome {
	enum smtp_result result;
	int code;         /* of the reply that decided, 0: none */
	bool without_dsn; /* reports were asked for, and are not offered; the
			   * reply says so, too */
	char reply[400];  /* its text, printable */
};

/*
 * Sends one message: MAIL, RCPT (one refused recipient refuses the message),
 * DATA.  A message that is longer than the server's SIZE, or needs SMTPUTF8
 * where that is not offered, is refused before anything is sent, with code 0
 * and a healthy connection.  *ret_outcome is always filled.
 *
 * Returns MT_OK for SMTP_ACCEPTED, MT_REFUSED for SMTP_REFUSED, MT_RETRY_LATER
 * otherwise.  `on_data` (may be NULL) is called right before the final dot is
 * sent; if it fails, the dot is not sent, and its failure is the result.
 * MT_BAD_INPUT (with SMTP_DEFERRED): an address or the message may not go on
 * the wire, and nothing was sent.
 */
enum mt_status smtp_conn_send(struct smtp_conn *conn,
    const struct smtp_envelope *envelope,
    enum mt_status (*on_data)(void *context, struct mt_error *err),
    void *context, struct smtp_outcome *ret_outcome, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
