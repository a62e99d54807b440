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

struct imap_capabilities {
	bool starttls;
	bool sasl_ir; /* RFC 4959 */
	bool login_disabled;
	char mechanisms[512]; /* names with spaces between */
};

/* Reads the words of a CAPABILITY response; `words` ends at "]" or NUL. */
void imap_capabilities_parse(
    const char *words, struct imap_capabilities *ret_capabilities);

/* What is to be added to a text that says too little, for people; or "". */
const char *imap_reply_explanation(const char *text);

/* What a refused login means (RFC 5530 section 3). */
void imap_reply_refusal(
    const struct imap_reply *reply, struct auth_reply *ret_refusal);

#endif
