/* SPDX-License-Identifier: ISC */
#include "transcript.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_SIZE 2048

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

static void
keep_refusal(struct transcript *t, const char *words)
{
	snprintf(t->refusal, sizeof(t->refusal), "%.*s",
	    (int)sizeof(t->refusal) - 1, words);
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
		keep_refusal(t, line + 2);
	else if (space && *line != '*' && *line != '+' &&
		 (begins(space, " NO ") || begins(space, " BAD ")))
		keep_refusal(t, space + 1);
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
		keep_refusal(t, line);
	}
}

/* What is not printable must not come near a terminal. */
static void
cut_line(char ret_line[LINE_SIZE], const char *line, size_t len)
{
	size_t n = 0;

	for (; n < len && n < LINE_SIZE - 1 && !strchr("\r\n", line[n]); n++)
		ret_line[n] = line[n] >= ' ' && line[n] <= '~' ? line[n] : '?';
	ret_line[n] = '\0';
}

void
transcript_server(struct transcript *t, const char *line, size_t len)
{
	char text[LINE_SIZE];

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
	char text[LINE_SIZE], *found = text;
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
