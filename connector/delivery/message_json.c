/* SPDX-License-Identifier: ISC */
#include "message_json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds `value`, which may be NULL for want of memory; false if it is, or if it
 * cannot be added. */
static bool
add(struct json_object *object, const char *name, struct json_object *value)
{
	if (!value)
		return false;
	if (json_object_object_add(object, name, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool
append(struct json_object *array, struct json_object *value)
{
	if (!value)
		return false;
	if (json_object_array_add(array, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool
add_text(struct json_object *object, const char *name, const char *text)
{
	return add(object, name, json_object_new_string(text ? text : ""));
}

static bool
add_decimal(struct json_object *object, const char *name, uint32_t number)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%" PRIu32, number);
	return add_text(object, name, digits);
}

static bool
add_size(struct json_object *object, const char *name, uint64_t size)
{
	return add(object, name, json_object_new_uint64(size));
}

static bool
add_bool(struct json_object *object, const char *name, bool value)
{
	return add(object, name, json_object_new_boolean(value));
}

/* The file name of attachment `number`, "" if it is 0. */
static const char *
file_name_of(const struct mime_message *m, size_t number)
{
	return number ? m->attachments[number - 1].file_name : "";
}

static bool
fill_attachment(struct json_object *object, const struct mime_message *m,
    const struct mime_attachment *a)
{
	return add_text(object, "filename", a->file_name) &&
	       add_text(object, "content_type", a->content_type) &&
	       add_size(object, "size", a->size) &&
	       add_text(object, "original_filename", a->original_filename) &&
	       add_text(object, "sha256", a->sha256) &&
	       add_bool(object, "inline", a->is_inline) &&
	       add_text(object, "content_id", a->content_id) &&
	       add_text(
		   object, "unpacked_from", file_name_of(m, a->unpacked_from));
}

static bool
add_attachments(struct json_object *root, const struct mime_message *m)
{
	struct json_object *array = json_object_new_array();

	if (!add(root, "attachments", array))
		return false;
	for (size_t i = 0; i < m->attachment_count; i++) {
		struct json_object *object = json_object_new_object();

		if (!append(array, object) ||
		    !fill_attachment(object, m, &m->attachments[i]))
			return false;
	}
	return true;
}

static const char *const bounce_keys[MIME_BOUNCE_TEXTS] = {
    [MIME_BOUNCE_KIND] = "kind",
    [MIME_BOUNCE_ORIGINAL_MESSAGE_ID] = "original_message_id",
};

static const char *const recipient_keys[MIME_RECIPIENT_TEXTS] = {
    [MIME_RECIPIENT_ADDRESS] = "address",
    [MIME_RECIPIENT_ACTION] = "action",
    [MIME_RECIPIENT_STATUS] = "status",
    [MIME_RECIPIENT_DIAGNOSTIC] = "diagnostic",
};

static const char *const calendar_keys[MIME_CALENDAR_TEXTS] = {
    [MIME_CALENDAR_METHOD] = "method",
    [MIME_CALENDAR_COMPONENT] = "component",
    [MIME_CALENDAR_UID] = "uid",
    [MIME_CALENDAR_SEQUENCE] = "sequence",
    [MIME_CALENDAR_SUMMARY] = "summary",
    [MIME_CALENDAR_LOCATION] = "location",
    [MIME_CALENDAR_STATUS] = "status",
    [MIME_CALENDAR_START] = "start",
    [MIME_CALENDAR_START_TIMEZONE] = "start_timezone",
    [MIME_CALENDAR_END] = "end",
    [MIME_CALENDAR_END_TIMEZONE] = "end_timezone",
    [MIME_CALENDAR_RECURRENCE_ID] = "recurrence_id",
    [MIME_CALENDAR_ORGANIZER] = "organizer",
};

static const char *const attendee_keys[MIME_ATTENDEE_TEXTS] = {
    [MIME_ATTENDEE_ADDRESS] = "address",
    [MIME_ATTENDEE_NAME] = "name",
    [MIME_ATTENDEE_PARTSTAT] = "partstat",
};

/* How a summary of each kind is written. */
static const struct {
	const char *name;
	const char *const *keys;
	const char *rows_name;
	const char *const *row_keys;
} summaries[MIME_SUMMARIES] = {
    [MIME_BOUNCE] = {"bounce", bounce_keys, "recipients", recipient_keys},
    [MIME_CALENDAR] = {"calendar", calendar_keys, "attendees", attendee_keys},
};

static bool
fill_row(struct json_object *object, const struct mime_summary_row *row,
    const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!add_text(object, keys[i], row->texts[i]))
			return false;
	return true;
}

/* The texts of a summary; a calendar's sequence is a number, and its attachment
 * is named. */
static bool
fill_summary(struct json_object *object, const struct mime_message *m,
    enum mime_summary_kind kind)
{
	const struct mime_summary *s = &m->summaries[kind];

	if (!fill_row(object, s->head, summaries[kind].keys,
		mime_summary_shapes[kind].texts))
		return false;
	if (kind != MIME_CALENDAR)
		return true;
	return add(object, "sequence",
		   json_object_new_int64(strtol(
		       s->head->texts[MIME_CALENDAR_SEQUENCE], NULL, 10))) &&
	       add_text(object, "attachment", file_name_of(m, s->attachment));
}

static bool
add_rows(struct json_object *object, const struct mime_message *m,
    enum mime_summary_kind kind)
{
	const struct mime_summary *s = &m->summaries[kind];
	struct json_object *array = json_object_new_array();

	if (!add(object, summaries[kind].rows_name, array))
		return false;
	for (size_t i = 0; i < s->row_count; i++) {
		struct json_object *row = json_object_new_object();

		if (!append(array, row) ||
		    !fill_row(row, &s->rows[i], summaries[kind].row_keys,
			mime_summary_shapes[kind].row_texts))
			return false;
	}
	return true;
}

/* Adds the summaries that there are. */
static bool
add_summaries(struct json_object *root, const struct mime_message *m)
{
	for (int i = 0; i < MIME_SUMMARIES; i++) {
		enum mime_summary_kind kind = (enum mime_summary_kind)i;
		struct json_object *object;

		if (!m->summaries[kind].head)
			continue;
		object = json_object_new_object();
		if (!add(root, summaries[kind].name, object) ||
		    !fill_summary(object, m, kind) ||
		    !add_rows(object, m, kind))
			return false;
	}
	return true;
}

static bool
add_defects(struct json_object *root, const struct mime_message *m)
{
	struct json_object *array = json_object_new_array();

	if (!add(root, "defects", array))
		return false;
	for (size_t i = 0; i < m->defect_count; i++)
		if (!append(array, json_object_new_string(m->defects[i])))
			return false;
	return true;
}

static bool
add_headers(struct json_object *root, const struct mime_message *m)
{
	struct json_object *headers = json_object_new_object();

	return add(root, "headers", headers) &&
	       add_text(headers, "reply-to", m->reply_to) &&
	       add_text(headers, "in-reply-to", m->in_reply_to);
}

static bool
fill_root(struct json_object *root, const struct mime_message *m,
    const struct message_origin *origin)
{
	return add_text(root, "uid", origin->handle) &&
	       add_text(root, "message_id", m->message_id) &&
	       add_text(root, "from", m->from) &&
	       add_text(root, "from_address", m->from_address) &&
	       add_text(root, "to", m->to) && add_text(root, "cc", m->cc) &&
	       add_text(root, "subject", m->subject) &&
	       add_text(root, "date", m->date) &&
	       add_text(root, "date_raw", m->date_raw) &&
	       add_text(root, "references", m->references) &&
	       add_headers(root, m) &&
	       add_text(root, "body_text", m->body_text) &&
	       add_text(root, "body_html", m->body_html) &&
	       add_attachments(root, m) && add_summaries(root, m) &&
	       add_size(root, "message_size", origin->message_size) &&
	       add_decimal(root, "imap_uid", origin->imap_uid) &&
	       add_decimal(root, "uidvalidity", origin->uidvalidity) &&
	       add_bool(root, "truncated", m->truncated) &&
	       add_defects(root, m);
}

enum mt_status
message_json_write(struct buf *json, const struct mime_message *message,
    const struct message_origin *origin, struct mt_error *err)
{
	struct json_object *root = json_object_new_object();
	const char *text = NULL;
	size_t len = 0;

	if (root && fill_root(root, message, origin))
		text = json_object_to_json_string_length(root,
		    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			JSON_C_TO_STRING_NOSLASHESCAPE,
		    &len);
	if (text)
		buf_add(json, text, len);
	json_object_put(root);
	if (!text || !buf_ok(json))
		return mt_fail(err, MT_NO_MEMORY, "no memory for message.json");
	return MT_OK;
}
