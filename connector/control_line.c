/* SPDX-License-Identifier: ISC */
#include "control_line.h"

#include "base/utf8.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 16

/* JSON allows none of the others: json-c does. */
static bool
has_control_character(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\t' &&
		    text[i] != '\r')
			return true;
	return false;
}

static bool
is_space(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

static enum mt_status
parse_object(struct control_line *line, const char *text, size_t len,
    struct mt_error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	enum json_tokener_error error;
	size_t end;

	if (!tokener)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a request");
	json_tokener_set_flags(
	    tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	line->object = json_tokener_parse_ex(tokener, text, (int)len);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (error == json_tokener_error_depth)
		return mt_fail(err, MT_BAD_INPUT,
		    "JSON is nested deeper than %d", DEPTH_MAX);
	if (error != json_tokener_success || !is_space(text + end, len - end) ||
	    !json_object_is_type(line->object, json_type_object))
		return mt_fail(err, MT_BAD_INPUT,
		    "expected one JSON object with a type on a line");
	return MT_OK;
}

enum mt_status
control_line_text(struct json_object *object, const char *name,
    const char **ret_text, struct mt_error *err)
{
	struct json_object *member = NULL;
	const char *text;

	*ret_text = NULL;
	json_object_object_get_ex(object, name, &member);
	if (!member)
		return MT_OK;
	if (!json_object_is_type(member, json_type_string))
		return mt_fail(err, MT_BAD_INPUT, "%s must be text", name);
	text = json_object_get_string(member);
	if (strlen(text) != (size_t)json_object_get_string_len(member))
		return mt_fail(
		    err, MT_BAD_INPUT, "%s must not hold a NUL", name);
	*ret_text = text;
	return MT_OK;
}

bool
control_is_request_id(const char *text)
{
	size_t len = strlen(text);

	return len && len <= CONTROL_REQUEST_ID_MAX && utf8_is_line(text, len);
}

static enum mt_status
read_request_id(struct control_line *line, struct mt_error *err)
{
	const char *id = NULL;
	struct mt_error why;
	enum mt_status status =
	    control_line_text(line->object, "request_id", &id, &why);

	if (status != MT_OK || (id && !control_is_request_id(id)))
		return mt_fail(err, MT_BAD_INPUT,
		    "request_id must be text of 1 to %d bytes without control "
		    "characters",
		    CONTROL_REQUEST_ID_MAX);
	line->request_id = id;
	return MT_OK;
}

enum mt_status
control_line_parse(struct control_line *ret_line, const char *text, size_t len,
    struct mt_error *err)
{
	struct mt_error why;
	enum mt_status status;

	*ret_line = (struct control_line){0};
	if (len > INT_MAX || utf8_valid_len(text, len) != len)
		return mt_fail(err, MT_BAD_INPUT, "a request must be UTF-8");
	if (has_control_character(text, len))
		return mt_fail(err, MT_BAD_INPUT,
		    "a request must not hold control characters");
	status = parse_object(ret_line, text, len, err);
	if (status == MT_OK)
		status = read_request_id(ret_line, err);
	if (status != MT_OK)
		return status;
	if (control_line_text(
		ret_line->object, "type", &ret_line->type, &why) != MT_OK ||
	    !ret_line->type)
		return mt_fail(err, MT_BAD_INPUT,
		    "expected one JSON object with a type on a line");
	return MT_OK;
}

void
control_line_done(struct control_line *line)
{
	json_object_put(line->object);
	*line = (struct control_line){0};
}
