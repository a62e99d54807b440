/* SPDX-License-Identifier: ISC */
/*
 * The lines of an IMAP server before and during login (RFC 3501 section 7):
 * pure reading of text, no connection.
 */
#ifndef MT_MAIL_IMAP_REPLY_H
#define MT_MAIL_IMAP_REPLY_H

#include "base/status.h"
#include "mail/auth.h"

#include <stdbool.h>
#include <stddef.h>

enum imap_condition {
	IMAP_OK,
	IMAP_NO,
	IMAP_BAD,
	IMAP_PREAUTH,
	IMAP_BYE,
};

struct imap_reply {
	enum imap_condition condition;
	char code[32];      /* "UNAVAILABLE" of "[UNAVAILABLE]", else "" */
	const char *detail; /* what follows the code; ends at its first "]" */
	const char *text;   /* the rest of the line, for people */
};

/*
 * Reads "`tag` OK [CODE ...] text"; false if the line is something else.  The
 * result points into `line`.
 */
bool imap_reply_parse(
    const char *line, const char *tag, struct imap_reply *ret_reply);

/*
 * Where a response goes on in a further line, as it has a literal (RFC 3501
 * section 4.3).
 */
struct imap_literal {
	bool open;    /* the next line belongs to the response, */
	size_t bytes; /* and begins with so many bytes of the literal */
};

/*
 * Takes in the next line of a server.  False: the literal that is open has a
 * line break in it, as none has that is asked for line by line.
 */
bool imap_literal_follow(struct imap_literal *literal, const char *line);

#define IMAP_CAPABILITIES_MAX 2048 /* Dovecot's: 600 */

struct imap_capabilities {
	bool starttls;
	bool sasl_ir; /* RFC 4959 */
	bool login_disabled;
	char mechanisms[512];              /* names with spaces between */
	char words[IMAP_CAPABILITIES_MAX]; /* all of them, the same way */
};

/* Reads the words of a CAPABILITY response; `words` ends at "]" or NUL. */
void imap_capabilities_parse(
    const char *words, struct imap_capabilities *ret_capabilities);

/* Is `name` one of the words, in any case?  They end as above. */
bool imap_capabilities_have(const char *words, const char *name);

/* Is a NO or BAD the server's trouble of the moment, by its code and text? */
bool imap_reply_is_temporary(const struct imap_reply *reply);

/* What is to be added to a text that says too little, for people; or "". */
const char *imap_reply_explanation(const char *text);

/* What a refused login means (RFC 5530 section 3). */
void imap_reply_refusal(
    const struct imap_reply *reply, struct auth_reply *ret_refusal);

#endif
