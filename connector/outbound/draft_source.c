/* SPDX-License-Identifier: ISC */
#include "draft_source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "beneath.h"

#define WORKSPACE "/workspace/agents/"

/* The error number's name as Erlang spells it, such as ":enoent". */
static enum mt_status
cannot_read(const char *what, int error, struct mt_error *err)
{
	const char *name = strerrorname_np(error);
	char atom[32] = "unknown";

	for (size_t i = 0; name && i < sizeof(atom) - 1; i++) {
		atom[i] = (char)tolower((unsigned char)name[i]);
		if (!name[i])
			break;
	}
	return mt_fail(err, MT_BAD_INPUT, "cannot read %s: :%s", what, atom);
}

/*
 * The path as it is beneath the agent's directory, which the agent sees as
 * /workspace/agents/<agent>.
 */
static const char *
beneath_agent(const struct draft_source *source, const char *path)
{
	size_t len = source->agent ? strlen(source->agent) : 0;
	const char *rest = path;

	if (!len || strncmp(rest, WORKSPACE, strlen(WORKSPACE)) != 0)
		return path;
	rest += strlen(WORKSPACE);
	if (strncmp(rest, source->agent, len) != 0 || rest[len] != '/')
		return path;
	return rest + len + strspn(rest + len, "/");
}

/* Opens a file that the draft or a request names. */
static enum mt_status
open_named(const struct draft_source *source, const char *path,
    const char *what, int *ret_fd, struct mt_error *err)
{
	int dir = source->agent_dir >= 0 ? source->agent_dir : AT_FDCWD;

	*ret_fd = beneath_open(dir, beneath_agent(source, path));
	if (*ret_fd >= 0)
		return MT_OK;
	if (errno != EXDEV)
		return cannot_read(what, errno, err);
	if (source->agent_dir >= 0)
		return mt_fail(err, MT_BAD_INPUT, "path traversal rejected");
	return mt_fail(err, MT_BAD_INPUT,
	    "path traversal rejected: %s must lie beneath the current "
	    "directory, and no symbolic link may lead there",
	    what);
}

/* Opens the draft; *ret_fd may be standard input. */
static enum mt_status
open_draft(const struct draft_source *source, int *ret_fd, struct mt_error *err)
{
	if (source->agent_dir >= 0)
		return open_named(source, source->path, "draft", ret_fd, err);
	if (strcmp(source->path, "-") == 0) {
		*ret_fd = STDIN_FILENO;
		return MT_OK;
	}
	*ret_fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd >= 0 ? MT_OK : cannot_read("draft", errno, err);
}

static enum mt_status
sha256(const void *bytes, size_t len, unsigned char ret[DRAFT_DIGEST_BYTES],
    struct mt_error *err)
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, len, ret) < 0)
		return mt_fail(err, MT_BUG, "SHA-256 does not work");
	return MT_OK;
}

static enum mt_status
check_sha256(const struct buf *text, const char *expected, struct mt_error *err)
{
	unsigned char digest[DRAFT_DIGEST_BYTES];
	char hex[2 * sizeof(digest) + 1];
	enum mt_status status = sha256(buf_text(text), text->len, digest, err);

	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (status == MT_OK && strcasecmp(hex, expected) != 0)
		return mt_fail(err, MT_BAD_INPUT,
		    "the draft is not what draft_sha256 says: it was changed, "
		    "and must be approved again");
	return status;
}

static enum mt_status
read_draft(
    const struct draft_source *source, struct buf *text, struct mt_error *err)
{
	int fd;
	enum mt_status status = open_draft(source, &fd, err);

	if (status != MT_OK)
		return status;
	if (!beneath_read(fd, text))
		status = cannot_read("draft", errno, err);
	else if (!buf_ok(text))
		status = mt_fail(err, MT_BAD_INPUT,
		    "draft is longer than %d bytes", DRAFT_MAX);
	if (fd != STDIN_FILENO)
		close(fd);
	if (status == MT_OK && source->sha256)
		status = check_sha256(text, source->sha256, err);
	return status;
}

/* Reads the attachment at `index` from its file. */
static enum mt_status
read_attachment(const struct draft_source *source, struct attachment_list *list,
    size_t index, struct mt_error *err)
{
	const struct attachment *a = &list->items[index];
	struct buf content = BUF_INIT(attachment_list_room(list) + 1);
	enum mt_status status;
	char what[32];
	size_t len;
	void *bytes;
	int fd;

	snprintf(what, sizeof(what), "attachment %zu", index + 1);
	if (source->pinned_only && !a->sha256)
		return mt_fail(err, MT_BAD_INPUT,
		    "%s is a file and has no sha256, so that it may be "
		    "another one than was approved",
		    what);
	status = open_named(source, a->path, what, &fd, err);
	if (status != MT_OK)
		return status;
	if (!beneath_read(fd, &content))
		status = cannot_read(what, errno, err);
	close(fd);
	/* what did not fit is longer than all there is room for */
	len = buf_ok(&content) ? content.len : content.max;
	bytes = buf_ok(&content) ? buf_take(&content) : NULL;
	buf_done(&content);
	if (status == MT_OK && !bytes && len < content.max)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for %s", what);
	if (status == MT_OK)
		return attachment_set_content(list, index, bytes, len, err);
	free(bytes);
	return status;
}

