/* SPDX-License-Identifier: ISC */
/*
 * The JSON of a draft: strict, and with names in every complaint.  What the
 * fields mean is for draft and attachment to say.
 */
#ifndef MT_OUTBOUND_DRAFT_JSON_H
#define MT_OUTBOUND_DRAFT_JSON_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

/*
 * Whether the text of a JSON value spells a NUL character.  json-c cuts a
 * member's name there, so that two readers of one draft would see different
 * members.
 */
bool draft_json_spells_nul(const char *text, size_t len);

/* The value in `text` (UTF-8, no NUL), *ret_valid false: it is no JSON.  NULL
 * is JSON's null, too.  Caller: json_object_put(). */
struct json_object *draft_json_parse(
    const char *text, size_t len, bool *ret_valid);

/* The member's value, borrowed; NULL for null and for what is absent. */
struct json_object *draft_json_field(
    struct json_object *json, const char *name);

/* "" or []. */
bool draft_json_is_empty(struct json_object *value);

/*
 * The text of a string, "" for NULL; no NUL in it, <= `max` bytes.  `name` is
 * what complaints call it.  Caller: free(), also when it fails.
 */
enum mt_status draft_json_text(char **ret_text, struct json_object *value,
    const char *name, size_t max, struct mt_error *err) MT_MUST_CHECK;

/* As draft_json_text; refuses control characters, so that it fits a header. */
enum mt_status draft_json_line(char **ret_text, struct json_object *value,
    const char *name, size_t max, struct mt_error *err) MT_MUST_CHECK;

/* Refuses members whose names are not in `known` (ended by NULL): "unknown
 * field in <where>: <name>". */
enum mt_status draft_json_refuse_unknown(struct json_object *json,
    const char *const *known, const char *where,
    struct mt_error *err) MT_MUST_CHECK;

#endif
