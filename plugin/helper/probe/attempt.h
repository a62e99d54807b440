/* SPDX-License-Identifier: ISC */
/*
 * One login at one mail server, by libcurl: TLS 1.2 or later, chain and host
 * name verified, no login in clear.  Nothing is read or sent after it.
 */
#ifndef MT_PROBE_ATTEMPT_H
#define MT_PROBE_ATTEMPT_H

#include "transcript.h"

struct attempt {
	const char *service; /* imap or smtp */
	const char *host;
	long port;
	bool starttls; /* or TLS at once */
	const char *user;
	const char *token;
	long timeout_s;
	const char *ca_file; /* NULL: the system's */
};

/* How far it came. */
enum attempt_end {
	ATTEMPT_UNREACHABLE, /* no connection, or it broke */
	ATTEMPT_NO_TLS,      /* the server has none to offer there */
	ATTEMPT_UNTRUSTED,   /* its certificate is not good */
	ATTEMPT_NO_MECHANISM,
	ATTEMPT_REFUSED,
	ATTEMPT_DONE,
};

struct attempt_result {
	enum attempt_end end;
	char tls[64]; /* version, or "" */
	char why[256];
	struct transcript transcript;
};

/* Blocks for `timeout_s` at most, and a few seconds for the goodbye. */
void attempt_run(const struct attempt *attempt, struct attempt_result *ret);

#endif
