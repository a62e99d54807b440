/* SPDX-License-Identifier: ISC */
#include "draft.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "header.h"

#define SUBJECT_MAX 4096      /* bytes */
#define MESSAGE_ID_MAX 900    /* bytes in one: it cannot be folded */
#define MESSAGE_IDS_MAX 32768 /* bytes in all of one field */

void
draft_done(struct draft *draft)
{
	address_list_done(&draft->to);
	address_list_done(&draft->cc);
	address_list_done(&draft->bcc);
	address_list_done(&draft->reply_to);
	free(draft->subject);
	free(draft->body);
	free(draft->in_reply_to);
	free(draft->references);
	*draft = (struct draft){0};
}

/* The field's value; NULL for null and for what stands for "absent". */
static struct json_object *
field(struct json_object *json, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(json, name, &value) ? value : NULL;
}

static bool
is_empty(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string_len(value) == 0;
	return json_object_is_type(value, json_type_array) &&
	       json_object_array_length(value) == 0;
}

static enum mt_status
require(struct json_object *json, const char *name, struct mt_error *err)
{
	struct json_object *value = field(json, name);

	if (!value)
		return mt_fail(
		    err, MT_BAD_INPUT, "missing required field: %s", name);
	if (is_empty(value))
		return mt_fail(
		    err, MT_BAD_INPUT, "empty required field: %s", name);
	return MT_OK;
}

static enum mt_status
check_header_text(
    struct json_object *value, const char *name, struct mt_error *err)
{
	if (!header_text_is_clean(json_object_get_string(value),
		(size_t)json_object_get_string_len(value)))
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must not hold line breaks or other control characters",
		    name);
	return MT_OK;
}

static enum mt_status
add_addresses(struct address_list *list, struct json_object *value,
    const char *name, struct mt_error *err)
{
	enum mt_status status;

	if (!json_object_is_type(value, json_type_string))
		return mt_fail(
		    err, MT_BAD_INPUT, "email address must be a string");
	status = check_header_text(value, name, err);
	if (status != MT_OK)
		return status;
	return address_list_add(list, json_object_get_string(value), err);
}

/* One text, or an array of them. */
static enum mt_status
read_addresses(struct address_list *list, struct json_object *json,
    const char *name, struct mt_error *err)
{
	struct json_object *value = field(json, name);
	enum mt_status status = MT_OK;
	size_t count;

	if (!value || is_empty(value))
		return MT_OK;
	if (!json_object_is_type(value, json_type_array))
		return add_addresses(list, value, name, err);
	count = json_object_array_length(value);
	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = add_addresses(
		    list, json_object_array_get_idx(value, i), name, err);
	return status;
}

static enum mt_status
read_text(char **text, struct json_object *json, const char *name, size_t max,
    struct mt_error *err)
{
	struct json_object *value = field(json, name);
	size_t len;

	if (value && !json_object_is_type(value, json_type_string))
		return mt_fail(err, MT_BAD_INPUT, "%s must be a string", name);
	len = value ? (size_t)json_object_get_string_len(value) : 0;
	if (len > max)
		return mt_fail(err, MT_BAD_INPUT, "%s is longer than %zu bytes",
		    name, max);
	*text = strdup(value ? json_object_get_string(value) : "");
	if (!*text)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
	if (strlen(*text) != len)
		return mt_fail(
		    err, MT_BAD_INPUT, "%s must not hold NUL characters", name);
	return MT_OK;
}

static enum mt_status
read_subject(
    struct draft *draft, struct json_object *json, struct mt_error *err)
{
	enum mt_status status;

	status = read_text(&draft->subject, json, "subject", SUBJECT_MAX, err);
	if (status != MT_OK)
		return status;
	return check_header_text(field(json, "subject"), "subject", err);
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

