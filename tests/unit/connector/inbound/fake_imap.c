/* SPDX-License-Identifier: ISC */
#include "unit/connector/inbound/fake_imap.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 1000

static const char filler_line[] = "0123456789 filler 0123456789 filler\r\n";

struct fake_message *
fake_imap_add(struct imap_conn *server, const char *text)
{
	struct fake_message *m = &server->messages[server->count++];

	if (server->count > FAKE_MESSAGES_MAX)
		abort();
	*m = (struct fake_message){.text = text, .uid = 1, .date = 1700000000};
	if (server->count > 1)
		m->uid = m[-1].uid + 1;
	return m;
}

struct fake_message *
fake_imap_find(struct imap_conn *server, uint32_t uid)
{
	for (size_t i = 0; i < server->count; i++)
		if (server->messages[i].uid == uid)
			return &server->messages[i];
	return NULL;
}

void
fake_imap_remove(struct imap_conn *server, uint32_t uid)
{
	struct fake_message *m = fake_imap_find(server, uid);
	size_t after = (size_t)(&server->messages[server->count] - m) - 1;

	memmove(m, m + 1, after * sizeof(*m));
	server->count--;
}

static uint32_t
size_of(const struct fake_message *m)
{
	if (m->announced)
		return m->announced;
	return (uint32_t)(strlen(m->text) + m->filler);
}

enum mt_status
imap_conn_examine(struct imap_conn *server, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err)
{
	(void)mailbox;
	(void)deadline;
	(void)err;
	server->examined++;
	*ret_mailbox = (struct imap_mailbox){
	    .uidvalidity = server->uidvalidity,
	    .uidnext = server->uidnext,
	    .exists = (uint32_t)server->count,
	};
	return MT_OK;
}

enum mt_status
imap_conn_divide(struct imap_conn *server, const struct imap_mailbox *mailbox,
    uint32_t first_uid, uint32_t **ret_last, size_t *ret_count,
    struct deadline deadline, struct mt_error *err)
{
	uint32_t *last = calloc(server->count + 1, sizeof(*last));
	size_t count = 0;

	(void)mailbox;
	(void)deadline;
	if (!last)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = server->piece; i && i < server->count;
	     i += server->piece)
		if (server->messages[i - 1].uid >= first_uid)
			last[count++] = server->messages[i - 1].uid;
	*ret_last = last;
	*ret_count = count;
	return MT_OK;
}

enum mt_status
imap_conn_list(struct imap_conn *server, uint32_t first_uid, uint32_t last_uid,
    struct imap_summary **ret_list, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_summary *list = calloc(server->count + 1, sizeof(*list));
	size_t count = 0;

	(void)deadline;
	server->listed++;
	server->listed_from = first_uid;
	server->fetched_when_listed = server->fetched;
	if (!list)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = 0; i < server->count; i++) {
		const struct fake_message *m = &server->messages[i];
		if (m->uid >= first_uid && m->uid <= last_uid && !m->hidden)
			list[count++] =
			    (struct imap_summary){m->uid, size_of(m)};
	}
	if (count > server->longest_list)
		server->longest_list = count;
	*ret_list = list;
	*ret_count = count;
	return MT_OK;
}

enum mt_status
imap_conn_sizes(struct imap_conn *server, const uint32_t *uids, size_t count,
    struct imap_summary **ret_list, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_summary *list = calloc(count + 1, sizeof(*list));
	size_t found = 0;

	(void)deadline;
	if (!list)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = 0; i < count; i++) {
		const struct fake_message *m = fake_imap_find(server, uids[i]);
		if (m && !m->hidden)
			list[found++] =
			    (struct imap_summary){m->uid, size_of(m)};
	}
	*ret_list = list;
	*ret_count = found;
	return MT_OK;
}

