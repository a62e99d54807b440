/* SPDX-License-Identifier: ISC */
/*
 * Stands between an IMAP server and libetpan's parser, and lets through what
 * that parser is there for: answers to FETCH.  The rest it takes badly.  An
 * untagged response that it does not know ends the connection, a malformed
 * PERMANENTFLAGS is a null pointer, each parenthesis of a BODYSTRUCTURE,
 * asked for or not, costs stack, lines have no end and literals no limit.
 *
 * So the gate reads line by line, drops what nobody needs, and refuses what no
 * server means: the bytes of messages, literals behind "BODY[] " (or behind the
 * header fields that are asked for), are limited one by one, everything else
 * together.  RFC 3501 sections 4.3, 7 and 9.
 */
#ifndef MT_MAIL_IMAP_GATE_H
#define MT_MAIL_IMAP_GATE_H

#include "base/buf.h"
#include "mail/imap_reply.h"
#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IMAP_GATE_LINE_MAX 65536

struct imap_gate {
	struct net *net;

	/* what the command in progress may be answered with */
	bool fetching;        /* libetpan reads; else we do, all lines */
	size_t protocol_left; /* bytes, beside messages */
	uint64_t max_message; /* bytes of one, 0: none is expected */
	const char *fields;   /* not whole messages, these fields of each */
	uint32_t exists;      /* messages in the mailbox, last we heard */
	bool grew;            /* they became more; the reader clears it */

	/* where we are */
	bool in_response; /* behind a message, before the line's end */
	int depth;        /* of the response's parentheses */
	struct imap_literal dropped; /* in a response that nobody needs */
	uint64_t message_left;       /* bytes of the current message */
	size_t ready; /* bytes at the front of `input` to hand out */
	size_t front; /* where that is */
	struct buf input;
	uint64_t received; /* bytes, in all */
};

#define IMAP_GATE_INIT(connection)                                             \
	{                                                                      \
		.net = (connection), .input = BUF_INIT(IMAP_GATE_LINE_MAX)     \
	}

void imap_gate_done(struct imap_gate *gate);

/* Begins a command of our own: every line passes. */
void imap_gate_begin(struct imap_gate *gate, size_t protocol_bytes);

/* Begins a FETCH of libetpan's: see above. */
void imap_gate_begin_fetch(
    struct imap_gate *gate, size_t protocol_bytes, uint64_t max_message);

/* After that: the literals are these fields, "DATE SUBJECT", of messages, whole
 * or from the first byte on.  The text outlives the command. */
void imap_gate_expect_fields(struct imap_gate *gate, const char *fields);

/* As net_read, with what may pass; at most one line at a time. */
ssize_t imap_gate_read(struct imap_gate *gate, void *data, size_t len);

/* Has it received what it has not handed out yet? */
bool imap_gate_has_unread(const struct imap_gate *gate);

enum imap_line {
	IMAP_LINE_FAILED = -1, /* net_error() says why */
	IMAP_LINE_NONE,        /* no whole line for now */
	IMAP_LINE_READY,
};

/*
 * The next line for a command of our own, without waiting; *ret_line, without
 * its end, lives until the next call.  With `read` it takes in what has
 * arrived, else it looks only at what it has.  Nothing may be handed out by
 * half when it is called.
 */
enum imap_line imap_gate_ready_line(
    struct imap_gate *gate, bool read, const char **ret_line);

/* Lets go of the memory as far as it is not in use. */
void imap_gate_rest(struct imap_gate *gate);

enum imap_verdict {
	IMAP_PASS,
	IMAP_DROP,
	IMAP_REFUSE,
};

/*
 * What to do with one line, without its end; the heart of imap_gate_read.  For
 * IMAP_REFUSE, *ret_wrong is what is wrong, to be put behind "the server sent".
 * For a line that announces a message, gate->message_left is set.
 */
enum imap_verdict imap_gate_judge(
    struct imap_gate *gate, const char *line, const char **ret_wrong);

#endif
