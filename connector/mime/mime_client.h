/* SPDX-License-Identifier: ISC */
/*
 * Takes a message apart in the MIME worker, a process of its own without
 * credentials, network or file access.  What the worker answers is as untrusted
 * as the message: lengths, names and counts are checked here again.
 */
#ifndef MT_MIME_MIME_CLIENT_H
#define MT_MIME_MIME_CLIENT_H

#include "mime_summary.h"

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is beyond these is cut, and noted as a defect. */
struct mime_limits {
	size_t max_header_bytes;       /* one decoded header field */
	size_t max_body_bytes;         /* body_text and body_html, each */
	size_t max_attachments;        /* written as files */
	uint64_t max_attachment_bytes; /* all attachments together */
};

extern const struct mime_limits mime_limits_default;

struct mime_attachment {
	char *file_name;         /* on disk: attachment-<n>-<safe name> */
	char *original_filename; /* as the sender said, UTF-8; "" if not */
	char *content_type;      /* type/subtype, lower case */
	char *content_id;        /* without <>; "" if none */
	bool is_inline;
	size_t unpacked_from; /* the number of the attachment that it was
			       * inside of; 0: of none */
	uint64_t size;        /* decoded bytes */
	char sha256[65];
};

/* All text is valid UTF-8 without NUL; absent fields are "". */
struct mime_message {
	char *message_id;
	char *from;
	char *from_address; /* the first bare address of From */
	char *to;
	char *cc;
	char *subject;
	char *date;     /* ISO 8601 UTC, or the raw field if unparsable */
	char *date_raw; /* the Date field as it came */
	char *reply_to;
	char *in_reply_to;
	char *references;
	char *body_text;
	char *body_html;
	struct mime_attachment *attachments;
	size_t attachment_count;
	struct mime_summary summaries[MIME_SUMMARIES];
	char **defects; /* sentences: what was wrong with the message */
	size_t defect_count;
	bool truncated; /* a limit cut something */
	bool parsed;    /* false: nothing but defects and raw.eml */
};

void mime_message_done(struct mime_message *message);

struct mime_client;

/*
 * `worker_path` is the program.  It is started at the first parse, and again
 * after a crash or after a fixed number of messages.
 */
struct mime_client *mime_client_new(const char *worker_path);
void mime_client_free(struct mime_client **client);

/*
 * Parses the message in `raw_fd` (a regular file, read from its start; its
 * offset moves) and writes the attachments as files into the directory
 * `dir_fd`, not yet synced.  A message that kills or stalls the worker is tried
 * once more in a new one; then MT_OK with ret_message->parsed false and a
 * defect that says so.  A message is given up on for want of time, too: the
 * deadline must be one for this call only, of which the first attempt may use
 * half.  Other results: MT_RETRY_LATER (disk full, no process, the deadline was
 * over before), MT_NO_MEMORY.
 */
enum mt_status mime_client_parse(struct mime_client *client, int raw_fd,
    int dir_fd, const struct mime_limits *limits,
    struct mime_message *ret_message, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
