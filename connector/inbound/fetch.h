/* SPDX-License-Identifier: ISC */
/*
 * One poll of one mailbox: what is new is delivered, and the cursor moves.
 * Decides which messages are fetched and in which order; dispatch.h delivers them.
 */
#ifndef MT_INBOUND_FETCH_H
#define MT_INBOUND_FETCH_H

#include "base/status.h"
#include "inbound/inbound.h"

struct imap_conn;

/*
 * Polls in->mailbox on a connection that is logged in.  Nothing is changed on
 * the server: the mailbox is opened read-only, bodies are fetched by BODY.PEEK.
 *
 * MT_RETRY_LATER: network, server, a full disk, or it was to stop;
 * MT_BAD_CONFIG: the workspace.  What was delivered before a failure stays
 * delivered, the rest follows in another poll.  A message whose fetch fails is
 * tried after all others from then on, so that it keeps back none; if it fails
 * again, that is the result of the poll.  The connection is unusable after a failure.
 *
 * Blocks for at most a minute and the time that the bytes take at 32 KiB/s for
 * each command, and as long as the disk does.
 */
enum mt_status fetch_poll(const struct inbound *in, struct imap_conn *conn,
    struct mt_error *err) MT_MUST_CHECK;

#endif
