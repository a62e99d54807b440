/* SPDX-License-Identifier: ISC */
#include "mail/imap_search_line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char word[] = "* SEARCH";

bool
imap_search_line_begins(const char *line)
{
	size_t len = sizeof(word) - 1;

	return strncasecmp(line, word, len) == 0 &&
	       (!line[len] || line[len] == ' ');
}

/* The number at the start of `text`, nonzero and of 32 bits; 0: none. */
static uint32_t
read_number(const char *text, size_t len)
{
	unsigned long long number;

	if (!len || len > 10 || strspn(text, "0123456789") < len)
		return 0;
	number = strtoull(text, NULL, 10);
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

bool
imap_search_line_read(const char *line,
    bool (*take)(void *context, uint32_t number), void *context)
{
	const char *at = line + sizeof(word) - 1;
	uint32_t number;
	size_t len;

	for (at += strspn(at, " "); *at; at += len, at += strspn(at, " ")) {
		if (*at == '(')
			return true; /* (MODSEQ n), RFC 7162 */
		len = strcspn(at, " ");
		number = read_number(at, len);
		if (!number || !take(context, number))
			return false;
	}
	return true;
}
