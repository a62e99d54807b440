/* SPDX-License-Identifier: ISC */
/*
 * What the units that make up a poll share: fetch.c leads, opening.c says what
 * mailbox it is, listing.c what is missing of it, rematch.c what of that is old
 * mail under new numbers.
 */
#ifndef MT_INBOUND_POLL_H
#define MT_INBOUND_POLL_H

#include "base/status.h"
#include "delivery/publish.h"
#include "inbound/inbound.h"
#include "inbound/worklist.h"
#include "mail/imap_conn.h"
#include "state/mailbox_state.h"

#define POLL_COMMAND_MS 60000
#define POLL_MIN_BYTES_PER_MS 32

struct dispatch;
struct relay;

struct poll {
	const struct inbound *in;
	struct imap_conn *conn;
	struct imap_mailbox opened;
	struct inbound_mailbox mailbox;
	struct publish_folder folder;
	struct worklist list;
	struct relay *relay; /* delivers one batch while the next comes in */
	struct dispatch *dispatch; /* by which it does */
	uint32_t first_cursor;     /* as it was when the poll began */
	size_t total; /* messages to fetch; of a large mailbox, about */
	size_t tried; /* of them */
	size_t left;  /* of them, as it had its share */
};

/* Tells the operator. */
void poll_notice(const struct poll *poll, const char *format, ...)
    MT_PRINTF(2, 3);

/* The deadline for a command that is answered with so many bytes. */
struct deadline poll_deadline(uint64_t bytes);

/* MT_RETRY_LATER if the poll is to end. */
enum mt_status poll_check_stop(
    const struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

#endif
