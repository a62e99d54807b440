/* SPDX-License-Identifier: ISC */
#include "handon/event_text.h"

#include "base/utf8.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 500 /* bytes of From and Subject */

/* The length of what must not be in a line: control characters, U+2028 and
 * U+2029, which end lines too. */
static size_t
stray_len(const char *text)
{
	if (strncmp(text, "\xe2\x80\xa8", 3) == 0 ||
	    strncmp(text, "\xe2\x80\xa9", 3) == 0)
		return 3;
	return utf8_control_len(text);
}

static void
add_line(struct buf *b, const char *text)
{
	struct buf valid = BUF_INIT(FIELD_MAX);
	size_t n;

	buf_add_printable(&valid, text, strlen(text), FIELD_MAX);
	for (const char *p = buf_text(&valid); *p; p += n ? n : 1) {
		n = stray_len(p);
		buf_add_char(b, n ? '?' : *p);
	}
	buf_done(&valid);
}

static void
add_block(struct buf *b, const struct event *e)
{
	buf_add_format(b, "UID: %s\nFrom: ", e->handle);
	add_line(b, e->sender);
	buf_add_text(b, "\nSubject: ");
	add_line(b, e->subject);
	buf_add_format(
	    b, "\nPath: /workspace/%s/%s/message.json", e->folder, e->handle);
}

void
event_text_prompt(struct buf *b, const struct event_list *list)
{
	if (list->count == 1) {
		buf_add_text(b, "New email received.\n");
		add_block(b, &list->events[0]);
		return;
	}
	buf_add_format(b, "New emails received: %zu", list->count);
	for (size_t i = 0; i < list->count; i++) {
		buf_add_text(b, "\n\n");
		add_block(b, &list->events[i]);
	}
}

static void
add_number(struct json_object *o, const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, number);
	json_object_object_add(o, name, json_object_new_string(text));
}

static void
add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void
add_field(struct json_object *o, const char *name, const char *text)
{
	struct buf line = BUF_INIT(4 * FIELD_MAX);

	add_line(&line, text);
	add_text(o, name, buf_text(&line));
	buf_done(&line);
}

static struct json_object *
event_object(const struct event *e, const char *agent)
{
	struct json_object *o = json_object_new_object();
	char id[EVENT_ID_SIZE];
	char *path = NULL;

	event_text_id(e, 1, id);
	add_text(o, "type", "email_received");
	add_text(o, "event_id", id);
	add_text(o, "agent", agent);
	add_text(o, "account", e->account);
	add_text(o, "mailbox", e->mailbox);
	add_text(o, "uid", e->handle);
	add_number(o, "imap_uid", e->uid);
	add_number(o, "uidvalidity", e->uidvalidity);
	add_field(o, "from", e->sender);
	add_field(o, "subject", e->subject);
	if (asprintf(&path, "/workspace/%s/%s/message.json", e->folder,
		e->handle) >= 0) {
		add_text(o, "path", path);
		free(path);
	}
	return o;
}

static void
add_object(struct buf *b, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text)
		buf_add_text(b, text);
	json_object_put(o);
}

void
event_text_json(struct buf *b, const struct event *event, const char *agent)
{
	add_object(b, event_object(event, agent));
}

void
event_text_body(struct buf *b, const struct event_list *list, const char *agent)
{
	struct json_object *o = json_object_new_object();
	struct json_object *emails = json_object_new_array();
	struct buf text = BUF_INIT(b->max);
	char id[EVENT_ID_SIZE];

	event_text_id(list->events, list->count, id);
	event_text_prompt(&text, list);
	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(
		    emails, event_object(&list->events[i], agent));
	add_text(o, "type", "email_received");
	add_text(o, "event_id", id);
	add_text(o, "agent", agent);
	add_text(o, "text", buf_text(&text));
	json_object_object_add(o, "emails", emails);
	buf_done(&text);
	add_object(b, o);
}

void
event_text_id(
    const struct event *events, size_t count, char ret_id[EVENT_ID_SIZE])
{
	unsigned char digest[32];
	gnutls_hash_hd_t hash;
	char numbers[32];

	memset(digest, 0, sizeof(digest));
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) == 0) {
		for (size_t i = 0; i < count; i++) {
			const struct event *e = &events[i];
			int len = snprintf(numbers, sizeof(numbers),
			    "%" PRIu32 "/%" PRIu32, e->uidvalidity, e->uid);
			/* each part with the NUL that ends it */
			gnutls_hash(hash, e->account, strlen(e->account) + 1);
			gnutls_hash(hash, e->mailbox, strlen(e->mailbox) + 1);
			gnutls_hash(hash, numbers, (size_t)len + 1);
		}
		gnutls_hash_deinit(hash, digest);
	}
	for (size_t i = 0; i < (EVENT_ID_SIZE - 1) / 2; i++)
		snprintf(ret_id + 2 * i, 3, "%02x", digest[i]);
}
