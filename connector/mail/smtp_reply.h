/* SPDX-License-Identifier: ISC */
/*
 * The replies of an SMTP server (RFC 5321 section 4.2): pure reading of text,
 * no connection.
 */
#ifndef MT_MAIL_SMTP_REPLY_H
#define MT_MAIL_SMTP_REPLY_H

#include "base/buf.h"
#include "mail/auth.h"

#include <stdbool.h>

#define SMTP_REPLY_MAX 32768 /* bytes of text in one reply */

struct smtp_reply {
	int code;        /* 0: no line yet */
	struct buf text; /* without codes, lines ended by LF but the last */
};

#define SMTP_REPLY_INIT                                                        \
	{                                                                      \
		.text = BUF_INIT(SMTP_REPLY_MAX)                               \
	}

void smtp_reply_done(struct smtp_reply *reply);
void smtp_reply_reset(struct smtp_reply *reply);

/*
 * Adds one line; *ret_more tells whether another follows.  False if the line
 * cannot be part of this reply: no code, or another one.
 */
bool smtp_reply_add(struct smtp_reply *reply, const char *line, bool *ret_more);

/* The text of a reply on one line, printable, for people. */
void smtp_flatten(const char *text, char *ret_text, size_t size);

struct smtp_extensions {
	bool starttls;
	bool size;            /* RFC 1870 */
	size_t size_max;      /* bytes of a message, 0: no limit is told */
	bool smtputf8;        /* RFC 6531 */
	bool dsn;             /* RFC 3461 */
	char mechanisms[512]; /* names with spaces between */
};

/* Reads the text of a reply to EHLO. */
void smtp_extensions_parse(
    const char *text, struct smtp_extensions *ret_extensions);

/* What a refused login means (RFC 4954 section 6). */
void smtp_reply_refusal(
    const struct smtp_reply *reply, struct auth_reply *ret_refusal);

#endif