	status = read_text(&text, json, name, MESSAGE_IDS_MAX, err);
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

static enum mt_status
refuse_unknown_fields(struct json_object *json, struct mt_error *err)
{
	static const char *const known[] = {"to", "subject", "body", "cc",
	    "bcc", "reply_to", "in_reply_to", "references"};

	json_object_object_foreach(json, name, value)
	{
		bool found = false;

		(void)value;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			found |= !strcmp(name, known[i]);
		if (!found)
			return mt_fail(err, MT_BAD_INPUT,
			    "unknown field in draft: %.100s", name);
	}
	return MT_OK;
}

/* The checks in the order of the contract. */
static enum mt_status
read_fields(struct draft *draft, struct json_object *json, struct mt_error *err)
{
	enum mt_status status;

	if ((status = require(json, "to", err)) != MT_OK ||
	    (status = require(json, "subject", err)) != MT_OK ||
	    (status = require(json, "body", err)) != MT_OK ||
	    (status = read_addresses(&draft->to, json, "to", err)) != MT_OK ||
	    (status = read_addresses(&draft->cc, json, "cc", err)) != MT_OK ||
	    (status = read_addresses(&draft->bcc, json, "bcc", err)) != MT_OK ||
	    (status = read_addresses(
		 &draft->reply_to, json, "reply_to", err)) != MT_OK ||
	    (status = read_subject(draft, json, err)) != MT_OK ||
	    (status = read_text(&draft->body, json, "body", DRAFT_MAX, err)) !=
		MT_OK ||
	    (status = read_message_ids(
		 &draft->in_reply_to, json, "in_reply_to", err)) != MT_OK ||
	    (status = read_message_ids(
		 &draft->references, json, "references", err)) != MT_OK)
		return status;
	return refuse_unknown_fields(json, err);
}

/* NULL: not JSON, or not UTF-8.  *ret_valid tells null from that. */
static struct json_object *
parse_json(const char *text, size_t len, bool *ret_valid)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *json = NULL;

	*ret_valid = false;
	if (!tokener)
		return NULL;
	json_tokener_set_flags(
	    tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* the NUL behind the text tells that nothing more comes */
	if (!memchr(text, '\0', len)) {
		json = json_tokener_parse_ex(tokener, text, (int)len + 1);
		*ret_valid =
		    json_tokener_get_error(tokener) == json_tokener_success;
	}
	json_tokener_free(tokener);
	return json;
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
	json = parse_json(text, len, &valid);
	if (!valid)
		status =
		    mt_fail(err, MT_BAD_INPUT, "invalid JSON in draft file");
	else if (!json_object_is_type(json, json_type_object))
		status =
		    mt_fail(err, MT_BAD_INPUT, "draft must be a JSON object");
	else
		status = read_fields(&draft, json, err);
	json_object_put(json);
	if (status != MT_OK) {
		draft_done(&draft);
		return status;
	}
	*ret_draft = draft;
	return MT_OK;
}

/* The error number's name as Erlang spells it, such as ":enoent". */
static enum mt_status
cannot_read(int error, struct mt_error *err)
{
	const char *name = strerrorname_np(error);
	char atom[32] = "unknown";

	for (size_t i = 0; name && i < sizeof(atom) - 1; i++) {
		atom[i] = (char)tolower((unsigned char)name[i]);
		if (!name[i])
			break;
	}
	return mt_fail(err, MT_BAD_INPUT, "cannot read draft: :%s", atom);
}

/* Reads to the end; one byte more than allowed is enough to know. */
static enum mt_status
read_all(struct buf *b, int fd, struct mt_error *err)
{
	char chunk[16384];
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_read(errno, err);
		buf_add(b, chunk, (size_t)n);
	} while (n != 0 && buf_ok(b));
	if (!buf_ok(b))
		return mt_fail(err, MT_BAD_INPUT,
		    "draft is longer than %d bytes", DRAFT_MAX);
	return MT_OK;
}

enum mt_status
draft_read(struct draft *ret_draft, const char *path, struct mt_error *err)
{
	struct buf text = BUF_INIT(DRAFT_MAX);
	enum mt_status status;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return cannot_read(errno, err);
	status = read_all(&text, fd, err);
	if (fd != STDIN_FILENO)
		close(fd);
	if (status == MT_OK)
		status = draft_parse(ret_draft, buf_text(&text), text.len, err);
	buf_done(&text);
	return status;
}
