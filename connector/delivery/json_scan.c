/* SPDX-License-Identifier: ISC */
#include "delivery/json_scan.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define CHAR_MAX_LEN 4 /* of UTF-8, in bytes */
#define NOTHING (-1)   /* in the place of a byte: the text ends here */

/* ---- the window ---- */

enum mt_status
json_scan_init(struct json_scan *s, json_scan_read read, void *context,
    size_t window, size_t key_max, struct mt_error *err)
{
	*s = (struct json_scan){
	    .read = read,
	    .context = context,
	    .room = window + CHAR_MAX_LEN,
	    .key_room = key_max + 2, /* the quotes */
	};
	s->window = malloc(s->room);
	s->key = malloc(s->key_room);
	s->at = s->end = s->window;
	if (s->window && s->key)
		return MT_OK;
	json_scan_done(s);
	return mt_fail(err, MT_NO_MEMORY, "no memory to read JSON");
}

void
json_scan_done(struct json_scan *s)
{
	free(s->window);
	free(s->key);
	*s = (struct json_scan){0};
}

/* Keeps what the window has of a key. */
static void
save_key(struct json_scan *s, const char *end)
{
	size_t len = (size_t)(end - s->key_from);

	if (s->key_len + len <= s->key_room)
		memcpy(s->key + s->key_len, s->key_from, len);
	s->key_len += len;
}

/* Adds to what is left in the window, less than a character; false: nothing
 * comes any more, or what comes is wrong. */
static bool
read_more(struct json_scan *s)
{
	ssize_t n;

	do
		n = s->read(s->context, s->window + s->have,
		    s->room - CHAR_MAX_LEN, s->base + (off_t)s->have);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		s->error = errno;
	if (n <= 0)
		return false;
	s->have += (size_t)n;
	s->end = s->window + utf8_valid_len(s->window, s->have);
	return s->end > s->window || s->have < CHAR_MAX_LEN;
}

/* Moves the window on, past all that was in it; false: nothing follows. */
static bool
move_on(struct json_scan *s)
{
	size_t left = s->have - (size_t)(s->end - s->window);

	if (s->key_from)
		save_key(s, s->end);
	memmove(s->window, s->end, left);
	s->base += s->end - s->window;
	s->have = left;
	s->at = s->end = s->window;
	while (s->at == s->end)
		if (left >= CHAR_MAX_LEN || !read_more(s))
			break;
	if (s->key_from)
		s->key_from = s->window;
	return s->at < s->end;
}

static off_t
offset(const struct json_scan *s)
{
	return s->base + (s->at - s->window);
}

/* The next byte, which stays the next one. */
static int
look(struct json_scan *s)
{
	if (s->at == s->end && !move_on(s))
		return NOTHING;
	return (unsigned char)*s->at;
}

static int
take(struct json_scan *s)
{
	int c = look(s);

	if (c != NOTHING)
		s->at++;
	return c;
}

/* ---- the text; each: whether it is there, and then it is passed ---- */

static int
look_past_space(struct json_scan *s)
{
	int c = look(s);

	while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
		s->at++;
		c = look(s);
	}
	return c;
}

