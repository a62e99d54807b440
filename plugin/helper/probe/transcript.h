/* SPDX-License-Identifier: ISC */
/*
 * Follows a dialogue with a mail server line by line and keeps what a person
 * wants to know of it.  Pure.  Nothing that we send is kept, but for the name of
 * the mechanism.
 */
#ifndef MT_PROBE_TRANSCRIPT_H
#define MT_PROBE_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#define TRANSCRIPT_WORDS_MAX 512
#define TRANSCRIPT_LINE_MAX 512

struct transcript {
	bool smtp;                             /* or IMAP */
	char mechanisms[TRANSCRIPT_WORDS_MAX]; /* offered last */
	char used[32];                         /* the mechanism, or "" */
	char refusal[TRANSCRIPT_LINE_MAX];     /* its last one, or "" */
};

/* One line from the server, with or without its line end. */
void transcript_server(
    struct transcript *transcript, const char *line, size_t len);

/* One line from us. */
void transcript_client(
    struct transcript *transcript, const char *line, size_t len);

#endif
