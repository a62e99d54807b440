/* SPDX-License-Identifier: ISC */
#include "event_queue.h"

#include "state_db.h"

#include <stdlib.h>
#include <string.h>

/* An event keeps all that it tells of: the message's own record loses some of
 * it when it is done. */
const char event_queue_schema_1[] =
    "CREATE TABLE event_queue ("
    " id INTEGER PRIMARY KEY,"
    " account TEXT NOT NULL,"
    " sink TEXT NOT NULL,"
    " UNIQUE (account, sink));"
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " queue INTEGER NOT NULL REFERENCES event_queue (id) ON DELETE CASCADE,"
    " mailbox TEXT NOT NULL,"
    " uidvalidity INTEGER NOT NULL,"
    " uid INTEGER NOT NULL,"
    " folder TEXT NOT NULL,"
    " handle TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " subject TEXT NOT NULL);"
    "CREATE INDEX event_of_queue ON event (queue, id);";

/* What is done already makes no event again. */
const char event_queue_enter[] =
    "INSERT INTO event"
    " (queue, mailbox, uidvalidity, uid, folder, handle, sender, subject)"
    " SELECT event_queue.id, mailbox.name, mailbox.uidvalidity, message.uid,"
    " message.folder, message.handle, ifnull(message.sender, ''),"
    " ifnull(message.subject, '')"
    " FROM message JOIN mailbox ON mailbox.id = message.mailbox"
    " JOIN event_queue ON event_queue.account = mailbox.account"
    " WHERE message.mailbox = ? AND message.uid = ?"
    " AND message.staged IS NOT NULL";

void
event_list_done(struct event_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct event *e = &list->events[i];
		free(e->account);
		free(e->mailbox);
		free(e->folder);
		free(e->handle);
		free(e->sender);
		free(e->subject);
	}
	free(list->events);
	*list = (struct event_list){0};
}

static enum mt_status
open_queue(struct state *state, const char *account, const char *sink,
    int64_t *ret_queue, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "INSERT INTO event_queue (account, sink) VALUES (?, ?)"
	    " ON CONFLICT DO UPDATE SET sink = sink RETURNING id");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, sink);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		*ret_queue = state_db_number(&s, 0);
	state_db_finish(&s);
	return status;
}

enum mt_status
event_queue_open(struct state *state, const char *account, const char *sink,
    int64_t *ret_queue, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = open_queue(state, account, sink, ret_queue, err);
	return state_db_end(state, status, err);
}

/* Runs a query with one row of one number as its result. */
static enum mt_status
read_one(struct state_statement *s, uint64_t *ret_number, struct mt_error *err)
{
	bool row = false;
	enum mt_status status = state_db_step(s, &row, err);

	if (status == MT_OK)
		*ret_number = row ? (uint64_t)state_db_number(s, 0) : 0;
	state_db_finish(s);
	return status;
}

static enum mt_status
close_queue(struct state *state, const char *account, const char *sink,
    uint64_t *ret_lost, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT count(*) FROM event JOIN event_queue"
	    " ON event_queue.id = queue WHERE account = ? AND sink = ?");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, sink);
	status = read_one(&s, ret_lost, err);
	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "DELETE FROM event_queue WHERE account = ? AND sink = ?");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, sink);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
event_queue_close(struct state *state, const char *account, const char *sink,
    uint64_t *ret_lost, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = close_queue(state, account, sink, ret_lost, err);
	return state_db_end(state, status, err);
}

static enum mt_status
read_event(struct state_statement *s, struct event *e, struct mt_error *err)
{
	*e = (struct event){
	    .id = state_db_number(s, 0),
	    .uidvalidity = (uint32_t)state_db_number(s, 1),
	    .uid = (uint32_t)state_db_number(s, 2),
	    .account = strdup(state_db_text(s, 3)),
	    .mailbox = strdup(state_db_text(s, 4)),
	    .folder = strdup(state_db_text(s, 5)),
	    .handle = strdup(state_db_text(s, 6)),
	    .sender = strdup(state_db_text(s, 7)),
	    .subject = strdup(state_db_text(s, 8)),
	};
	if (!e->account || !e->mailbox || !e->folder || !e->handle ||
	    !e->sender || !e->subject)
		return mt_fail(err, MT_NO_MEMORY, "no memory for events");
	return MT_OK;
}

static enum mt_status
read_events(struct state_statement *s, size_t max, struct event_list *list,
    struct mt_error *err)
{
	enum mt_status status;
	bool row = false;

	list->events = calloc(max, sizeof(*list->events));
	if (!list->events)
		return mt_fail(err, MT_NO_MEMORY, "no memory for events");
	status = state_db_step(s, &row, err);
	while (status == MT_OK && row && list->count < max) {
		status = read_event(s, &list->events[list->count++], err);
		if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	return status;
}

enum mt_status
event_queue_first(struct state *state, int64_t queue, size_t max,
    struct event_list *ret_list, struct mt_error *err)
{
	struct event_list list = {0};
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT event.id, uidvalidity, uid, account, mailbox, folder,"
	    " handle, sender, subject"
	    " FROM event JOIN event_queue ON event_queue.id = queue"
	    " WHERE queue = ? ORDER BY event.id LIMIT ?");
	state_db_bind_number(&s, queue);
	state_db_bind_number(&s, (int64_t)max);
	status = read_events(&s, max, &list, err);
	state_db_finish(&s);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_list = list;
	else
		event_list_done(&list);
	return status;
}

enum mt_status
event_queue_remove(
    struct state *state, int64_t queue, int64_t last_id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "DELETE FROM event WHERE queue = ? AND id <= ?");
	state_db_bind_number(&s, queue);
	state_db_bind_number(&s, last_id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
event_queue_length(struct state *state, int64_t queue, uint64_t *ret_length,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "SELECT count(*) FROM event WHERE queue = ?");
	state_db_bind_number(&s, queue);
	status = read_one(&s, ret_length, err);
	return state_db_end(state, status, err);
}

enum mt_status
event_queue_is_full(struct state *state, const char *account, uint64_t max,
    bool *ret_full, struct mt_error *err)
{
	struct state_statement s;
	uint64_t full = 0;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	/* no further than to the event that decides it */
	state_db_prepare(&s, state,
	    "SELECT count(*) FROM event_queue WHERE account = ?1 AND EXISTS"
	    " (SELECT 1 FROM event WHERE queue = event_queue.id"
	    "  LIMIT 1 OFFSET ?2)");
	state_db_bind_text(&s, account);
	state_db_bind_number(&s, (int64_t)max - 1);
	status = read_one(&s, &full, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_full = full > 0;
	return status;
}
