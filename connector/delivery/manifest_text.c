/* SPDX-License-Identifier: ISC */
#include "delivery/manifest_text.h"

#include "base/utf8.h"

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define ADDED_MAX (64u * 1024 * 1024)

static const char comma[] = ",";

/* ---- paths ---- */

enum mt_status
manifest_paths_add(struct manifest_paths *list, const char *folder,
    const char *name, const char *file, struct mt_error *err)
{
	char *path = NULL;

	/* grown at each power of two */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		char **paths = reallocarray(list->paths, room, sizeof(*paths));
		if (!paths)
			return mt_fail(err, MT_NO_MEMORY, "no memory");
		list->paths = paths;
	}
	if (asprintf(&path, "%s/%s/%s", folder, name, file) < 0)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	list->paths[list->count++] = path;
	return MT_OK;
}

void
manifest_paths_done(struct manifest_paths *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct manifest_paths){0};
}

static int
compare_paths(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* ---- JSON (RFC 8259), each: what follows, or NULL if it is none ---- */

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* `p` is behind a backslash. */
static const char *
skip_escape(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p != 'u')
		return *p && strchr("\"\\/bfnrt", *p) ? p + 1 : NULL;
	if (end - p < 5)
		return NULL;
	for (int i = 1; i <= 4; i++)
		if (!is_hex(p[i]))
			return NULL;
	return p + 5;
}

static const char *
skip_string(const char *p, const char *end)
{
	if (p == end || *p++ != '"')
		return NULL;
	while (p && p < end && *p != '"') {
		if ((unsigned char)*p < ' ')
			return NULL;
		p = *p == '\\' ? skip_escape(p + 1, end) : p + 1;
	}
	return p && p < end ? p + 1 : NULL;
}

static const char *
skip_digits(const char *p, const char *end)
{
	const char *first = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > first ? p : NULL;
}

static const char *
skip_number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
	if (p && p < end && *p == '.')
		p = skip_digits(p + 1, end);
	if (p && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = skip_digits(p, end);
	}
	return p;
}

static const char *
skip_word(const char *p, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len
								     : NULL;
}

static const char *skip_value(const char *p, const char *end, unsigned depth);

/* "key": value */
static const char *
skip_member(const char *p, const char *end, unsigned depth)
{
	p = skip_string(p, end);
	if (!p)
		return NULL;
	p = skip_space(p, end);
	if (p == end || *p != ':')
		return NULL;
	return skip_value(skip_space(p + 1, end), end, depth);
}

/* An object or array, from its bracket on. */
static const char *
skip_nested(const char *p, const char *end, unsigned depth)
{
	char last = *p == '{' ? '}' : ']';

	if (depth == DEPTH_MAX)
		return NULL;
	p = skip_space(p + 1, end);
	if (p < end && *p == last)
		return p + 1;
	for (;;) {
		p = last == '}' ? skip_member(p, end, depth + 1)
				: skip_value(p, end, depth + 1);
		if (!p)
			return NULL;
		p = skip_space(p, end);
		if (p == end || (*p != ',' && *p != last))
			return NULL;
		if (*p == last)
			return p + 1;
		p = skip_space(p + 1, end);
	}
}

static const char *
skip_value(const char *p, const char *end, unsigned depth)
{
	if (p == end)
		return NULL;
	switch (*p) {
	case '{':
	case '[':
		return skip_nested(p, end, depth);
	case '"':
		return skip_string(p, end);
	case 't':
		return skip_word(p, end, "true");
	case 'f':
		return skip_word(p, end, "false");
	case 'n':
		return skip_word(p, end, "null");
	default:
		return skip_number(p, end);
	}
}

/* ---- the change ---- */

struct making {
	struct manifest_change *change;
	struct manifest_paths *paths; /* sorted */
	bool *known;                  /* by path: it is there and stays */
	enum manifest_mode mode;
	bool has_members; /* in the pieces */
};

static enum mt_status
fail_text(struct mt_error *err)
{
	return mt_fail(err, MT_BAD_INPUT, "it is not one JSON object");
}

static enum mt_status
add_piece(struct manifest_change *change, const char *begin, const char *end,
    struct mt_error *err)
{
	size_t count = change->piece_count;

	if (begin == end)
		return MT_OK;
	if ((count & (count - 1)) == 0) {
		size_t room = count ? count * 2 : 1;
		struct manifest_piece *pieces =
		    reallocarray(change->pieces, room, sizeof(*change->pieces));
		if (!pieces)
			return mt_fail(err, MT_NO_MEMORY, "no memory");
		change->pieces = pieces;
	}
	change->pieces[change->piece_count++] =
	    (struct manifest_piece){begin, (size_t)(end - begin)};
	return MT_OK;
}

/* The text of a key that has escapes in it; free(). */
static char *
unescape(const char *begin, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *text =
	    tokener ? json_tokener_parse_ex(tokener, begin, (int)len) : NULL;
	char *key = text ? strdup(json_object_get_string(text)) : strdup("");

	json_object_put(text);
	if (tokener)
		json_tokener_free(tokener);
	return key;
}

