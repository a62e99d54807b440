/* SPDX-License-Identifier: ISC */
#include "compose_body.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "draft.h"
#include "encoding.h"
#include "header.h"

#define LINE_BYTES_MAX 998 /* RFC 5322 2.1.1, without CRLF */
#define MESSAGE_TYPE "message/rfc822"

static enum mt_status
no_memory(struct mt_error *err)
{
	return mt_fail(err, MT_NO_MEMORY, "no memory for a message");
}

/* The bytes of the next line; *ret_end is what ends it. */
static size_t
line_len(const char *text, size_t len, size_t *ret_end)
{
	const char *end = memchr(text, '\n', len);
	size_t line = end ? (size_t)(end - text) : len;

	*ret_end = end ? 1 : 0;
	if (end && line && text[line - 1] == '\r') {
		line--;
		++*ret_end;
	}
	return line;
}

/* Whether it can be sent as lines of 7-bit text with CRLF behind each, and how
 * long it is then. */
static bool
is_seven_bit(const char *text, size_t len, size_t *ret_len)
{
	size_t total = 0, end;

	for (size_t at = 0; at < len;) {
		size_t line = line_len(text + at, len - at, &end);

		if (line > LINE_BYTES_MAX || memchr(text + at, '\r', line) ||
		    memchr(text + at, '\0', line))
			return false;
		for (size_t i = at; i < at + line; i++)
			if ((unsigned char)text[i] >= 0x80)
				return false;
		at += line + end;
		total += line + 2;
	}
	*ret_len = total;
	return len > 0;
}

/* A message goes as one only where it needs no encoding, which RFC 2046 5.2.1
 * does not allow it. */
static bool
goes_as_message(const struct attachment *a)
{
	size_t len;

	return !strcmp(a->content_type, MESSAGE_TYPE) &&
	       is_seven_bit(a->bytes, a->len, &len);
}

/* Nothing that is encoded can hold "=_", so only messages are looked at. */
static bool
occurs(const struct draft *draft, const char *boundary)
{
	for (size_t i = 0; i < draft->attachments.count; i++) {
		const struct attachment *a = &draft->attachments.items[i];

		if (goes_as_message(a) &&
		    memmem(a->bytes, a->len, boundary, strlen(boundary)))
			return true;
	}
	return false;
}

static enum mt_status
choose_boundary(char ret_boundary[COMPOSE_BOUNDARY_MAX],
    const struct draft *draft, const char *kind, const char *message_id,
    struct mt_error *err)
{
	unsigned char digest[32];
	char seed[1200];
	unsigned n = 0;

	do {
		int len = snprintf(
		    seed, sizeof(seed), "%s %u %s", kind, n++, message_id);
		size_t used =
		    (size_t)len < sizeof(seed) ? (size_t)len : sizeof(seed) - 1;

		if (gnutls_hash_fast(GNUTLS_DIG_SHA256, seed, used, digest) < 0)
			return mt_fail(err, MT_BUG, "SHA-256 does not work");
		snprintf(ret_boundary, COMPOSE_BOUNDARY_MAX, "=_");
		for (size_t i = 0; i < 16; i++)
			snprintf(
			    ret_boundary + 2 + 2 * i, 3, "%02x", digest[i]);
	} while (occurs(draft, ret_boundary));
	return MT_OK;
}

enum mt_status
compose_body_plan(struct compose_body *ret_body, const struct draft *draft,
    const char *message_id, struct mt_error *err)
{
	enum mt_status status;

	*ret_body = (struct compose_body){.draft = draft};
	status =
	    choose_boundary(ret_body->mixed, draft, "mixed", message_id, err);
	if (status == MT_OK)
		status = choose_boundary(ret_body->alternative, draft,
		    "alternative", message_id, err);
	return status;
}

static void
add_multipart_type(struct buf *out, const char *type, const char *boundary)
{
	struct header_writer w;

	header_begin(&w, out, "Content-Type");
	header_add_word(&w, type, strlen(type));
	header_add_param(&w, "boundary", boundary);
	header_end(&w);
}

static void
add_text_type(struct buf *out, const char *type)
{
	buf_add_format(out, "Content-Type: %s; charset=utf-8\r\n", type);
}

/* Of what there is without the attachments. */
static void
add_inner_type(struct buf *out, const struct compose_body *body)
{
	if (*body->draft->body_html)
		add_multipart_type(
		    out, "multipart/alternative", body->alternative);
	else
		add_text_type(out, "text/plain");
}

void
compose_body_add_type(struct buf *out, const struct compose_body *body)
{
	if (body->draft->attachments.count)
		add_multipart_type(out, "multipart/mixed", body->mixed);
	else
		add_inner_type(out, body);
}

/* Every line end, however it is written, becomes CRLF; the last line gets
 * one. */