enum mt_status
imap_conn_uids(struct imap_conn *server, uint32_t first_uid, uint32_t last_uid,
    uint32_t **ret_uids, size_t *ret_count, time_t *ret_newest,
    struct deadline deadline, struct mt_error *err)
{
	uint32_t *uids = calloc(server->count + 1, sizeof(*uids));
	size_t count = 0;

	(void)deadline;
	server->all_uids++;
	if (ret_newest)
		*ret_newest = 0;
	if (!uids)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = 0; i < server->count; i++) {
		const struct fake_message *m = &server->messages[i];
		if (m->uid < first_uid || m->uid > last_uid || m->hidden)
			continue;
		uids[count++] = m->uid;
		if (ret_newest && m->date > *ret_newest)
			*ret_newest = m->date;
	}
	if (count > server->longest_list)
		server->longest_list = count;
	*ret_uids = uids;
	*ret_count = count;
	return MT_OK;
}

/* The value of the Message-ID field, as far as the tests write it. */
static void
read_message_id(const char *text, char *value, size_t size)
{
	static const char name[] = "Message-ID:";
	const char *field = strstr(text, name);
	size_t len = 0;

	if (field) {
		field += sizeof(name) - 1;
		len = strcspn(field, "\r\n");
	}
	if (len >= size)
		abort();
	memcpy(value, field ? field : "", len);
	value[len] = '\0';
}

enum mt_status
imap_conn_describe(struct imap_conn *server, const uint32_t *uids, size_t count,
    void (*take)(void *context, const struct imap_description *description),
    void *context, struct deadline deadline, struct mt_error *err)
{
	char message_id[256];

	(void)deadline;
	if (server->refuses_headers)
		return mt_fail(
		    err, MT_RETRY_LATER, "data that nobody asked for");
	for (size_t i = 0; i < count; i++) {
		const struct fake_message *m = fake_imap_find(server, uids[i]);
		struct imap_description d = {.message_id = message_id};

		if (!m || m->hidden || m->vanishes)
			continue;
		server->described++;
		d.uid = m->uid;
		d.size = size_of(m);
		d.internal_date = m->date;
		read_message_id(m->text, message_id, sizeof(message_id));
		take(context, &d);
	}
	return MT_OK;
}

/* Hands over bytes [0, len) of a message, text and filler. */
static enum mt_status
send(const struct fake_message *m, size_t len,
    const struct imap_fetch_sink *sink, struct mt_error *err)
{
	size_t text_len = strlen(m->text);
	enum mt_status status = MT_OK;

	for (size_t at = 0; at < len && status == MT_OK;) {
		char chunk[CHUNK];
		size_t n = 0;

		for (; n < CHUNK && at < len; n++, at++)
			chunk[n] = at < text_len
				       ? m->text[at]
				       : filler_line[(at - text_len) %
						     (sizeof(filler_line) - 1)];
		status = sink->data(sink->context, chunk, n, err);
	}
	return status;
}

static enum mt_status
fetch_one(const struct fake_message *m, const struct imap_fetch_sink *sink,
    struct mt_error *err)
{
	size_t len = m->empties ? 0 : strlen(m->text) + m->filler;
	enum mt_status status = sink->begin(sink->context, err);

	if (status == MT_OK)
		status = send(m, m->breaks ? len / 2 : len, sink, err);
	if (status == MT_OK && m->breaks)
		status =
		    mt_fail(err, MT_RETRY_LATER, "the connection has ended");
	if (status == MT_OK)
		status = sink->end(sink->context, m->uid, m->date, err);
	return status;
}

enum mt_status
imap_conn_fetch(struct imap_conn *server, const uint32_t *uids, size_t count,
    size_t max_bytes, const struct imap_fetch_sink *sink,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	(void)max_bytes;
	(void)deadline;
	server->fetches++;
	if (count > server->largest_fetch)
		server->largest_fetch = count;
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		const struct fake_message *m = fake_imap_find(server, uids[i]);
		if (!m || m->vanishes || m->hidden)
			continue;
		server->fetched++;
		status = fetch_one(m, sink, err);
	}
	return status;
}