static bool
read_hex(const char *hex, unsigned char ret[DRAFT_DIGEST_BYTES])
{
	const gnutls_datum_t text = {
	    (unsigned char *)(uintptr_t)hex, 2 * DRAFT_DIGEST_BYTES};
	size_t size = DRAFT_DIGEST_BYTES;

	return strlen(hex) == text.size &&
	       gnutls_hex_decode(&text, ret, &size) == 0;
}

/* Of a file: what it must have, or what was read. */
static enum mt_status
file_digest(const struct attachment *a, unsigned char ret[DRAFT_DIGEST_BYTES],
    struct mt_error *err)
{
	if (a->sha256 && read_hex(a->sha256, ret))
		return MT_OK;
	return a->bytes ? sha256(a->bytes, a->len, ret, err)
			: mt_fail(err, MT_BAD_INPUT, "a file was not read");
}

/* The digest of the draft's digest and of those of the files, in order. */
static enum mt_status
digest_all(const struct draft *draft,
    const unsigned char text_digest[DRAFT_DIGEST_BYTES],
    unsigned char ret_digest[DRAFT_DIGEST_BYTES], struct mt_error *err)
{
	struct buf all = BUF_INIT((ATTACHMENTS_MAX + 1) * DRAFT_DIGEST_BYTES);
	unsigned char one[DRAFT_DIGEST_BYTES];
	enum mt_status status = MT_OK;

	buf_add(&all, text_digest, DRAFT_DIGEST_BYTES);
	for (size_t i = 0; i < draft->attachments.count; i++) {
		const struct attachment *a = &draft->attachments.items[i];

		if (status == MT_OK && a->path) {
			status = file_digest(a, one, err);
			buf_add(&all, one, sizeof(one));
		}
	}
	if (status == MT_OK)
		status = buf_ok(&all)
			     ? sha256(all.data, all.len, ret_digest, err)
			     : mt_fail(err, MT_NO_MEMORY, "out of memory");
	buf_done(&all);
	return status;
}

static enum mt_status
read_all(struct draft *draft, const struct draft_source *source,
    const char *text, size_t len, unsigned char ret_digest[DRAFT_DIGEST_BYTES],
    struct mt_error *err)
{
	unsigned char text_digest[DRAFT_DIGEST_BYTES];
	enum mt_status status = draft_parse(draft, text, len, err);

	for (size_t i = 0; status == MT_OK && i < draft->attachments.count; i++)
		if (draft->attachments.items[i].path)
			status = read_attachment(
			    source, &draft->attachments, i, err);
	if (status == MT_OK)
		status = sha256(text, len, text_digest, err);
	if (status == MT_OK)
		status = digest_all(draft, text_digest, ret_digest, err);
	return status;
}

enum mt_status
draft_source_read(struct draft *ret_draft, const struct draft_source *source,
    unsigned char ret_digest[DRAFT_DIGEST_BYTES], struct mt_error *err)
{
	struct buf text = BUF_INIT(DRAFT_MAX);
	struct draft draft = {0};
	enum mt_status status = MT_OK;

	if (source->json)
		status = read_all(
		    &draft, source, source->json, source->len, ret_digest, err);
	else
		status = read_draft(source, &text, err);
	if (status == MT_OK && !source->json)
		status = read_all(
		    &draft, source, buf_text(&text), text.len, ret_digest, err);
	buf_done(&text);
	if (status == MT_OK)
		*ret_draft = draft;
	else
		draft_done(&draft);
	return status;
}

/* Its files are not read: each is taken to be what the draft says it is. */
static bool
text_digest(
    const char *text, size_t len, unsigned char ret_digest[DRAFT_DIGEST_BYTES])
{
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft = {0};
	bool named = draft_parse(&draft, text, len, NULL) == MT_OK &&
		     sha256(text, len, digest, NULL) == MT_OK &&
		     digest_all(&draft, digest, ret_digest, NULL) == MT_OK;

	draft_done(&draft);
	return named;
}

bool
draft_source_named_digest(const struct draft_source *source,
    unsigned char ret_digest[DRAFT_DIGEST_BYTES])
{
	static const struct draft without_files = {0};
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct buf text = BUF_INIT(DRAFT_MAX);
	bool named;

	if (source->json)
		return text_digest(source->json, source->len, ret_digest);
	/* what a caller at the command line names may be read only once */
	if (source->agent_dir < 0 || !source->sha256)
		return false;
	if (read_draft(source, &text, NULL) == MT_OK)
		named = text_digest(buf_text(&text), text.len, ret_digest);
	else
		named = read_hex(source->sha256, digest) &&
			digest_all(&without_files, digest, ret_digest, NULL) ==
			    MT_OK;
	buf_done(&text);
	return named;
}
