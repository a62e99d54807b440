/* SPDX-License-Identifier: ISC */
#include "inbound/batch.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What messages may have in memory: one, and all of a batch.  More goes through
 * a file. */
#define RAW_MEMORY_MAX (512u * 1024)
#define BATCH_MEMORY_MAX (5u * 1024 * 1024)

void
batch_init(struct batch *b, const struct inbound *in,
    const struct inbound_mailbox *mailbox, const struct publish_folder *folder)
{
	*b = (struct batch){
	    .in = in,
	    .mailbox = mailbox,
	    .folder = folder,
	    .raw_fd = -1,
	};
}

static void
close_raw(struct batch *b)
{
	if (b->raw_fd >= 0)
		close(b->raw_fd);
	b->raw_fd = -1;
	identity_digest_end(&b->digest, NULL);
}

static void
drop_message(struct batch *b, struct batch_message *m)
{
	if (m->recorded)
		publish_stage_close(&m->stage);
	else if (*m->stage.name)
		publish_stage_discard(b->in->publisher, &m->stage);
	buf_done(&m->raw);
	free(m->sender);
	free(m->subject);
}

void
batch_done(struct batch *b)
{
	size_t begun = b->count + b->coming;

	close_raw(b);
	for (size_t i = 0; i < begun; i++)
		drop_message(b, &b->messages[i]);
	b->count = 0;
	b->coming = false;
}

/* A failure to write the staged files; errno says why. */
static enum mt_status
fail_write(const char *name, struct mt_error *err)
{
	return mt_fail_errno(err, MT_RETRY_LATER, errno,
	    "cannot write %s in the workspace", name);
}

/* Moves what there is of the message that is coming in into a file. */
static enum mt_status
spill(struct batch *b, struct batch_message *m, struct mt_error *err)
{
	enum mt_status status =
	    publish_stage_new(b->in->publisher, &m->stage, err);

	if (status != MT_OK)
		return status;
	b->raw_fd = openat(m->stage.fd, BATCH_RAW_NAME,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (b->raw_fd < 0 || fs_write_all(b->raw_fd, m->raw.data, m->raw.len))
		return fail_write(BATCH_RAW_NAME, err);
	b->memory -= m->raw.len;
	buf_done(&m->raw);
	m->in_file = true;
	return MT_OK;
}

static enum mt_status
keep_bytes(struct batch *b, struct batch_message *m, const void *bytes,
    size_t len, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (!m->in_file && (len > RAW_MEMORY_MAX - m->raw.len ||
			       len > BATCH_MEMORY_MAX - b->memory))
		status = spill(b, m, err);
	if (status != MT_OK)
		return status;
	if (m->in_file)
		return fs_write_all(b->raw_fd, bytes, len)
			   ? fail_write(BATCH_RAW_NAME, err)
			   : MT_OK;
	buf_add(&m->raw, bytes, len);
	b->memory += len;
	return buf_ok(&m->raw)
		   ? MT_OK
		   : mt_fail(err, MT_NO_MEMORY, "no memory for a message");
}

static enum mt_status
begin_message(void *context, struct mt_error *err)
{
	struct batch *b = context;

	if (b->count == WORKLIST_BATCH_MAX)
		return mt_fail(err, MT_RETRY_LATER,
		    "the server sends more messages than it was asked for");
	b->messages[b->count] = (struct batch_message){
	    .received = true,
	    .raw = BUF_INIT(RAW_MEMORY_MAX),
	    .stage = PUBLISH_STAGE_INIT,
	};
	b->coming = true;
	return identity_digest_begin(&b->digest, err);
}

static enum mt_status
add_bytes(void *context, const void *bytes, size_t len, struct mt_error *err)
{
	struct batch *b = context;
	struct batch_message *m = &b->messages[b->count];
	enum mt_status status;

	if (len > b->in->max_message_bytes - m->bytes) {
		b->too_large = true;
		return mt_fail(err, MT_RETRY_LATER,
		    "the server sends more bytes of a message than it "
		    "announced, and than the maximum of %" PRIu64,
		    b->in->max_message_bytes);
	}
	m->bytes += len;
	identity_digest_add(&b->digest, bytes, len);
	status = keep_bytes(b, m, bytes, len, err);
	b->disk_failed = status != MT_OK;
	return status;
}

static enum mt_status
end_message(
    void *context, uint32_t uid, time_t internal_date, struct mt_error *err)
{
	struct batch *b = context;
	struct batch_message *m = &b->messages[b->count];

	if (batch_has(b, uid))
		return mt_fail(err, MT_RETRY_LATER,
		    "the server sends message %" PRIu32 " twice", uid);
	m->uid = uid;
	m->identity.internal_date = internal_date;
	m->identity.size = m->bytes;
	identity_digest_end(&b->digest, &m->identity);
	close_raw(b);
	b->coming = false;
	b->count++;
	return MT_OK;
}

struct imap_fetch_sink
batch_sink(struct batch *b)
{
	return (struct imap_fetch_sink){
	    .context = b,
	    .begin = begin_message,
	    .data = add_bytes,
	    .end = end_message,
	};
}

void
batch_add_too_large(struct batch *b, uint32_t uid, uint64_t bytes)
{
	b->messages[b->count++] = (struct batch_message){
	    .uid = uid,
	    .bytes = bytes,
	    .identity = {.size = bytes},
	    .stage = PUBLISH_STAGE_INIT,
	};
}

static const struct batch_message *
find(const struct batch *b, uint32_t uid)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->messages[i].uid == uid)
			return &b->messages[i];
	return NULL;
}

bool
batch_has(const struct batch *b, uint32_t uid)
{
	return find(b, uid) != NULL;
}

bool
batch_is_empty(const struct batch *b, uint32_t uid)
{
	const struct batch_message *m = find(b, uid);

	return m && m->bytes == 0;
}

void
batch_drop(struct batch *b, uint32_t uid)
{
	for (size_t i = 0; i < b->count; i++) {
		struct batch_message *m = &b->messages[i];
		if (m->uid != uid)
			continue;
		drop_message(b, m);
		b->count--;
		/* and the one that has begun to come in */
		memmove(m, m + 1, (b->count - i + b->coming) * sizeof(*m));
		return;
	}
}
