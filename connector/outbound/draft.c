/* SPDX-License-Identifier: ISC */
#include "draft.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "draft_json.h"
#include "header.h"

#define SUBJECT_MAX 4096      /* bytes */
#define MESSAGE_ID_MAX 900    /* bytes in one: it cannot be folded */
#define MESSAGE_IDS_MAX 32768 /* bytes in all of one field */

#define DSN_NEVER 1U

/* RFC 3461 4.1 */
static const struct {
	const char *word, *notify;
	unsigned bit;
} dsn_words[] = {
    {"never", "NEVER", DSN_NEVER},
    {"success", "SUCCESS", 2},
    {"failure", "FAILURE", 4},
    {"delay", "DELAY", 8},
    {NULL, NULL, 0},
};

void
draft_done(struct draft *draft)
{
	address_list_done(&draft->to);
	address_list_done(&draft->cc);
	address_list_done(&draft->bcc);
	address_list_done(&draft->reply_to);
	free(draft->subject);
	free(draft->body);
	free(draft->body_html);
	free(draft->in_reply_to);
	free(draft->references);
	attachment_list_done(&draft->attachments);
	*draft = (struct draft){0};
}

static enum mt_status
require(struct json_object *json, const char *name, struct mt_error *err)
{
	struct json_object *value = draft_json_field(json, name);

	if (!value)
		return mt_fail(
		    err, MT_BAD_INPUT, "missing required field: %s", name);
	if (draft_json_is_empty(value))
		return mt_fail(
		    err, MT_BAD_INPUT, "empty required field: %s", name);
	return MT_OK;
}

static enum mt_status
add_addresses(struct address_list *list, struct json_object *value,
    const char *name, struct mt_error *err)
{
	if (!json_object_is_type(value, json_type_string))
		return mt_fail(
		    err, MT_BAD_INPUT, "email address must be a string");
	if (!header_text_is_clean(json_object_get_string(value),
		(size_t)json_object_get_string_len(value)))
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must not hold line breaks or other control characters",
		    name);
	return address_list_add(list, json_object_get_string(value), err);
}

/* One text, or an array of them. */
static enum mt_status
read_addresses(struct address_list *list, struct json_object *json,
    const char *name, struct mt_error *err)
{
	struct json_object *value = draft_json_field(json, name);
	enum mt_status status = MT_OK;
	size_t count;

	if (!value || draft_json_is_empty(value))
		return MT_OK;
	if (!json_object_is_type(value, json_type_array))
		return add_addresses(list, value, name, err);
	count = json_object_array_length(value);
	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = add_addresses(
		    list, json_object_array_get_idx(value, i), name, err);
	return status;
}

/* Printable ASCII without angle brackets. */
static bool
is_message_id(const char *id, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] > '~' || strchr("<>", id[i]))
			return false;
	return len > 0 && len <= MESSAGE_ID_MAX;
}

/* Appends the ids in `text` as "<id> <id>"; false if one of them is none. */
static bool
add_message_ids(struct buf *b, const char *text)
{
	while (*(text += strspn(text, " \t"))) {
		size_t len = strcspn(text, " \t");
		const char *id = text;

		text += len;
		if (len >= 2 && id[0] == '<' && id[len - 1] == '>')
			id++, len -= 2;
		if (!is_message_id(id, len))
			return false;
		buf_add_format(b, "%s<%.*s>", b->len ? " " : "", (int)len, id);
	}
	return true;
}

/*
 * Reads a list of message ids.  They are often taken from a message as they
 * were folded there, so a TAB counts as a space, and missing brackets are
 * added.
 */
static enum mt_status
read_message_ids(char **ids, struct json_object *json, const char *name,
    struct mt_error *err)
{
	struct buf b = BUF_INIT(2 * MESSAGE_IDS_MAX);
	enum mt_status status;
	char *text = NULL;

	status = draft_json_text(
	    &text, draft_json_field(json, name), name, MESSAGE_IDS_MAX, err);
	if (status == MT_OK && !add_message_ids(&b, text))
		status = mt_fail(err, MT_BAD_INPUT,
		    "%s must be message ids, such as <id@host>", name);
	if (status == MT_OK) {
		*ids = buf_take(&b);
		if (!*ids)
			status =
			    mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
	}
	buf_done(&b);
	free(text);
	return status;
}

/* The bit of a word of `dsn`, 0 if it is none. */
static unsigned
dsn_bit(const char *word, size_t len)
{
	for (size_t i = 0; dsn_words[i].word; i++)
		if (strlen(dsn_words[i].word) == len &&
		    !strncasecmp(dsn_words[i].word, word, len))
			return dsn_words[i].bit;
	return 0;
}

