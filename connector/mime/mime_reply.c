/* SPDX-License-Identifier: ISC */
#include "mime_reply.h"

#include "mime_name.h"
#include "mime_reply_summary.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/utf8.h"

#define SHA256_LEN 32

/* The file that is being written. */
struct file {
	int fd; /* -1: none */
	gnutls_hash_hd_t hash;
};

struct mime_reply {
	const struct mime_limits *limits;
	int dir_fd;
	struct buf texts[MIME_FRAME_TEXTS];
	struct mime_attachment *attachments;
	size_t attachment_count;
	uint64_t attachment_bytes; /* of all */
	size_t container;          /* the last one that was not unpacked */
	struct mime_summary summaries[MIME_SUMMARIES];
	struct file file;
	char **defects;
	size_t defect_count;
	uint8_t flags; /* MIME_DONE_ */
};

static size_t
text_max(enum mime_frame_kind kind, const struct mime_limits *limits)
{
	bool is_body =
	    kind == MIME_FRAME_BODY_TEXT || kind == MIME_FRAME_BODY_HTML;

	return is_body ? limits->max_body_bytes : limits->max_header_bytes;
}

struct mime_reply *
mime_reply_new(int dir_fd, const struct mime_limits *limits)
{
	struct mime_reply *reply = calloc(1, sizeof(*reply));

	if (!reply)
		return NULL;
	reply->limits = limits;
	reply->dir_fd = dir_fd;
	reply->file.fd = -1;
	for (int kind = 0; kind < MIME_FRAME_TEXTS; kind++)
		reply->texts[kind].max =
		    text_max((enum mime_frame_kind)kind, limits);
	return reply;
}

/* Ends the file; its last bytes may be refused only now. */
static int
close_file(struct mime_reply *reply)
{
	uint8_t digest[SHA256_LEN];
	struct mime_attachment *a;
	int result;

	if (reply->file.fd < 0)
		return 0;
	gnutls_hash_deinit(reply->file.hash, digest);
	result = close(reply->file.fd);
	reply->file.fd = -1;
	a = &reply->attachments[reply->attachment_count - 1];
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(a->sha256 + 2 * i, 3, "%02x", digest[i]);
	return result;
}

void
mime_reply_free(struct mime_reply **reply)
{
	struct mime_reply *r = *reply;
	struct mime_message rest;

	if (!r)
		return;
	close_file(r);
	for (size_t i = 0; i < MIME_FRAME_TEXTS; i++)
		buf_done(&r->texts[i]);
	rest = (struct mime_message){
	    .attachments = r->attachments,
	    .attachment_count = r->attachment_count,
	    .defects = r->defects,
	    .defect_count = r->defect_count,
	};
	for (size_t i = 0; i < MIME_SUMMARIES; i++)
		mime_summary_done(&r->summaries[i]);
	mime_message_done(&rest);
	free(r);
	*reply = NULL;
}

void
mime_reply_discard(struct mime_reply *reply)
{
	close_file(reply);
	for (size_t i = 0; i < reply->attachment_count; i++)
		unlinkat(reply->dir_fd, reply->attachments[i].file_name, 0);
}

static enum mime_reply_state
no_memory(struct mt_error *err)
{
	mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	return MIME_REPLY_FAILED;
}

static enum mime_reply_state
write_failed(struct mime_reply *reply, int errnum, struct mt_error *err)
{
	const struct mime_attachment *a =
	    &reply->attachments[reply->attachment_count - 1];

	mt_fail_errno(
	    err, MT_RETRY_LATER, errnum, "cannot write %s", a->file_name);
	return MIME_REPLY_FAILED;
}

static bool
is_body(const char *text, size_t len)
{
	return utf8_valid_len(text, len) == len && !memchr(text, '\0', len);
}

/* RFC 6838 section 4.2, lower case */
static bool
is_type_name(const char *text, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				      "!#$&-^_.+";

	return len && strspn(text, allowed) >= len;
}

static bool
is_content_type(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && is_type_name(text, (size_t)(slash - text)) &&
	       is_type_name(slash + 1, strlen(slash + 1));
}

/* The characters are judged when all frames of the text are there: one may end
 * within a character. */
