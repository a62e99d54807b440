/* SPDX-License-Identifier: ISC */
#include "inbound/prepare.h"

#include "base/buf.h"
#include "base/fs.h"
#include "delivery/message_json.h"
#include "inbound/placing.h"
#include "mime/mime_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a message may take, both attempts together: so much, and more for a
 * large one. */
#define PARSE_MS 20000
#define PARSE_BYTES_PER_MS 1024
#define WAIT_MS 300000 /* for a worker, when others have much to do */

#define REPORT_TEXT_MAX 500           /* bytes of From and Subject */
#define JSON_MAX (128u * 1024 * 1024) /* beyond what mime_limits allow */

/* A failure to write the staged files; errno says why. */
static enum mt_status
fail_write(const char *name, struct mt_error *err)
{
	return mt_fail_errno(err, MT_RETRY_LATER, errno,
	    "cannot write %s in the workspace", name);
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
	return openat(
	    m->stage.fd, BATCH_RAW_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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
		status = write_file(m->stage.fd, BATCH_RAW_NAME, &m->raw, err);
	else if (!keep && m->in_file &&
		 unlinkat(m->stage.fd, BATCH_RAW_NAME, 0))
		status = fail_write(BATCH_RAW_NAME, err);
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

enum mt_status
prepare_message(struct batch *b, struct batch_message *m, struct mt_error *err)
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
