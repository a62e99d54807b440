/* SPDX-License-Identifier: ISC */
#include "message_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct reader {
	const char *at;
	const char *end;
	const char *kept; /* up to here it is in `out` */
	struct buf *out;
	const struct message_place *place;
	bool has_uid;
};

static void
skip_space(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

/* Passes the text that begins here. */
static bool
skip_text(struct reader *r)
{
	for (r->at++; r->at < r->end; r->at++) {
		if (*r->at == '"') {
			r->at++;
			return true;
		}
		if (*r->at == '\\' && ++r->at == r->end)
			return false;
	}
	return false;
}

/* Passes an array or object, whose depth is only counted. */
static bool
skip_nested(struct reader *r)
{
	size_t depth = 0;

	while (r->at < r->end) {
		char c = *r->at;
		if (c == '"') {
			if (!skip_text(r))
				return false;
			continue;
		}
		r->at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

static bool
skip_value(struct reader *r)
{
	const char *begin = r->at;

	if (r->at == r->end)
		return false;
	if (*r->at == '"')
		return skip_text(r);
	if (*r->at == '{' || *r->at == '[')
		return skip_nested(r);
	while (r->at < r->end && *r->at && !strchr(",}] \t\r\n", *r->at))
		r->at++;
	return r->at > begin;
}

static bool
is_key(const char *key, size_t len, const char *name)
{
	/* with its quotation marks */
	return len == strlen(name) + 2 && !memcmp(key + 1, name, len - 2);
}

/* The new value of a member; NULL: it keeps its own. */
static const char *
value_of(struct reader *r, const char *key, size_t len, char digits[16])
{
	const struct message_place *place = r->place;
	uint32_t number;

	if (is_key(key, len, "uid")) {
		r->has_uid = true;
		return place->handle;
	}
	if (is_key(key, len, "imap_uid"))
		number = place->imap_uid;
	else if (is_key(key, len, "uidvalidity"))
		number = place->uidvalidity;
	else
		return NULL;
	digits[0] = '\0';
	if (place->imap_uid)
		snprintf(digits, 16, "%" PRIu32, number);
	return digits;
}

static bool
read_member(struct reader *r)
{
	const char *key = r->at, *value, *text = NULL;
	size_t key_len;
	char digits[16];

	if (r->at == r->end || *r->at != '"' || !skip_text(r))
		return false;
	key_len = (size_t)(r->at - key);
	skip_space(r);
	if (r->at == r->end || *r->at++ != ':')
		return false;
	skip_space(r);
	value = r->at;
	if (value < r->end && *value == '"')
		text = value_of(r, key, key_len, digits);
	if (!skip_value(r))
		return false;
	if (text) {
		buf_add(r->out, r->kept, (size_t)(value - r->kept));
		buf_add_format(r->out, "\"%s\"", text);
		r->kept = r->at;
	}
	return true;
}

static bool
read_object(struct reader *r)
{
	skip_space(r);
	if (r->at == r->end || *r->at++ != '{')
		return false;
	for (;;) {
		skip_space(r);
		if (!read_member(r))
			return false;
		skip_space(r);
		if (r->at == r->end)
			return false;
		if (*r->at == '}')
			break;
		if (*r->at++ != ',')
			return false;
	}
	r->at++;
	skip_space(r);
	return r->at == r->end;
}

bool
message_place_set(struct buf *out, const char *text, size_t len,
    const struct message_place *place)
{
	struct reader r = {
	    .at = text,
	    .end = text + len,
	    .kept = text,
	    .out = out,
	    .place = place,
	};

	if (!read_object(&r) || !r.has_uid)
		return false;
	buf_add(out, r.kept, (size_t)(r.end - r.kept));
	return buf_ok(out);
}