static enum mime_reply_state
take_text(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	struct buf *text = &reply->texts[frame->kind];

	if (frame->len > text->max - text->len)
		return MIME_REPLY_GARBAGE;
	buf_add(text, frame->data, frame->len);
	return buf_ok(text) ? MIME_REPLY_MORE : no_memory(err);
}

static enum mime_reply_state
take_defect(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	char **grown;

	if (!frame->len || frame->len > MIME_WIRE_DEFECT_MAX ||
	    reply->defect_count == MIME_WIRE_DEFECTS ||
	    !utf8_is_line(frame->data, frame->len))
		return MIME_REPLY_GARBAGE;
	grown = reallocarray(
	    reply->defects, reply->defect_count + 1, sizeof(*reply->defects));
	if (!grown)
		return no_memory(err);
	reply->defects = grown;
	grown[reply->defect_count] = strndup(frame->data, frame->len);
	if (!grown[reply->defect_count])
		return no_memory(err);
	reply->defect_count++;
	return MIME_REPLY_MORE;
}

/* Room for one more attachment, all zero; counted only when it is whole. */
static struct mime_attachment *
next_attachment(struct mime_reply *reply)
{
	struct mime_attachment *grown = reallocarray(reply->attachments,
	    reply->attachment_count + 1, sizeof(*reply->attachments));

	if (!grown)
		return NULL;
	reply->attachments = grown;
	grown += reply->attachment_count;
	*grown = (struct mime_attachment){0};
	return grown;
}

static bool
fill_attachment(struct mime_reply *reply, struct mime_attachment *a,
    const struct mime_wire_attachment *said)
{
	char name[MIME_NAME_SIZE];

	mime_name_make(reply->attachment_count, said->original_filename,
	    said->content_type, name);
	if (said->is_unpacked)
		a->unpacked_from = reply->container;
	else
		reply->container = reply->attachment_count;
	a->is_inline = said->is_inline;
	a->file_name = strdup(name);
	a->original_filename = strdup(said->original_filename);
	a->content_type = strdup(said->content_type);
	a->content_id = strdup(said->content_id);
	return a->file_name && a->original_filename && a->content_type &&
	       a->content_id;
}

/* Opens the file of the attachment added last. */
static enum mime_reply_state
open_file(struct mime_reply *reply, struct mt_error *err)
{
	const struct mime_attachment *a =
	    &reply->attachments[reply->attachment_count - 1];
	gnutls_hash_hd_t hash;
	int fd;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256))
		return no_memory(err);
	fd = openat(reply->dir_fd, a->file_name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0) {
		int error = errno;

		gnutls_hash_deinit(hash, NULL);
		return write_failed(reply, error, err);
	}
	reply->file = (struct file){fd, hash};
	return MIME_REPLY_MORE;
}

static enum mime_reply_state
take_attachment(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	struct mime_wire_attachment said;
	struct mime_attachment *a;

	if (!mime_wire_get_attachment(frame, &said) ||
	    !is_content_type(said.content_type) ||
	    !utf8_is_line(said.content_id, strlen(said.content_id)) ||
	    !utf8_is_line(
		said.original_filename, strlen(said.original_filename)) ||
	    (said.is_unpacked && !reply->container) ||
	    reply->attachment_count == reply->limits->max_attachments)
		return MIME_REPLY_GARBAGE;
	if (close_file(reply))
		return write_failed(reply, errno, err);
	a = next_attachment(reply);
	if (!a)
		return no_memory(err);
	reply->attachment_count++;
	if (!fill_attachment(reply, a, &said))
		return no_memory(err);
	return open_file(reply, err);
}

static enum mime_reply_state
take_data(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	uint64_t left =
	    reply->limits->max_attachment_bytes - reply->attachment_bytes;

	if (reply->file.fd < 0 || !frame->len || frame->len > left)
		return MIME_REPLY_GARBAGE;
	if (fs_write_all(reply->file.fd, frame->data, frame->len))
		return write_failed(reply, errno, err);
	if (gnutls_hash(reply->file.hash, frame->data, frame->len))
		return no_memory(err);
	reply->attachments[reply->attachment_count - 1].size += frame->len;
	reply->attachment_bytes += frame->len;
	return MIME_REPLY_MORE;
}

