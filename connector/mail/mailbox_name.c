/* SPDX-License-Identifier: ISC */
#include "mail/mailbox_name.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* RFC 3501: "," instead of "/", and no padding */
static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* The character at *text, which is valid UTF-8, and behind it. */
static uint32_t
next_char(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = more ? *p & (0x3fu >> more) : *p;

	for (int i = 1; i <= more; i++)
		c = c << 6 | (p[i] & 0x3fu);
	*text += more + 1;
	return c;
}

/* Base64 as it is written, bits first in, first out. */
struct writer {
	struct buf *out;
	uint32_t bits;
	int count; /* of bits not yet written, fewer than 6 */
};

static void
write_unit(struct writer *w, uint32_t unit)
{
	w->bits = w->bits << 16 | unit;
	for (w->count += 16; w->count >= 6; w->count -= 6)
		buf_add_char(w->out, digits[w->bits >> (w->count - 6) & 0x3f]);
	w->bits &= 0x3f;
}

/* One shift sequence: the characters up to the next that stands for itself. */
static const char *
write_shifted(struct buf *out, const char *text)
{
	struct writer w = {.out = out};
	uint32_t c;

	buf_add_char(out, '&');
	while (*text && !is_plain((unsigned char)*text)) {
		c = next_char(&text);
		if (c >= 0x10000) {
			c -= 0x10000;
			write_unit(&w, 0xd800 | c >> 10);
			c = 0xdc00 | (c & 0x3ff);
		}
		write_unit(&w, c);
	}
	if (w.count)
		buf_add_char(out, digits[w.bits << (6 - w.count) & 0x3f]);
	buf_add_char(out, '-');
	return text;
}

static void
encode(struct buf *wire, const char *name)
{
	while (*name)
		if (*name == '&') {
			buf_add_text(wire, "&-");
			name++;
		} else if (is_plain((unsigned char)*name)) {
			buf_add_char(wire, *name++);
		} else {
			name = write_shifted(wire, name);
		}
}

static void
add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_add_char(out, (char)(0xe0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_add_char(out, (char)(0xf0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_char(out, (char)(0x80 | (c & 0x3f)));
}

/* Adds a UTF-16 unit; *high is a first half that waits for its second. */
static bool
add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (is_low != (*high != 0))
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (is_low)
		unit = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);
	*high = 0;
	add_utf8(out, unit);
	return unit != 0; /* a NUL would cut the name */
}

/* What is between "&" and "-"; returns what is behind, or NULL. */
static const char *
read_shifted(struct buf *out, const char *text)
{
	uint32_t bits = 0, high = 0;
	const char *digit;
	int count = 0;

	for (; *text != '-'; text++) {
		digit = *text ? strchr(digits, *text) : NULL;
		if (!digit)
			return NULL;
		bits = bits << 6 | (uint32_t)(digit - digits);
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		if (!add_unit(out, bits >> count & 0xffff, &high))
			return NULL;
	}
	return high ? NULL : text + 1;
}

static bool
decode(struct buf *name, const char *wire)
{
	while (wire && *wire)
		if (!is_plain((unsigned char)*wire)) {
			return false;
		} else if (*wire != '&') {
			buf_add_char(name, *wire++);
		} else if (wire[1] == '-') {
			buf_add_char(name, '&');
			wire += 2;
		} else {
			wire = read_shifted(name, wire + 1);
		}
	return wire != NULL;
}

bool
mailbox_name_decode(struct buf *name, const char *wire)
{
	size_t max = strlen(wire) * 2 + 1; /* 3 bytes of 8/3 digits */
	struct buf utf8 = BUF_INIT(max), again = BUF_INIT(max * 4);
	bool good = decode(&utf8, wire);

	/* There is one way only to write a name. */
	if (good)
		encode(&again, buf_text(&utf8));
	good = good && strcmp(buf_text(&again), wire) == 0;
	if (good)
		buf_add_text(name, buf_text(&utf8));
	buf_done(&utf8);
	buf_done(&again);
	return good;
}

/* Has it the shape of modified UTF-7 already, and says something by it? */
static bool
is_encoded(const char *name)
{
	struct buf utf8 = BUF_INIT(strlen(name) * 2 + 1);
	bool good = strchr(name, '&') && mailbox_name_decode(&utf8, name);

	buf_done(&utf8);
	return good;
}

bool
mailbox_name_encode(struct buf *wire, const char *name)
{
	size_t len = strlen(name);

	if (utf8_valid_len(name, len) != len)
		return false;
	if (is_encoded(name))
		buf_add_text(wire, name);
	else
		encode(wire, name);
	return true;
}
