/* SPDX-License-Identifier: ISC */
/*
 * What a server tells of its own accord, between commands and while it is
 * watched: the untagged lines of RFC 3501 section 7, added up to what a
 * connector acts upon.  Pure reading of text, no connection.
 *
 * The messages of the opened mailbox are counted by imap_gate.h, which sees
 * every line of every command.
 */
#ifndef MT_MAIL_IMAP_NEWS_H
#define MT_MAIL_IMAP_NEWS_H

#include "mail/imap_conn.h"
#include "mail/imap_reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAP_WATCHED_MAX 64 /* mailboxes beside the opened one */
#define IMAP_BYE_MAX 200    /* bytes of the text, with its NUL */

struct imap_news {
	/* The opened mailbox has more messages than was told last. */
	bool selected_changed;
	/* NOTIFY: bit i of `others`: mailboxes[i] has changed (the first time
	 * also: is there), by its UIDNEXT, UIDVALIDITY or a growing count. */
	bool others_changed;
	uint64_t others;
	/* NOTIFY: the server has given up.  Nothing more will be told, and
	 * anything may have changed: end, look at all, begin with IDLE. */
	bool overflow;
	/* The server has ended the IDLE by itself: end, and begin again. */
	bool ended;
	/* The server ends the connection, a normal thing; what it says. */
	bool bye;
	char bye_text[IMAP_BYE_MAX];
	/* that came since the last call, whatever they were */
	uint64_t bytes;
};

/* A mailbox that NOTIFY watches. */
struct imap_watched {
	char *name;   /* as on the wire */
	char *utf8;   /* as Dovecot 2.3 gives it against RFC 3501; maybe NULL */
	bool told;    /* has the server told its status ever? */
	bool covered; /* ... since the last NOTIFY SET? */
	struct imap_mailbox status; /* last told */
};

/* What STATUS has told. */
struct imap_status {
	bool has_uidvalidity, has_uidnext, has_messages;
	struct imap_mailbox mailbox; /* 0: not told */
};

/* Reads "(MESSAGES 1 UIDNEXT 2 ...)"; false if it is something else. */
bool imap_status_items(const char *text, struct imap_status *ret_status);

/* The mailbox whose STATUS was asked for; its answer is no news. */
struct imap_question {
	const char *name; /* as on the wire */
	bool answered;
	struct imap_status answer;
};

struct imap_news_reader {
	struct imap_watched *mailboxes;
	size_t count;
	struct imap_question *question; /* NULL: none */
	struct imap_literal literal;
	bool in_status;    /* the open literal is the name in a STATUS */
	const char *wrong; /* what is wrong, behind "the server sent"; NULL */
	struct imap_news news;
};

/*
 * Takes in one untagged line, or what follows a literal in it.  After the
 * first one that cannot be, `wrong` is set and stays.
 */
void imap_news_take(struct imap_news_reader *reader, const char *line);

/* Notes "* BYE". */
void imap_news_take_bye(
    struct imap_news_reader *reader, const struct imap_reply *reply);

#define IMAP_STATUS_NAME_MAX 1024

/*
 * Reads "* STATUS name (...)": *ret_items is what follows the name, which is
 * copied to `ret_name` (IMAP_STATUS_NAME_MAX bytes; "" for a longer one).  A
 * name that is a literal is in the next line: *ret_items is NULL then.  False:
 * the line is something else.
 */
bool imap_status_begins(
    const char *line, char *ret_name, const char **ret_items);

/* The same for the line behind, which begins with `bytes` of a name. */
void imap_status_goes_on(
    const char *line, size_t bytes, char *ret_name, const char **ret_items);

/* Do the two names, as on the wire, mean one mailbox? */
bool imap_status_same_name(const char *a, const char *b);

#endif
