/* SPDX-License-Identifier: ISC */
#include "inbound/batch.h"

#include "base/buf.h"
#include "base/fs.h"
#include "delivery/message_json.h"
#include "inbound/placing.h"
#include "inbound/risk.h"
#include "mime/mime_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a message may take, both attempts together: so much, and more for a
 * large one. */
#define PARSE_MS 20000
#define PARSE_BYTES_PER_MS 1024
#define WAIT_MS 300000 /* for a worker, when others have much to do */

/* After so long, what is ready is published before the rest is prepared: a
 * message that stalls the worker holds up no earlier one. */
#define SHARE_MS 5000

/* What messages may have in memory: one, and all of a batch.  More goes through
 * a file. */
#define RAW_MEMORY_MAX (512u * 1024)
#define BATCH_MEMORY_MAX (5u * 1024 * 1024)

#define REPORT_TEXT_MAX 500           /* bytes of From and Subject */
#define JSON_MAX (128u * 1024 * 1024) /* beyond what mime_limits allow */

static const char raw_name[] = "raw.eml";

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
	b->raw_fd = openat(m->stage.fd, raw_name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (b->raw_fd < 0 || fs_write_all(b->raw_fd, m->raw.data, m->raw.len))
		return fail_write(raw_name, err);
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
			   ? fail_write(raw_name, err)
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

/* A header field for a line of text: no control characters, not too long, and
 * cut between characters. */
static char *
report_text(const char *text)
{
	struct buf line = BUF_INIT(REPORT_TEXT_MAX);
	size_t len = text ? strlen(text) : 0;

	if (len > REPORT_TEXT_MAX) {
		len = REPORT_TEXT_MAX;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len)
		buf_add_printable(&line, text, len, len);
	return buf_take(&line);
}

static enum mt_status
write_file(
    int dir, const char *name, const struct buf *text, struct mt_error *err)
{
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	enum mt_status status = MT_OK;

	if (fd < 0 || fs_write_all(fd, text->data, text->len))
		status = fail_write(name, err);
	if (fd >= 0 && close(fd) && status == MT_OK)
		status = fail_write(name, err);
	return status;
}

/* Writes message.json, and keeps of the message what the report needs. */
static enum mt_status
describe(struct batch *b, struct batch_message *m,
    const struct mime_message *mime, struct mt_error *err)
{
	struct buf json = BUF_INIT(JSON_MAX);
	struct message_origin origin = {
	    .handle = m->handle,
	    .imap_uid = m->uid,
	    .uidvalidity = b->mailbox->uidvalidity,
	    .message_size = m->bytes,
	};
	enum mt_status status = message_json_write(&json, mime, &origin, err);

	if (status == MT_OK)
		status = write_file(m->stage.fd, "message.json", &json, err);
	buf_done(&json);
	if (status != MT_OK)
		return status;
	m->sender = report_text(mime->from);
	m->subject = report_text(mime->subject);
	if (!m->sender || !m->subject)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	return MT_OK;
}

static enum mt_status
announce(struct batch *b, struct batch_message *m, struct mt_error *err)
{
	char defect[160];
	char *defects[] = {defect};
	struct mime_message mime = {
	    .defects = defects, .defect_count = 1, .truncated = true};

	snprintf(defect, sizeof(defect),
	    "the message has %" PRIu64 " bytes or more, which is beyond the "
	    "maximum of %" PRIu64 "; it was not fetched",
	    m->bytes, b->in->max_message_bytes);
	return describe(b, m, &mime, err);
}

/* A descriptor of bytes in memory that nobody can change any more, be it the
 * MIME worker. */
static int
memory_file(const struct buf *bytes)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!fs_write_all(fd, bytes->data, bytes->len) &&
	    !fcntl(fd, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -1;
}

static int
open_raw(const struct batch_message *m)
{
	if (!m->in_file)
		return memory_file(&m->raw);
	return openat(m->stage.fd, raw_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static enum mt_status
parse(const struct batch *b, const struct batch_message *m,
    struct mime_message *ret_mime, struct mt_error *err)
{
	int64_t time_ms = PARSE_MS + (int64_t)(m->bytes / PARSE_BYTES_PER_MS);
	enum mt_status status;
	int raw = open_raw(m);

	if (raw < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot read a message that has come in");
	status =
	    mime_pool_parse(b->in->mime, raw, m->stage.fd, &mime_limits_default,
		ret_mime, time_ms, deadline_in_ms(WAIT_MS), err);
	close(raw);
	return status;
}

/* Sees to it that raw.eml is there, or is not. */
static enum mt_status
settle_raw(struct batch_message *m, bool keep, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (keep && !m->in_file)
		status = write_file(m->stage.fd, raw_name, &m->raw, err);
	else if (!keep && m->in_file && unlinkat(m->stage.fd, raw_name, 0))
		status = fail_write(raw_name, err);
	buf_done(&m->raw);
	return status;
}

static enum mt_status
take_apart(struct batch *b, struct batch_message *m, struct mt_error *err)
{
	struct mime_message mime;
	enum mt_status status = parse(b, m, &mime, err);
	bool keep_raw;

	if (status != MT_OK)
		return status;
	identity_set_message_id(&m->identity, mime.message_id);
	status = describe(b, m, &mime, err);
	keep_raw = b->in->keep_raw || mime.defect_count || !mime.parsed;
	mime_message_done(&mime);
	return status == MT_OK ? settle_raw(m, keep_raw, err) : status;
}

static enum mt_status
prepare(struct batch *b, struct batch_message *m, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (!*m->handle) /* the first name that one would choose is not free */
		status = placing_choose(b->in, b->folder,
		    b->mailbox->uidvalidity, m->uid, m->handle, err);
	if (status == MT_OK && !*m->stage.name)
		status = publish_stage_new(b->in->publisher, &m->stage, err);
	if (status == MT_OK)
		status =
		    m->received ? take_apart(b, m, err) : announce(b, m, err);
	return status;
}

static struct inbound_message
record_of(const struct batch *b, const struct batch_message *m)
{
	return (struct inbound_message){
	    .uid = m->uid,
	    .folder = b->folder->path,
	    .handle = m->handle,
	    .staged = m->stage.name,
	    .sender = m->sender,
	    .subject = m->subject,
	    .identity = m->identity,
	};
}

/* Messages [begin, end) of a batch, which take steps 3 to 7 together. */
struct share {
	size_t begin;
	size_t end;
};

/* Step 2. */
static enum mt_status
prepare_share(struct batch *b, struct share *share, struct mt_error *err)
{
	struct deadline soon = deadline_in_ms(SHARE_MS);
	enum mt_status status = MT_OK;

	while (share->end < b->count && status == MT_OK) {
		status = prepare(b, &b->messages[share->end++], err);
		if (deadline_passed(soon))
			break;
	}
	return status;
}

/* Step 3. */
static enum mt_status
sync_staged(struct batch *b, struct share share, struct mt_error *err)
{
	const struct publish_stage *stages[WORKLIST_BATCH_MAX];
	size_t count = 0;

	for (size_t i = share.begin; i < share.end; i++)
		stages[count++] = &b->messages[i].stage;
	return publish_sync_stages(b->in->publisher, stages, count, err);
}

static enum mt_status
record_staged(struct batch *b, struct share share, struct mt_error *err)
{
	struct inbound_message records[WORKLIST_BATCH_MAX] = {0};
	bool known[WORKLIST_BATCH_MAX] = {0};
	size_t count = 0;
	enum mt_status status;

	for (size_t i = share.begin; i < share.end; i++)
		records[count++] = record_of(b, &b->messages[i]);
	status = inbound_state_stage(
	    b->in->state, b->mailbox->id, records, count, known, err);
	for (size_t i = share.begin; i < share.end && status == MT_OK; i++) {
		b->messages[i].known = known[i - share.begin];
		b->messages[i].recorded = !known[i - share.begin];
	}
	return status;
}

static enum mt_status
enter_risk(struct batch *b, struct share share, struct mt_error *err)
{
	struct manifest_paths paths = {0};
	enum mt_status status = MT_OK;

	for (size_t i = share.begin; i < share.end && status == MT_OK; i++)
		if (!b->messages[i].known)
			status = risk_add(&paths, b->folder->path,
			    b->messages[i].handle, b->messages[i].stage.fd,
			    err);
	if (status == MT_OK)
		status = risk_enter(
		    b->in, b->folder->path, &paths, MANIFEST_SET, err);
	manifest_paths_done(&paths);
	return status;
}

static enum mt_status
publish(struct batch *b, struct share share, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = share.begin; i < share.end && status == MT_OK; i++) {
		struct inbound_staged_message m = {
		    .mailbox_id = b->mailbox->id,
		    .uidvalidity = b->mailbox->uidvalidity,
		    .message = record_of(b, &b->messages[i]),
		};
		char handle[INBOUND_HANDLE_MAX];

		if (b->messages[i].known)
			continue;
		status = placing_publish(b->in, b->folder, &m, handle, err);
		if (status == MT_OK)
			memcpy(b->messages[i].handle, handle, sizeof(handle));
	}
	if (status == MT_OK)
		status = publish_folder_sync(b->in->publisher, b->folder, err);
	return status;
}

/* The cursor stops below what of the batch is still to come. */
static uint32_t
cursor_after(const struct batch *b, struct share share, uint32_t cursor)
{
	if (share.end == b->count || b->messages[share.end].uid > cursor)
		return cursor;
	return b->messages[share.end].uid - 1;
}

static enum mt_status
finish(
    struct batch *b, struct share share, uint32_t cursor, struct mt_error *err)
{
	uint32_t uids[WORKLIST_BATCH_MAX];
	size_t count = 0;

	for (size_t i = share.begin; i < share.end; i++)
		if (!b->messages[i].known)
			uids[count++] = b->messages[i].uid;
	return inbound_state_finish(b->in->state, b->mailbox->id, uids, count,
	    cursor_after(b, share, cursor), err);
}

static enum mt_status
deliver_share(
    struct batch *b, struct share share, uint32_t cursor, struct mt_error *err)
{
	enum mt_status status = sync_staged(b, share, err);

	if (status == MT_OK)
		status = record_staged(b, share, err);
	if (status == MT_OK)
		status = enter_risk(b, share, err);
	if (status == MT_OK)
		status = publish(b, share, err);
	if (status == MT_OK)
		status = finish(b, share, cursor, err);
	for (size_t i = share.begin; i < share.end && status == MT_OK; i++) {
		struct inbound_message record = record_of(b, &b->messages[i]);
		if (!b->messages[i].known)
			placing_report(b->in, &record, b->messages[i].handle);
	}
	return status;
}

static int
compare_uids(const void *a, const void *b)
{
	const struct batch_message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The plain UID for each message that can have it. */
static enum mt_status
choose_handles(struct batch *b, struct mt_error *err)
{
	uint32_t uids[WORKLIST_BATCH_MAX];
	bool available[WORKLIST_BATCH_MAX];
	enum mt_status status;

	for (size_t i = 0; i < b->count; i++)
		uids[i] = b->messages[i].uid;
	status =
	    placing_are_free(b->in, b->folder, uids, b->count, available, err);
	for (size_t i = 0; i < b->count && status == MT_OK; i++)
		if (available[i])
			inbound_handle(b->messages[i].handle, 0, uids[i], 0);
	return status;
}

enum mt_status
batch_deliver(struct batch *b, uint32_t cursor, struct mt_error *err)
{
	struct share share = {0, 0};
	enum mt_status status;

	/* in the order of the mailbox, whatever the server's */
	qsort(b->messages, b->count, sizeof(*b->messages), compare_uids);
	status = choose_handles(b, err);
	while (share.end < b->count && status == MT_OK) {
		share.begin = share.end;
		status = prepare_share(b, &share, err);
		if (status == MT_OK)
			status = deliver_share(b, share, cursor, err);
	}
	return status;
}
