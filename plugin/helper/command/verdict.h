/* SPDX-License-Identifier: ISC */
/*
 * What came of a login at a mail server, in one line for a person, with what to
 * do.  Pure; the rules are a table in verdict.c.
 */
#ifndef MT_COMMAND_VERDICT_H
#define MT_COMMAND_VERDICT_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>

struct verdict_facts {
	const char *account;
	const char *provider; /* its name */
	bool app_only;        /* the application itself has logged in */
	const char *service;  /* imap or smtp */
	const char *host;
	long port;
	const char *user; /* whom the server was told */
	/* as mailtoken-probe says it */
	const char *end;
	const char *tls;
	const char *mechanisms;
	const char *used;
	const char *refusal;
	const char *why;
};

/* True if the server refused, and another token may be a better one. */
bool verdict_blames_token(const struct verdict_facts *facts);

/* Writes the line, without its end, and what to do, if a rule tells.  MT_OK when
 * the login went well; a refusal is taken to be one of a token that is new. */
enum mt_status verdict_write(
    struct buf *out, struct buf *remedy, const struct verdict_facts *facts);

#endif