static bool
is_hex(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* Behind a backslash. */
static bool
pass_escape(struct json_scan *s)
{
	int c = take(s);

	if (c != 'u')
		return c > 0 && strchr("\"\\/bfnrt", c);
	for (int i = 0; i < 4; i++)
		if (!is_hex(take(s)))
			return false;
	return true;
}

/* What of a string in the window needs no second look. */
static void
pass_plain(struct json_scan *s)
{
	const char *p = s->at;

	while (
	    p < s->end && (unsigned char)*p >= ' ' && *p != '"' && *p != '\\')
		p++;
	s->at = p;
}

static bool
pass_string(struct json_scan *s)
{
	int c = take(s);

	if (c != '"')
		return false;
	do {
		pass_plain(s);
		c = take(s);
		if (c < ' ' || (c == '\\' && !pass_escape(s)))
			return false;
	} while (c != '"');
	return true;
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
pass_digits(struct json_scan *s)
{
	bool some = false;

	for (; is_digit(look(s)); some = true)
		s->at++;
	return some;
}

static bool
pass_if(struct json_scan *s, int c)
{
	if (look(s) != c)
		return false;
	s->at++;
	return true;
}

static bool
pass_number(struct json_scan *s)
{
	(void)pass_if(s, '-');
	if (!pass_if(s, '0') && !pass_digits(s))
		return false;
	if (pass_if(s, '.') && !pass_digits(s))
		return false;
	if (!pass_if(s, 'e') && !pass_if(s, 'E'))
		return true;
	if (!pass_if(s, '+'))
		(void)pass_if(s, '-');
	return pass_digits(s);
}

static bool
pass_word(struct json_scan *s, const char *word)
{
	while (*word)
		if (take(s) != *word++)
			return false;
	return true;
}

static bool pass_value(struct json_scan *s, unsigned depth);

/* Of a member, what follows its key. */
static bool
pass_rest(struct json_scan *s, unsigned depth)
{
	if (look_past_space(s) != ':')
		return false;
	s->at++;
	look_past_space(s);
	return pass_value(s, depth);
}

static bool
pass_member(struct json_scan *s, unsigned depth)
{
	return pass_string(s) && pass_rest(s, depth);
}

/* An object or array, from its bracket on. */
static bool
pass_nested(struct json_scan *s, unsigned depth)
{
	int last = take(s) == '{' ? '}' : ']';
	int c;

	if (depth == DEPTH_MAX)
		return false;
	if (look_past_space(s) == last)
		return take(s) == last;
	do {
		look_past_space(s);
		if (!(last == '}' ? pass_member(s, depth + 1)
				  : pass_value(s, depth + 1)))
			return false;
		look_past_space(s);
		c = take(s);
	} while (c == ',');
	return c == last;
}

static bool
pass_value(struct json_scan *s, unsigned depth)
{
	switch (look(s)) {
	case '{':
	case '[':
		return pass_nested(s, depth);
	case '"':
		return pass_string(s);
	case 't':
		return pass_word(s, "true");
	case 'f':
		return pass_word(s, "false");
	case 'n':
		return pass_word(s, "null");
	default:
		return pass_number(s);
	}
}

/* ---- the members of the outermost object ---- */

static bool
pass_key(struct json_scan *s, struct json_member *m)
{
	bool passed;

	if (look(s) == NOTHING)
		return false;
	s->key_len = 0;
	s->key_from = s->at;
	passed = pass_string(s);
	if (passed)
		save_key(s, s->at);
	s->key_from = NULL;
	if (!passed)
		return false;
	*m = (struct json_member){.begin = m->begin};
	if (s->key_len <= s->key_room) {
		s->key[s->key_len - 1] = '\0';
		m->key = s->key + 1;
		m->key_len = s->key_len - 2;
	}
	return true;
}

/* What is in front of the next member, or of the end. */
static enum json_step
pass_mark(struct json_scan *s)
{
	bool first = !s->begun;
	int c = look_past_space(s);

	s->begun = true;
	if (first) {
		if (c != '{')
			return JSON_WRONG;
		s->at++;
		c = look_past_space(s);
	}
	if (c == '}') {
		s->at++;
		return look_past_space(s) == NOTHING && s->have == 0 &&
			       !s->error
			   ? JSON_END
			   : JSON_WRONG;
	}
	if (first)
		return JSON_MEMBER;
	if (c != ',')
		return JSON_WRONG;
	s->at++;
	look_past_space(s);
	return JSON_MEMBER;
}

enum json_step
json_scan_next(struct json_scan *s, struct json_member *ret_member)
{
	struct json_member m = {0};
	enum json_step step = pass_mark(s);

	if (step != JSON_MEMBER)
		return step;
	m.begin = offset(s);
	if (!pass_key(s, &m) || !pass_rest(s, 1))
		return JSON_WRONG;
	m.end = offset(s);
	*ret_member = m;
	return JSON_MEMBER;
}
