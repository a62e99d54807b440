/* SPDX-License-Identifier: ISC */
#include "draft_json.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

bool
draft_json_spells_nul(const char *text, size_t len)
{
	for (size_t i = 0; i + 6 <= len; i++) {
		if (text[i] != '\\')
			continue;
		if (!memcmp(text + i, "\\u0000", 6))
			return true;
		i++;
	}
	return false;
}

struct json_object *
draft_json_parse(const char *text, size_t len, bool *ret_valid)
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

struct json_object *
draft_json_field(struct json_object *json, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(json, name, &value) ? value : NULL;
}

bool
draft_json_is_empty(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string_len(value) == 0;
	return json_object_is_type(value, json_type_array) &&
	       json_object_array_length(value) == 0;
}

enum mt_status
draft_json_text(char **ret_text, struct json_object *value, const char *name,
    size_t max, struct mt_error *err)
{
	size_t len;

	if (value && !json_object_is_type(value, json_type_string))
		return mt_fail(err, MT_BAD_INPUT, "%s must be a string", name);
	len = value ? (size_t)json_object_get_string_len(value) : 0;
	if (len > max)
		return mt_fail(err, MT_BAD_INPUT, "%s is longer than %zu bytes",
		    name, max);
	*ret_text = strdup(value ? json_object_get_string(value) : "");
	if (!*ret_text)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
	if (strlen(*ret_text) != len)
		return mt_fail(
		    err, MT_BAD_INPUT, "%s must not hold NUL characters", name);
	return MT_OK;
}

enum mt_status
draft_json_line(char **ret_text, struct json_object *value, const char *name,
    size_t max, struct mt_error *err)
{
	enum mt_status status =
	    draft_json_text(ret_text, value, name, max, err);

	if (status == MT_OK && !utf8_is_line(*ret_text, strlen(*ret_text)))
		return mt_fail(err, MT_BAD_INPUT,
		    "%s must not hold line breaks or other control characters",
		    name);
	return status;
}

enum mt_status
draft_json_refuse_unknown(struct json_object *json, const char *const *known,
    const char *where, struct mt_error *err)
{
	json_object_object_foreach(json, name, value)
	{
		const char *const *k = known;

		(void)value;
		while (*k && strcmp(name, *k) != 0)
			k++;
		if (!*k)
			return mt_fail(err, MT_BAD_INPUT,
			    "unknown field in %s: %.100s", where, name);
	}
	return MT_OK;
}