/* Which of our paths the key [begin, end), quotes included, is; -1: none. */
static ssize_t
find_path(const struct making *m, const char *begin, const char *end)
{
	char small[512];
	char *key = small;
	char **found;
	size_t len = (size_t)(end - begin) - 2;

	if (memchr(begin, '\\', (size_t)(end - begin))) {
		key = unescape(begin, (size_t)(end - begin));
	} else if (len < sizeof(small)) {
		memcpy(small, begin + 1, len);
		small[len] = '\0';
	} else {
		key = strndup(begin + 1, len);
	}
	found = key ? bsearch(&key, m->paths->paths, m->paths->count,
			  sizeof(*m->paths->paths), compare_paths)
		    : NULL;
	if (key != small)
		free(key);
	return found ? found - m->paths->paths : -1;
}

/*
 * Goes over the members.  A piece begins at the first member that stays and
 * ends behind the last one before the next that does not.
 */
static enum mt_status
take_members(
    struct making *m, const char *p, const char *end, struct mt_error *err)
{
	const char *piece = NULL, *piece_end = NULL;
	enum mt_status status = MT_OK;

	while (p < end && *p != '}' && status == MT_OK) {
		const char *key_end = skip_string(p, end);
		const char *next = skip_member(p, end, 1);
		ssize_t path = next ? find_path(m, p, key_end) : -1;

		if (!next)
			return fail_text(err);
		if (path >= 0 && m->mode == MANIFEST_SET) {
			if (piece)
				status =
				    add_piece(m->change, piece, piece_end, err);
			piece = NULL;
		} else {
			if (path >= 0)
				m->known[path] = true;
			if (!piece && m->has_members && status == MT_OK)
				status =
				    add_piece(m->change, comma, comma + 1, err);
			if (!piece)
				piece = p;
			piece_end = next;
			m->has_members = true;
		}
		p = skip_space(next, end);
		if (p == end || (*p != ',' && *p != '}'))
			return fail_text(err);
		if (*p == ',') {
			p = skip_space(p + 1, end);
			if (p < end && *p == '}')
				return fail_text(err);
		}
	}
	if (p == end || skip_space(p + 1, end) != end)
		return fail_text(err);
	if (piece && status == MT_OK)
		status = add_piece(m->change, piece, piece_end, err);
	return status;
}

static void
add_entry(
    struct making *m, const char *path, const char *agent, const char *time)
{
	struct json_object *key = json_object_new_string(path);
	struct buf *b = &m->change->added;

	buf_add_text(b, m->has_members ? ",\n" : "\n");
	buf_add_text(
	    b, json_object_to_json_string_ext(key,
		   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_add_format(b,
	    ":{\"taint_level\":\"high\",\"sensitivity_level\":\"low\","
	    "\"risk_level\":\"high\",\"agent\":\"%s\",\"updated_at\":\"%s\"}",
	    agent, time);
	json_object_put(key);
	m->has_members = true;
	m->change->added_count++;
}

static enum mt_status
take_text(struct making *m, const char *text, size_t len, struct mt_error *err)
{
	const char *end = text + len;
	const char *p = skip_space(text, end);
	enum mt_status status;

	if (p == end || *p != '{' || utf8_valid_len(text, len) != len)
		return fail_text(err);
	status = add_piece(m->change, p, p + 1, err);
	if (status != MT_OK)
		return status;
	return take_members(m, skip_space(p + 1, end), end, err);
}

static enum mt_status
make(struct making *m, const char *text, size_t len, const char *agent,
    const char *time, struct mt_error *err)
{
	enum mt_status status =
	    take_text(m, text ? text : "{}", text ? len : 2, err);

	if (status != MT_OK)
		return status;
	for (size_t i = 0; i < m->paths->count; i++)
		if (!m->known[i] && (i == 0 || strcmp(m->paths->paths[i - 1],
						   m->paths->paths[i]) != 0))
			add_entry(m, m->paths->paths[i], agent, time);
	buf_add_text(&m->change->added, "\n}");
	if (!buf_ok(&m->change->added))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	return MT_OK;
}

enum mt_status
manifest_change_make(const char *text, size_t len, struct manifest_paths *paths,
    enum manifest_mode mode, const char *agent, const char *time,
    struct manifest_change *ret_change, struct mt_error *err)
{
	struct manifest_change change = {.added = BUF_INIT(ADDED_MAX)};
	struct making m = {.change = &change, .paths = paths, .mode = mode};
	enum mt_status status;

	if (paths->count)
		qsort(paths->paths, paths->count, sizeof(*paths->paths),
		    compare_paths);
	m.known = calloc(paths->count + 1, sizeof(*m.known));
	if (!m.known)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = make(&m, text, len, agent, time, err);
	free(m.known);
	if (status == MT_OK)
		*ret_change = change;
	else
		manifest_change_done(&change);
	return status;
}

void
manifest_change_done(struct manifest_change *change)
{
	free(change->pieces);
	buf_done(&change->added);
	*change = (struct manifest_change){0};
}
