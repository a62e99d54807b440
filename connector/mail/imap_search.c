/* SPDX-License-Identifier: ISC */
#include "mail/imap_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/imap_ask.h"
#include "mail/imap_search_line.h"
#include "mail/imap_uid_fetch.h"
#include "net/guard.h"

#define DAY_S 86400
#define FOUND_MAX 200000 /* messages */
#define HEADERS_PER_COMMAND 200
#define ANSWER_BYTES 1048576 /* with what the server tells beside it */

/* Answers are one line each, which has room for so many UIDs of ten digits
 * (IMAP_GATE_LINE_MAX): larger mailboxes are searched in pieces. */
#define MESSAGES_PER_SEARCH 5000

struct finding {
	uint32_t *uids;
	size_t count, capacity;
	bool wrong, no_memory;
};

static bool
take_uid(void *context, uint32_t uid)
{
	struct finding *f = context;
	size_t capacity;
	uint32_t *uids;

	if (f->count == FOUND_MAX)
		return false;
	if (f->count == f->capacity) {
		capacity = f->capacity ? f->capacity * 2 : 64;
		uids = reallocarray(f->uids, capacity, sizeof(*uids));
		f->no_memory = !uids;
		if (!uids)
			return false;
		f->uids = uids;
		f->capacity = capacity;
	}
	f->uids[f->count++] = uid;
	return true;
}

static void
take_line(void *context, const char *line, const struct imap_literal *inside)
{
	struct finding *f = context;

	if (!inside && imap_search_line_begins(line) &&
	    !imap_search_line_read(line, take_uid, f))
		f->wrong = true;
}

/* One UID SEARCH.  A tagged OK alone, as some servers send it, says that there
 * is nothing. */
static enum mt_status
search(struct imap_conn *conn, const char *criteria, const char *quoted,
    struct finding *finding, struct deadline deadline, struct mt_error *err)
{
	const struct imap_ask_taker taker = {finding, take_line};
	const struct imap_ask ask = {
	    .command = criteria,
	    .wire = quoted,
	    .what = "cannot search the mailbox",
	    .taker = &taker,
	    .max_bytes = ANSWER_BYTES,
	};
	struct imap_reply reply;
	enum mt_status status = imap_ask_run(conn, &ask, &reply, deadline, err);

	if (status != MT_OK)
		return status;
	if (finding->no_memory)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	if (!finding->wrong)
		return MT_OK;
	conn->broken = true;
	return mt_fail(err, MT_RETRY_LATER,
	    "%s answered a search with something that is not understood",
	    net_name(conn->net));
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Ascending, each once. */
static void
sort(struct finding *f)
{
	size_t kept = 0;

	if (!f->count)
		return;
	qsort(f->uids, f->count, sizeof(*f->uids), compare);
	for (size_t i = 1; i < f->count; i++)
		if (f->uids[i] != f->uids[kept])
			f->uids[++kept] = f->uids[i];
	f->count = kept + 1;
}

static enum mt_status
end(struct finding *f, enum mt_status status, uint32_t **ret_uids,
    size_t *ret_count)
{
	if (status != MT_OK) {
		free(f->uids);
		return status;
	}
	sort(f);
	*ret_uids = f->uids;
	*ret_count = f->count;
	return MT_OK;
}

enum mt_status
imap_conn_search_message_id(struct imap_conn *conn, const char *message_id,
    uint32_t **ret_uids, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct finding f = {0};
	const char *wrong = guard_mailbox(message_id); /* ASCII, printable */

	if (wrong)
		return mt_fail(err, MT_BAD_INPUT, "the Message-ID %s", wrong);
	return end(&f,
	    search(conn, "UID SEARCH HEADER Message-ID ", message_id, &f,
		deadline, err),
	    ret_uids, ret_count);
}

static void
add_day(char ret_text[16], time_t when)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = {.tm_mday = 1, .tm_year = 70};

	(void)gmtime_r(&when, &tm);
	snprintf(ret_text, 16, "%d-%s-%04d", tm.tm_mday, months[tm.tm_mon],
	    (tm.tm_year + 1900) % 10000);
}

/* The messages with the numbers from `first` on, at most as many as fit. */
static enum mt_status
search_piece(struct imap_conn *conn, uint32_t first, bool is_last, time_t date,
    struct finding *finding, struct deadline deadline, struct mt_error *err)
{
	char since[16], before[16], to[16] = "*", criteria[128];

	add_day(since, date - DAY_S);
	add_day(before, date + 2 * DAY_S);
	if (!is_last)
		snprintf(to, sizeof(to), "%u", first + MESSAGES_PER_SEARCH - 1);
	snprintf(criteria, sizeof(criteria),
	    "UID SEARCH %u:%s SENTSINCE %s SENTBEFORE %s", first, to, since,
	    before);
	return search(conn, criteria, NULL, finding, deadline, err);
}

enum mt_status
imap_conn_search_sent_on(struct imap_conn *conn, time_t date,
    uint32_t **ret_uids, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	uint32_t exists = conn->gate.exists;
	uint32_t piece = exists ? (exists - 1) / MESSAGES_PER_SEARCH + 1 : 0;
	struct finding f = {0};
	enum mt_status status = MT_OK;
	bool is_last = true;

	/* From the newest on: numbers become less when messages go, so that
	 * one that goes meanwhile hides no other. */
	for (; piece && status == MT_OK; piece--, is_last = false)
		status =
		    search_piece(conn, (piece - 1) * MESSAGES_PER_SEARCH + 1,
			is_last, date, &f, deadline, err);
	return end(&f, status, ret_uids, ret_count);
}

/* ---- headers ---- */

struct reading {
	const uint32_t *uids;
	size_t count;
	void *context;
	bool (*take)(void *context, const struct imap_header *header);
	bool enough;
};

static void
take_header(struct mailimap_msg_att *att, void *context)
{
	struct reading *r = context;
	struct imap_answer message = imap_answer_read(att);
	const char *bytes = message.body ? message.body->sec_body_part : NULL;
	struct imap_header header = {message.uid, bytes ? bytes : "", 0, false};

	if (r->enough || !message.body ||
	    !bsearch(
		&message.uid, r->uids, r->count, sizeof(*r->uids), compare))
		return;
	/* libetpan gives 0 for a quoted string */
	header.len = message.body->sec_length ? message.body->sec_length
					      : strlen(header.bytes);
	header.is_cut = header.len >= IMAP_HEADER_MAX;
	r->enough = !r->take(r->context, &header);
}

enum mt_status
imap_conn_headers(struct imap_conn *conn, const uint32_t *uids, size_t count,
    bool (*take)(void *context, const struct imap_header *header),
    void *context, struct deadline deadline, struct mt_error *err)
{
	struct reading r = {uids, count, context, take, false};
	enum mt_status status = MT_OK;
	size_t next, some;

	imap_uid_fetch_handlers(conn, take_header, NULL, &r);
	for (size_t done = 0; done < count && status == MT_OK && !r.enough;
	     done += next) {
		some = count - done < HEADERS_PER_COMMAND ? count - done
							  : HEADERS_PER_COMMAND;
		imap_uid_fetch_begin(conn, deadline, some, IMAP_HEADER_MAX);
		imap_gate_expect_fields(&conn->gate, IMAP_HEADER_FIELDS);
		next = 0;
		status =
		    imap_uid_fetch(conn, imap_uid_set(uids + done, some, &next),
			IMAP_ITEMS_HEADER, err);
	}
	imap_uid_fetch_handlers(conn, NULL, NULL, NULL);
	return status;
}
