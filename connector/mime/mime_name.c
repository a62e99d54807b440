/* SPDX-License-Identifier: ISC */
#include "mime_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A longer one is no extension, and is cut like the rest of the name. */
#define EXTENSION_MAX 20 /* characters, the dot counted */

static bool
is_safe(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool
starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t
count_chars(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += starts_char(*text);
	return count;
}

/* Adds up to `max` characters of `text`, made safe; returns the new end. */
static char *
add_safe(char *out, const char *text, size_t max)
{
	for (; *text; text++) {
		if (!starts_char(*text))
			continue;
		if (max-- == 0)
			break;
		*out++ = is_safe(*text) ? *text : '_';
	}
	*out = '\0';
	return out;
}

/* The extension with its dot, "" if there is none worth keeping. */
static const char *
extension_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name || count_chars(dot) > EXTENSION_MAX)
		return "";
	return dot;
}

/* The extension that a type must have, "" if none. */
static const char *
wanted_extension(const char *original, const char *content_type)
{
	const char *extension = extension_of(original);

	if (strcmp(content_type, "message/rfc822") == 0)
		return strcasecmp(extension, ".eml") == 0 ? "" : ".eml";
	if (strcmp(content_type, "text/calendar") == 0)
		return *extension ? "" : ".ics";
	return "";
}

void
mime_name_make(size_t number, const char *original, const char *content_type,
    char ret_name[MIME_NAME_SIZE])
{
	const char *extension;
	size_t keep = MIME_NAME_SAFE_MAX;
	char *out = ret_name;

	out += snprintf(ret_name, MIME_NAME_SIZE, "attachment-%zu-", number);
	if (!*original)
		original = "unnamed";
	extension = wanted_extension(original, content_type);
	if (!*extension && count_chars(original) > keep)
		extension = extension_of(original);
	keep -= count_chars(extension);
	out = add_safe(out, original, keep);
	out = add_safe(out, extension, MIME_NAME_SAFE_MAX);
	while (*--out == '.')
		*out = '_';
}