static enum mime_reply_state
take_summary(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	enum mt_status status = mime_reply_summary_take(
	    reply->summaries, frame, reply->attachment_count);

	if (status == MT_NO_MEMORY)
		return no_memory(err);
	return status == MT_OK ? MIME_REPLY_MORE : MIME_REPLY_GARBAGE;
}

static bool
texts_are_valid(const struct mime_reply *reply)
{
	for (int kind = 0; kind < MIME_FRAME_TEXTS; kind++) {
		const struct buf *text = &reply->texts[kind];
		bool body = kind == MIME_FRAME_BODY_TEXT ||
			    kind == MIME_FRAME_BODY_HTML;

		if (!text->len)
			continue;
		if (body ? !is_body(text->data, text->len)
			 : !utf8_is_line(text->data, text->len))
			return false;
	}
	return true;
}

static enum mime_reply_state
take_done(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	const uint8_t *flags = frame->data;

	if (frame->len != 1 ||
	    *flags & ~(MIME_DONE_TRUNCATED | MIME_DONE_UNPARSED) ||
	    !texts_are_valid(reply))
		return MIME_REPLY_GARBAGE;
	if (close_file(reply))
		return write_failed(reply, errno, err);
	reply->flags = *flags;
	return MIME_REPLY_DONE;
}

enum mime_reply_state
mime_reply_take(struct mime_reply *reply, const struct mime_frame *frame,
    struct mt_error *err)
{
	if (frame->kind < MIME_FRAME_TEXTS)
		return take_text(reply, frame, err);
	switch ((int)frame->kind) {
	case MIME_FRAME_ATTACHMENT:
		return take_attachment(reply, frame, err);
	case MIME_FRAME_DATA:
		return take_data(reply, frame, err);
	case MIME_FRAME_SUMMARY:
	case MIME_FRAME_ROW:
		return take_summary(reply, frame, err);
	case MIME_FRAME_DEFECT:
		return take_defect(reply, frame, err);
	case MIME_FRAME_DONE:
		return take_done(reply, frame, err);
	default:
		return MIME_REPLY_GARBAGE;
	}
}

enum mt_status
mime_reply_finish(struct mime_reply *reply, struct mime_message *ret_message,
    struct mt_error *err)
{
	struct mime_message m = {0};
	char **const texts[MIME_FRAME_TEXTS] = {
	    [MIME_FRAME_MESSAGE_ID] = &m.message_id,
	    [MIME_FRAME_FROM] = &m.from,
	    [MIME_FRAME_FROM_ADDRESS] = &m.from_address,
	    [MIME_FRAME_TO] = &m.to,
	    [MIME_FRAME_CC] = &m.cc,
	    [MIME_FRAME_SUBJECT] = &m.subject,
	    [MIME_FRAME_DATE] = &m.date,
	    [MIME_FRAME_DATE_RAW] = &m.date_raw,
	    [MIME_FRAME_REPLY_TO] = &m.reply_to,
	    [MIME_FRAME_IN_REPLY_TO] = &m.in_reply_to,
	    [MIME_FRAME_REFERENCES] = &m.references,
	    [MIME_FRAME_BODY_TEXT] = &m.body_text,
	    [MIME_FRAME_BODY_HTML] = &m.body_html,
	};

	for (size_t i = 0; i < MIME_FRAME_TEXTS; i++) {
		*texts[i] = buf_take(&reply->texts[i]);
		if (!*texts[i]) {
			mime_message_done(&m);
			return mt_fail(
			    err, MT_NO_MEMORY, "no memory for a message");
		}
	}
	memcpy(m.summaries, reply->summaries, sizeof(m.summaries));
	memset(reply->summaries, 0, sizeof(reply->summaries));
	m.attachments = reply->attachments;
	m.attachment_count = reply->attachment_count;
	m.defects = reply->defects;
	m.defect_count = reply->defect_count;
	m.truncated = reply->flags & MIME_DONE_TRUNCATED;
	m.parsed = !(reply->flags & MIME_DONE_UNPARSED);
	reply->attachments = NULL;
	reply->attachment_count = 0;
	reply->defects = NULL;
	reply->defect_count = 0;
	*ret_message = m;
	return MT_OK;
}
