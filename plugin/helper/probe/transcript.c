/* SPDX-License-Identifier: ISC */
#include "transcript.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Copies what is printable. */
static void
copy_line(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static bool
begins(const char *line, const char *with)
{
	return strncasecmp(line, with, strlen(with)) == 0;
}

/* Adds the words of `list`, or those that begin with `prefix`, without it. */
static void
add_mechanisms(struct transcript *t, const char *list, const char *prefix)
{
	while (*list) {
		size_t len = strcspn(list, " "), skip = strlen(prefix);
		size_t used = strlen(t->mechanisms);

		if (len > skip && begins(list, prefix) &&
		    used + len + 1 < sizeof(t->mechanisms))
			snprintf(t->mechanisms + used,
			    sizeof(t->mechanisms) - used, "%s%.*s",
			    used ? " " : "", (int)(len - skip), list + skip);
		list += len + strspn(list + len, " ");
	}
}

/* Before the login only: afterwards a server offers none. */
static void
take_capabilities(struct transcript *t, const char *list)
{
	if (*t->used)
		return;
	t->mechanisms[0] = '\0';
	add_mechanisms(t, list, "AUTH=");
}

/* "TAG NO words" or "* BYE words" */
static void
take_imap(struct transcript *t, const char *line)
{
	const char *space = strchr(line, ' ');

	if (begins(line, "* CAPABILITY "))
		take_capabilities(t, line + strlen("* CAPABILITY "));
	else if (begins(line, "* BYE ") && !*t->refusal)
		copy_line(t->refusal, sizeof(t->refusal), line + 2);
	else if (space && *line != '*' && *line != '+' &&
		 (begins(space, " NO ") || begins(space, " BAD ")))
		copy_line(t->refusal, sizeof(t->refusal), space + 1);
}

/* "250-AUTH words", "535 words" */
static void
take_smtp(struct transcript *t, const char *line)
{
	if (strlen(line) < 4 || !isdigit((unsigned char)line[0]))
		return;
	if (begins(line, "250") && begins(line + 4, "AUTH ")) {
		t->mechanisms[0] = '\0';
		add_mechanisms(t, line + 9, "");
	} else if (line[0] == '4' || line[0] == '5') {
		copy_line(t->refusal, sizeof(t->refusal), line);
	}
}

static void
cut_line(char ret_line[2048], const char *line, size_t len)
{
	size_t n = len < 2047 ? len : 2047;

	memcpy(ret_line, line, n);
	ret_line[n] = '\0';
	ret_line[strcspn(ret_line, "\r\n")] = '\0';
}

void
transcript_server(struct transcript *t, const char *line, size_t len)
{
	char text[2048];

	cut_line(text, line, len);
	if (t->smtp)
		take_smtp(t, text);
	else
		take_imap(t, text);
}

void
transcript_client(struct transcript *t, const char *line, size_t len)
{
	const char *word = t->smtp ? "AUTH " : "AUTHENTICATE ";
	char text[2048], *found = text;
	size_t n;

	cut_line(text, line, len);
	/* an IMAP command stands behind its tag */
	if (!t->smtp && (found = strchr(text, ' ')))
		found++;
	if (found && begins(found, word)) {
		found += strlen(word);
		n = strcspn(found, " ");
		if (n < sizeof(t->used))
			snprintf(
			    t->used, sizeof(t->used), "%.*s", (int)n, found);
	}
	explicit_bzero(text, sizeof(text));
}
