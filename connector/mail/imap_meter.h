/* SPDX-License-Identifier: ISC */
/*
 * Watches what an IMAP server sends before libetpan's parser sees it.  That
 * parser reads lines of any length into memory, recurses for each parenthesis
 * of a BODYSTRUCTURE, asked for or not, and reads a literal of any size: a
 * server could make it exhaust memory or the stack.  The messages themselves,
 * literals behind "BODY[] ", are limited one by one; everything else must be
 * as small as the answers to our commands are.  RFC 3501 sections 4.3 and 9.
 */
#ifndef MT_MAIL_IMAP_METER_H
#define MT_MAIL_IMAP_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAP_METER_EDGE 40

/* All zero to begin with. */
struct imap_meter {
	/* what may still come beside messages, and in one message (0: none) */
	size_t protocol_left;
	uint64_t max_message;

	uint64_t message_left;      /* bytes of the current message */
	int depth;                  /* of the current line's parentheses */
	bool quoted, escaped;       /* within a string of a FETCH response */
	size_t line;                /* bytes of the current line */
	char head[IMAP_METER_EDGE]; /* its first bytes */
	char tail[IMAP_METER_EDGE]; /* its last bytes, in a ring */
};

/* Begins a command, and says what may come as its answer. */
void imap_meter_begin(
    struct imap_meter *meter, size_t protocol_bytes, uint64_t max_message);

/*
 * Takes the next bytes.  NULL: they may be parsed; else what is wrong with
 * them, to be put behind "the server sent ".
 */
const char *imap_meter_feed(
    struct imap_meter *meter, const char *data, size_t len);

#endif
