/* SPDX-License-Identifier: ISC */
#include "mail/imap_list_line.h"

#include <string.h>
#include <strings.h>

#define PREFIX_MAX 256

/* Steps over `word`, in any case. */
static bool
read_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncasecmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* A quoted string (RFC 3501 section 4.3); false: it has no end.  One that does
 * not fit is "". */
static bool
read_quoted(const char **text, char *ret_value, size_t size)
{
	const char *at = *text + 1;
	size_t len = 0;

	for (; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (!*at)
			return false;
		if (len < size)
			ret_value[len++] = *at;
	}
	ret_value[len < size ? len : 0] = '\0';
	*text = at + 1;
	return true;
}

/* A quoted string, or a word. */
static bool
read_string(const char **text, char *ret_value, size_t size)
{
	size_t len;

	if (**text == '"')
		return read_quoted(text, ret_value, size);
	len = strcspn(*text, " ()\"");
	if (!len)
		return false;
	memcpy(ret_value, *text, len < size ? len : 0);
	ret_value[len < size ? len : 0] = '\0';
	*text += len;
	return true;
}

/* NIL, or one character in quotes. */
static bool
read_delimiter(const char **text, char *ret_delimiter)
{
	char value[2];

	*ret_delimiter = '\0';
	if (read_word(text, "NIL"))
		return true;
	if (**text != '"' || !read_quoted(text, value, sizeof(value)))
		return false;
	*ret_delimiter = value[0];
	return true;
}

static bool
read_attributes(const char **text, struct imap_list_line *line)
{
	size_t len = strcspn(*text, ")");

	if (!(*text)[len])
		return false;
	/* who has so many has none that counts */
	if (len >= sizeof(line->attributes))
		len = 0;
	memcpy(line->attributes, *text, len);
	line->attributes[len] = '\0';
	*text = strchr(*text, ')') + 1;
	return true;
}

bool
imap_list_line_begins(const char *line, struct imap_list_line *ret_line)
{
	struct imap_list_line found = {.delimiter = '\0'};

	if (!read_word(&line, "* LIST (") || !read_attributes(&line, &found) ||
	    !read_word(&line, " ") ||
	    !read_delimiter(&line, &found.delimiter) || !read_word(&line, " "))
		return false;
	found.in_literal = *line == '{';
	if (!found.in_literal) {
		if (!read_string(&line, found.name, sizeof(found.name)))
			return false;
	}
	*ret_line = found;
	return true;
}

void
imap_list_line_goes_on(
    const char *line, size_t bytes, struct imap_list_line *line_before)
{
	size_t len = bytes < sizeof(line_before->name) ? bytes : 0;

	memcpy(line_before->name, line, len);
	line_before->name[len] = '\0';
	line_before->in_literal = false;
}

bool
imap_list_line_has(const struct imap_list_line *line, const char *attribute)
{
	const char *at = line->attributes;
	size_t len;

	for (at += strspn(at, " "); *at; at += len, at += strspn(at, " ")) {
		len = strcspn(at, " ");
		if (strlen(attribute) == len &&
		    strncasecmp(at, attribute, len) == 0)
			return true;
	}
	return false;
}

/* Steps over what an extension has put behind the delimiter, up to the end of
 * its parentheses. */
static bool
skip_extension(const char **text)
{
	char nothing[1];
	int depth = 1;

	while (depth) {
		if (**text == '"') {
			if (!read_quoted(text, nothing, sizeof(nothing)))
				return false;
			continue;
		}
		if (!**text)
			return false;
		depth += **text == '(' ? 1 : **text == ')' ? -1 : 0;
		(*text)++;
	}
	return true;
}

/* NIL, or "((prefix delimiter)(prefix delimiter ...))" */
static bool
read_namespaces(const char **text, enum imap_owner owner,
    void (*take)(void *, enum imap_owner, const char *, char), void *context)
{
	char prefix[PREFIX_MAX], delimiter;

	if (read_word(text, "NIL"))
		return true;
	if (!read_word(text, "("))
		return false;
	while (read_word(text, "(")) {
		if (**text != '"' ||
		    !read_quoted(text, prefix, sizeof(prefix)) ||
		    !read_word(text, " ") ||
		    !read_delimiter(text, &delimiter) || !skip_extension(text))
			return false;
		take(context, owner, prefix, delimiter);
		(void)read_word(text, " ");
	}
	return read_word(text, ")");
}

bool
imap_namespace_read(const char *line,
    void (*take)(void *context, enum imap_owner owner, const char *prefix,
	char delimiter),
    void *context)
{
	return read_word(&line, "* NAMESPACE ") &&
	       read_namespaces(&line, IMAP_OWN, take, context) &&
	       read_word(&line, " ") &&
	       read_namespaces(&line, IMAP_OTHER_USERS, take, context) &&
	       read_word(&line, " ") &&
	       read_namespaces(&line, IMAP_SHARED, take, context);
}
