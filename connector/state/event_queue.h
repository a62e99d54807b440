/* SPDX-License-Identifier: ISC */
/*
 * What is still to be handed on: one queue for each way (a "sink") in which an
 * account's mail is announced.
 *
 * inbound_state enters an event into every queue of the account in the very
 * transaction that marks a message as done; it stays until who announces it
 * removes it.  So each is announced at least once, through any crash, and one
 * sink that is slow or gone holds up no other.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_EVENT_QUEUE_H
#define MT_STATE_EVENT_QUEUE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* A message that has become visible to agents.  Texts are never NULL. */
struct event {
	int64_t id; /* ascending in the order of their making */
	char *account;
	char *mailbox;
	uint32_t uidvalidity;
	uint32_t uid;
	char *folder; /* relative to the workspace */
	char *handle; /* name of its directory there */
	char *sender; /* From, decoded, without control characters */
	char *subject;
};

struct event_list {
	struct event *events;
	size_t count;
};

void event_list_done(struct event_list *list);

/*
 * Gives an account the queue `sink` and returns its number.  From then on each
 * message of the account enters it; those before do not.
 */
enum mt_status event_queue_open(struct state *state, const char *account,
    const char *sink, int64_t *ret_queue, struct mt_error *err) MT_MUST_CHECK;

/* Ends the queue `sink` of an account, if there is one; *ret_lost is how many
 * events were still in it. */
enum mt_status event_queue_close(struct state *state, const char *account,
    const char *sink, uint64_t *ret_lost, struct mt_error *err) MT_MUST_CHECK;

/* The first events of a queue, `max` at most; event_list_done releases them. */
enum mt_status event_queue_first(struct state *state, int64_t queue, size_t max,
    struct event_list *ret_list, struct mt_error *err) MT_MUST_CHECK;

/* Removes the events up to and with `last_id`. */
enum mt_status event_queue_remove(struct state *state, int64_t queue,
    int64_t last_id, struct mt_error *err) MT_MUST_CHECK;

enum mt_status event_queue_length(struct state *state, int64_t queue,
    uint64_t *ret_length, struct mt_error *err) MT_MUST_CHECK;

/* Whether a queue of the account holds `max` events or more.  An event has
 * less than 8 KiB, so that a bound on their number is one on their size. */
enum mt_status event_queue_is_full(struct state *state, const char *account,
    uint64_t max, bool *ret_full, struct mt_error *err) MT_MUST_CHECK;

#endif
