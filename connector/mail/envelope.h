/* SPDX-License-Identifier: ISC */
/*
 * What tells a message from others after a server has re-written its header:
 * the moment, the recipients, the subject; folding, charsets and encodings do
 * not count.  Pure reading of bytes.
 */
#ifndef MT_MAIL_ENVELOPE_H
#define MT_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct envelope {
	bool has_date;
	time_t date;
	char *subject;     /* UTF-8, one space for any white space; or "" */
	char *message_id;  /* as it came, or "" */
	char **recipients; /* To and Cc: lower case, ascending, each once */
	size_t recipient_count;
};

#define ENVELOPE_INIT                                                          \
	{                                                                      \
		.date = 0                                                      \
	}

void envelope_done(struct envelope *envelope);

/* Reads the header of a message (or some fields of it), up to its empty line.
 * False: no memory. */
bool envelope_parse(
    struct envelope *ret_envelope, const char *header, size_t len);

/* Do the two mean one message?  The same second, the same recipients (at least
 * one), the same subject. */
bool envelope_same(const struct envelope *a, const struct envelope *b);

#endif