static void
normalise(struct buf *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\r\n");

		buf_add(out, text, len);
		buf_add_text(out, "\r\n");
		text += len;
		if (text[0] == '\r' && text[1] == '\n')
			text += 2;
		else if (*text)
			text++;
	}
}

/* Whether base64 is shorter: 4/3 for each byte against 3 for an escaped one. */
static bool
prefers_base64(const char *text, size_t len)
{
	size_t escaped = 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x7f || text[i] == '=')
			escaped++;
	return escaped > len / 6;
}

/* The rest of a text part behind its type. */
static enum mt_status
add_text(struct buf *out, const char *text, struct mt_error *err)
{
	struct buf lines = BUF_INIT(2 * DRAFT_MAX + 2);
	bool base64;

	normalise(&lines, text);
	if (!buf_ok(&lines))
		return no_memory(err);
	base64 = prefers_base64(lines.data, lines.len);
	buf_add_format(out, "Content-Transfer-Encoding: %s\r\n\r\n",
	    base64 ? "base64" : "quoted-printable");
	if (base64)
		encoding_add_base64_lines(out, lines.data, lines.len);
	else
		encoding_add_quoted_printable(out, lines.data, lines.len);
	buf_done(&lines);
	return MT_OK;
}

/* The line before a part.  The CRLF that begins it belongs to it; in front of
 * the first part it is the one that ends the header. */
static void
add_delimiter(struct buf *out, const char *boundary, const char *end)
{
	buf_add_format(out, "\r\n--%s%s\r\n", boundary, end);
}

static enum mt_status
add_inner(
    struct buf *out, const struct compose_body *body, struct mt_error *err)
{
	const struct draft *draft = body->draft;
	enum mt_status status;

	if (!*draft->body_html)
		return add_text(out, draft->body, err);
	add_delimiter(out, body->alternative, "");
	add_text_type(out, "text/plain");
	status = add_text(out, draft->body, err);
	add_delimiter(out, body->alternative, "");
	add_text_type(out, "text/html");
	if (status == MT_OK)
		status = add_text(out, draft->body_html, err);
	add_delimiter(out, body->alternative, "--");
	return status;
}

/* The type, and the charset of a text that says none. */
static void
add_attachment_type(struct buf *out, const struct attachment *a)
{
	const char *type = a->content_type;
	struct header_writer w;

	if (!strcmp(type, MESSAGE_TYPE) && !goes_as_message(a))
		type = "application/octet-stream";
	header_begin(&w, out, "Content-Type");
	header_add_word(&w, type, strlen(type));
	if (!strncmp(type, "text/", 5) && !strchr(type, ';') &&
	    utf8_valid_len(a->bytes, a->len) == a->len)
		header_add_param(&w, "charset", "utf-8");
	header_add_old_param(&w, "name", a->filename);
	header_end(&w);
	header_begin(&w, out, "Content-Disposition");
	header_add_word(&w, "attachment", strlen("attachment"));
	header_add_param(&w, "filename", a->filename);
	header_end(&w);
}

static void
add_lines(struct buf *out, const char *text, size_t len)
{
	size_t end;

	for (size_t at = 0; at < len;) {
		size_t line = line_len(text + at, len - at, &end);

		buf_add(out, text + at, line);
		buf_add_text(out, "\r\n");
		at += line + end;
	}
}

static enum mt_status
add_attachment(
    struct buf *out, const struct attachment *a, struct mt_error *err)
{
	bool message = goes_as_message(a);
	size_t len;

	if (!message || !is_seven_bit(a->bytes, a->len, &len))
		len = encoding_base64_lines_len(a->len);
	if (len > out->max - out->len)
		return mt_fail(err, MT_BAD_INPUT,
		    "the message is longer than %zu bytes", out->max);
	add_attachment_type(out, a);
	buf_add_format(out, "Content-Transfer-Encoding: %s\r\n\r\n",
	    message ? "7bit" : "base64");
	if (message)
		add_lines(out, a->bytes, a->len);
	else
		encoding_add_base64_lines(out, a->bytes, a->len);
	return MT_OK;
}

static enum mt_status
add_mixed(
    struct buf *out, const struct compose_body *body, struct mt_error *err)
{
	const struct attachment_list *list = &body->draft->attachments;
	enum mt_status status;

	add_delimiter(out, body->mixed, "");
	add_inner_type(out, body);
	status = add_inner(out, body, err);
	for (size_t i = 0; i < list->count && status == MT_OK; i++) {
		add_delimiter(out, body->mixed, "");
		status = add_attachment(out, &list->items[i], err);
	}
	add_delimiter(out, body->mixed, "--");
	return status;
}

enum mt_status
compose_body_add(
    struct buf *out, const struct compose_body *body, struct mt_error *err)
{
	enum mt_status status = body->draft->attachments.count
				    ? add_mixed(out, body, err)
				    : add_inner(out, body, err);

	if (status == MT_OK && !buf_ok(out))
		return no_memory(err);
	return status;
}
