/* SPDX-License-Identifier: ISC */
/*
 * Stands in for imap_conn.c at link time: a mailbox that does what no real
 * server can be told to do, such as breaking off at a certain message.
 */
#ifndef MT_TEST_FAKE_IMAP_H
#define MT_TEST_FAKE_IMAP_H

#include "mail/imap_conn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_MESSAGES_MAX 600

struct fake_message {
	uint32_t uid;
	const char *text;
	size_t filler;      /* bytes of lines after the text */
	uint32_t announced; /* size in the list; 0: the true one */
	time_t date;        /* INTERNALDATE */
	bool breaks;        /* the connection ends halfway through it */
	bool vanishes;      /* it is listed, but gone when it is fetched */
	bool empties;       /* likewise, and given as NIL */
	bool hidden;        /* not visible yet */
};

struct imap_conn {
	uint32_t uidvalidity;
	uint32_t uidnext;     /* 0: it does not say */
	bool refuses_headers; /* it cannot give single fields */
	size_t piece;         /* messages in one, when divided; 0: all */
	struct fake_message messages[FAKE_MESSAGES_MAX];
	size_t count;

	/* what it was asked */
	unsigned examined;
	unsigned listed;
	uint32_t listed_from;
	unsigned fetched_when_listed;
	size_t longest_list;
	unsigned all_uids;  /* lists of UIDs only */
	unsigned described; /* messages */
	unsigned fetches;
	size_t largest_fetch; /* messages in one command */
	unsigned fetched;     /* messages */
};

/* Adds a message with the next UID; it can be changed until it is fetched. */
struct fake_message *fake_imap_add(struct imap_conn *server, const char *text);

void fake_imap_remove(struct imap_conn *server, uint32_t uid);
struct fake_message *fake_imap_find(struct imap_conn *server, uint32_t uid);

#endif