/* Adds the words of one text, with commas or spaces between. */
static enum mt_status
add_dsn_words(unsigned *bits, struct json_object *value, struct mt_error *err)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string))
		return mt_fail(err, MT_BAD_INPUT, "dsn must be a string");
	while (*(text += strspn(text, ", "))) {
		size_t len = strcspn(text, ", ");
		unsigned bit = dsn_bit(text, len);

		if (!bit)
			return mt_fail(err, MT_BAD_INPUT,
			    "dsn must be never, or some of success, failure, "
			    "delay");
		*bits |= bit;
		text += len;
	}
	return MT_OK;
}

static enum mt_status
read_dsn(struct draft *draft, struct json_object *json, struct mt_error *err)
{
	struct json_object *value = draft_json_field(json, "dsn");
	bool several = json_object_is_type(value, json_type_array);
	size_t count =
	    several ? json_object_array_length(value) : value != NULL;
	enum mt_status status = MT_OK;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = add_dsn_words(&bits,
		    several ? json_object_array_get_idx(value, i) : value, err);
	if (status != MT_OK)
		return status;
	if ((bits & DSN_NEVER) && bits != DSN_NEVER)
		return mt_fail(
		    err, MT_BAD_INPUT, "dsn: never goes with no other word");
	for (size_t i = 0; dsn_words[i].word; i++)
		if (bits & dsn_words[i].bit)
			n += (size_t)snprintf(draft->dsn + n,
			    sizeof(draft->dsn) - n, "%s%s", n ? "," : "",
			    dsn_words[i].notify);
	return MT_OK;
}

/* What people read. */
static enum mt_status
read_texts(struct draft *draft, struct json_object *json, struct mt_error *err)
{
	enum mt_status status = draft_json_line(&draft->subject,
	    draft_json_field(json, "subject"), "subject", SUBJECT_MAX, err);

	if (status == MT_OK)
		status = draft_json_text(&draft->body,
		    draft_json_field(json, "body"), "body", DRAFT_MAX, err);
	if (status == MT_OK)
		status = draft_json_text(&draft->body_html,
		    draft_json_field(json, "body_html"), "body_html", DRAFT_MAX,
		    err);
	return status;
}

/* The checks in the order of the contract. */
static enum mt_status
read_fields(struct draft *draft, struct json_object *json, struct mt_error *err)
{
	static const char *const known[] = {"to", "subject", "body", "cc",
	    "bcc", "reply_to", "in_reply_to", "references", "body_html",
	    "attachments", "dsn", NULL};
	enum mt_status status;

	if ((status = require(json, "to", err)) != MT_OK ||
	    (status = require(json, "subject", err)) != MT_OK ||
	    (status = require(json, "body", err)) != MT_OK ||
	    (status = read_addresses(&draft->to, json, "to", err)) != MT_OK ||
	    (status = read_addresses(&draft->cc, json, "cc", err)) != MT_OK ||
	    (status = read_addresses(&draft->bcc, json, "bcc", err)) != MT_OK ||
	    (status = read_addresses(
		 &draft->reply_to, json, "reply_to", err)) != MT_OK ||
	    (status = read_texts(draft, json, err)) != MT_OK ||
	    (status = read_message_ids(
		 &draft->in_reply_to, json, "in_reply_to", err)) != MT_OK ||
	    (status = read_message_ids(
		 &draft->references, json, "references", err)) != MT_OK ||
	    (status = attachment_list_parse(&draft->attachments,
		 draft_json_field(json, "attachments"), err)) != MT_OK ||
	    (status = read_dsn(draft, json, err)) != MT_OK)
		return status;
	return draft_json_refuse_unknown(json, known, "draft", err);
}

enum mt_status
draft_parse(
    struct draft *ret_draft, const char *text, size_t len, struct mt_error *err)
{
	struct draft draft = {0};
	enum mt_status status;
	struct json_object *json;
	bool valid;

	if (len > DRAFT_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "draft is longer than %d bytes", DRAFT_MAX);
	json = draft_json_parse(text, len, &valid);
	if (!valid)
		status =
		    mt_fail(err, MT_BAD_INPUT, "invalid JSON in draft file");
	else if (!json_object_is_type(json, json_type_object))
		status =
		    mt_fail(err, MT_BAD_INPUT, "draft must be a JSON object");
	else
		status = read_fields(&draft, json, err);
	if (status == MT_OK && draft_json_spells_nul(text, len))
		status = mt_fail(err, MT_BAD_INPUT,
		    "a name in the draft must not hold NUL characters");
	json_object_put(json);
	if (status != MT_OK) {
		draft_done(&draft);
		return status;
	}
	*ret_draft = draft;
	return MT_OK;
}
