/* SPDX-License-Identifier: ISC */
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 3629 section 4: by the first byte, the length of the sequence and the
 * range of its second byte. */
struct lead {
	uint8_t first, last;
	uint8_t len;
	uint8_t second_min, second_max;
};

static const struct lead leads[] = {
    {0x00, 0x7f, 1, 0, 0},
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *
lead_of(uint8_t byte)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

static bool
is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of the character at `p`, 0 if there is none. */
static size_t
char_len(const uint8_t *p, size_t len)
{
	const struct lead *lead = lead_of(*p);

	if (!lead || lead->len > len)
		return 0;
	if (lead->len > 1 &&
	    (p[1] < lead->second_min || p[1] > lead->second_max))
		return 0;
	for (size_t i = 2; i < lead->len; i++)
		if (!is_continuation(p[i]))
			return 0;
	return lead->len;
}

size_t
utf8_valid_len(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t done = 0, step;

	while (done < len) {
		if (p[done] < 0x80)
			step = 1;
		else
			step = char_len(p + done, len - done);
		if (!step)
			break;
		done += step;
	}
	return done;
}

size_t
utf8_cut_len(const char *text, size_t len, size_t max)
{
	const uint8_t *p = (const uint8_t *)text;

	if (len <= max)
		return len;
	while (max && is_continuation(p[max]))
		max--;
	return max;
}

size_t
utf8_control_len(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	return p[0] == 0xc2 && p[1] < 0xa0 ? 2 : 0;
}

bool
utf8_is_line(const char *text, size_t len)
{
	if (utf8_valid_len(text, len) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (utf8_control_len(text + i))
			return false;
	return true;
}
