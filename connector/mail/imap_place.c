/* SPDX-License-Identifier: ISC */
#include "mail/imap_place.h"

#include <stdlib.h>
#include <strings.h>

/* The number at *text, a nonzero one of 32 bits as RFC 3501 has them, and
 * behind it; 0: there is none. */
static uint32_t
read_number(const char **text)
{
	char *end;
	unsigned long long number;

	if (**text < '1' || **text > '9')
		return 0;
	number = strtoull(*text, &end, 10);
	*text = end;
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool
read_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

bool
imap_place_appended(
    const struct imap_reply *reply, struct imap_place *ret_place)
{
	const char *text = reply->detail;
	struct imap_place place;

	if (strcasecmp(reply->code, "APPENDUID") != 0)
		return false;
	place.uidvalidity = read_number(&text);
	if (!place.uidvalidity || !read_char(&text, ' '))
		return false;
	place.uid = read_number(&text);
	if (!place.uid || *text != ']')
		return false;
	*ret_place = place;
	return true;
}

/* A set of one UID, which may be written as a range; 0: it is none. */
static uint32_t
read_one(const char **text)
{
	uint32_t uid = read_number(text);

	if (read_char(text, ':') && read_number(text) != uid)
		return 0;
	return uid;
}

bool
imap_place_copied(
    const struct imap_reply *reply, uint32_t uid, struct imap_place *ret_place)
{
	const char *text = reply->detail;
	struct imap_place place;

	if (strcasecmp(reply->code, "COPYUID") != 0)
		return false;
	place.uidvalidity = read_number(&text);
	if (!place.uidvalidity || !read_char(&text, ' '))
		return false;
	if (read_one(&text) != uid || !read_char(&text, ' '))
		return false;
	place.uid = read_one(&text);
	if (!place.uid || *text != ']')
		return false;
	*ret_place = place;
	return true;
}
