/* SPDX-License-Identifier: ISC */
/*
 * Polls that somebody waits for: each is answered when all the accounts that it
 * is about have been visited once more.
 */
#ifndef MT_CONNECTOR_POLLS_H
#define MT_CONNECTOR_POLLS_H

#include "control.h"
#include "watcher.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct poll_request;

struct polls {
	TAILQ_HEAD(, poll_request) list;
	size_t count;
};

void polls_init(struct polls *polls);

/* A poll of `accounts` at most, for this peer; NULL: there are too many, and
 * the peer still wants an answer. */
struct poll_request *polls_begin(
    struct polls *polls, struct control_peer *peer, size_t accounts);

/* Asks the account for a visit. */
void polls_want(struct poll_request *poll, struct watcher *watcher);

/* All accounts are asked; without any it is answered at once. */
void polls_go(struct polls *polls, struct poll_request *poll);

/* A watcher has been visited, or is gone: `report` NULL and `number`
 * UINT64_MAX.  The report is borrowed. */
void polls_note_visit(struct polls *polls, const struct watcher *watcher,
    uint64_t number, struct json_object *report);

#endif
