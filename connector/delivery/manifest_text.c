/* SPDX-License-Identifier: ISC */
#include "delivery/manifest_text.h"

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDED_MAX (64u * 1024 * 1024)
#define ESCAPE_MAX_LEN 6 /* \u0061, of one byte of text */
#define RANGES_SPARE 64

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

/* ---- the change ---- */

struct making {
	struct manifest_change *change;
	struct manifest_paths *paths; /* sorted */
	bool *known;                  /* by path: it is there and stays */
	enum manifest_mode mode;
	bool keeping; /* what comes joins the last of the ranges */
};

/* The text of a key that has escapes in it, NULL if no path is like it;
 * free(). */
static char *
unescape(const char *key, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *text = NULL;
	char *quoted = NULL, *plain = NULL;

	if (tokener && asprintf(&quoted, "\"%s\"", key) >= 0)
		text = json_tokener_parse_ex(tokener, quoted, (int)len + 2);
	/* no path has a NUL */
	if (text && strlen(json_object_get_string(text)) ==
			(size_t)json_object_get_string_len(text))
		plain = strdup(json_object_get_string(text));
	free(quoted);
	json_object_put(text);
	if (tokener)
		json_tokener_free(tokener);
	return plain;
}

/* Which of our paths a member is of; -1: none. */
static ssize_t
find_path(const struct making *m, const struct json_member *member)
{
	const char *key = member->key;
	char *plain = NULL;
	char **found = NULL;

	if (key && memchr(key, '\\', member->key_len))
		key = plain = unescape(key, member->key_len);
	if (key)
		found = bsearch(&key, m->paths->paths, m->paths->count,
		    sizeof(*m->paths->paths), compare_paths);
	free(plain);
	return found ? found - m->paths->paths : -1;
}

static enum mt_status
begin_range(struct manifest_change *change, off_t begin, struct mt_error *err)
{
	size_t count = change->kept_count;

	if ((count & (count - 1)) == 0) {
		size_t room = count ? count * 2 : 1;
		struct manifest_range *kept =
		    reallocarray(change->kept, room, sizeof(*change->kept));
		if (!kept)
			return mt_fail(err, MT_NO_MEMORY, "no memory");
		change->kept = kept;
	}
	change->kept[count].begin = begin;
	change->kept_count++;
	return MT_OK;
}

/*
 * Whether a member goes.  One that somebody has entered many times may stay, so
 * that the number of ranges is bounded by ours: it is the last that counts, and
 * ours come last.
 */
static bool
is_replaced(const struct making *m, ssize_t path)
{
	return path >= 0 && m->mode == MANIFEST_SET &&
	       m->change->kept_count < 2 * m->paths->count + RANGES_SPARE;
}

static enum mt_status
take_member(
    struct making *m, const struct json_member *member, struct mt_error *err)
{
	ssize_t path = find_path(m, member);
	enum mt_status status = MT_OK;

	if (is_replaced(m, path)) {
		m->keeping = false;
		return MT_OK;
	}
	if (path >= 0 && m->mode == MANIFEST_MISSING)
		m->known[path] = true;
	if (!m->keeping)
		status = begin_range(m->change, member->begin, err);
	if (status == MT_OK)
		m->change->kept[m->change->kept_count - 1].end = member->end;
	m->keeping = true;
	return status;
}

static enum mt_status
take_members(struct making *m, struct json_scan *scan, struct mt_error *err)
{
	struct json_member member;
	enum json_step step = JSON_MEMBER;
	enum mt_status status = MT_OK;

	while (status == MT_OK &&
	       (step = json_scan_next(scan, &member)) == JSON_MEMBER)
		status = take_member(m, &member, err);
	if (status != MT_OK || step == JSON_END)
		return status;
	if (scan->error)
		return mt_fail_errno(err, MT_RETRY_LATER, scan->error,
		    "cannot read the risk manifest");
	return mt_fail(err, MT_BAD_INPUT, "it is not one JSON object");
}

/* The length that the key of one of our paths has at most. */
static size_t
key_max(const struct manifest_paths *paths)
{
	size_t max = 0;

	for (size_t i = 0; i < paths->count; i++)
		if (strlen(paths->paths[i]) > max)
			max = strlen(paths->paths[i]);
	return max * ESCAPE_MAX_LEN;
}

static enum mt_status
take_text(
    struct making *m, const struct manifest_reader *text, struct mt_error *err)
{
	struct json_scan scan;
	enum mt_status status = json_scan_init(&scan, text->read, text->context,
	    text->window, key_max(m->paths), err);

	if (status != MT_OK)
		return status;
	status = take_members(m, &scan, err);
	json_scan_done(&scan);
	return status;
}

static void
add_entry(
    struct making *m, const char *path, const char *agent, const char *time)
{
	struct json_object *key = json_object_new_string(path);
	struct buf *b = &m->change->added;

	buf_add_text(
	    b, m->change->kept_count || m->change->added_count ? ",\n" : "\n");
	buf_add_text(
	    b, json_object_to_json_string_ext(key,
		   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_add_format(b,
	    ":{\"taint_level\":\"high\",\"sensitivity_level\":\"low\","
	    "\"risk_level\":\"high\",\"agent\":\"%s\",\"updated_at\":\"%s\"}",
	    agent, time);
	json_object_put(key);
	m->change->added_count++;
}

static enum mt_status
make(struct making *m, const struct manifest_reader *text, const char *agent,
    const char *time, struct mt_error *err)
{
	enum mt_status status = text ? take_text(m, text, err) : MT_OK;

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
manifest_change_make(const struct manifest_reader *text,
    struct manifest_paths *paths, enum manifest_mode mode, const char *agent,
    const char *time, struct manifest_change *ret_change, struct mt_error *err)
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
	status = make(&m, text, agent, time, err);
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
	free(change->kept);
	buf_done(&change->added);
	*change = (struct manifest_change){0};
}
