/* SPDX-License-Identifier: ISC */
#include "mail/imap_meter.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 65536 /* without its messages */
#define DEPTH_MAX 32         /* ours need 2 */

void
imap_meter_begin(
    struct imap_meter *meter, size_t protocol_bytes, uint64_t max_message)
{
	meter->protocol_left = protocol_bytes;
	meter->max_message = max_message;
}

/* "* 12 FETCH (" */
static bool
is_fetch(const struct imap_meter *m)
{
	const char *p = m->head;

	if (p[0] != '*' || p[1] != ' ' || !isdigit((unsigned char)p[2]))
		return false;
	for (p += 2; isdigit((unsigned char)*p); p++)
		continue;
	return strncasecmp(p, " FETCH (", 8) == 0;
}

/* The byte of the current line that is `back` from its end, 0: the last. */
static char
last(const struct imap_meter *m, size_t back)
{
	if (back >= m->line || back >= IMAP_METER_EDGE)
		return '\0';
	return m->tail[(m->line - 1 - back) % IMAP_METER_EDGE];
}

/* Does the line end in `text`, apart from the last `back` bytes? */
static bool
ends_in(const struct imap_meter *m, size_t back, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (toupper((unsigned char)last(m, back + i)) !=
		    text[len - 1 - i])
			return false;
	return true;
}

/* The n of "BODY[] {n}" in front of the last `back` bytes of the line; false if
 * that is not there.  More than 18 digits are more than anybody allows. */
static bool
read_size(const struct imap_meter *m, size_t back, uint64_t *ret_size)
{
	uint64_t size = 0, unit = 1;
	int digits = 0;

	for (; isdigit((unsigned char)last(m, back)); back++, digits++) {
		size = digits < 18
			   ? size + unit * (uint64_t)(last(m, back) - '0')
			   : UINT64_MAX;
		unit *= 10;
	}
	*ret_size = size;
	return digits && ends_in(m, back, "BODY[] {");
}

/* A FETCH response may end its line to send a literal: a message. */
static const char *
begin_literal(struct imap_meter *m, size_t back)
{
	uint64_t size;

	if (m->depth != 1 || !read_size(m, back, &size) || !m->max_message)
		return "data that nobody asked for";
	if (size > m->max_message)
		return "a message that is larger than allowed";
	m->message_left = size;
	return NULL;
}

static const char *
end_line(struct imap_meter *m)
{
	size_t back = last(m, 1) == '\r' ? 2 : 1;

	if (m->quoted)
		return "a string that goes beyond its line";
	if (last(m, back) == '}' && is_fetch(m))
		return begin_literal(m, back + 1);
	m->line = 0;
	m->depth = 0;
	memset(m->head, 0, sizeof(m->head));
	return NULL;
}

/* Strings matter only where a FETCH response has them: elsewhere a quotation
 * mark may be part of a text for people. */
static void
take_quoted(struct imap_meter *m, char c)
{
	if (m->escaped)
		m->escaped = false;
	else if (c == '\\')
		m->escaped = true;
	else if (c == '"')
		m->quoted = false;
}

static const char *
take_byte(struct imap_meter *m, char c)
{
	if (!m->protocol_left || m->line == LINE_MAX_BYTES)
		return "more than belongs into an answer";
	m->protocol_left--;
	if (m->line < IMAP_METER_EDGE - 1)
		m->head[m->line] = c;
	m->tail[m->line++ % IMAP_METER_EDGE] = c;
	if (c == '\n')
		return end_line(m);
	if (m->quoted)
		take_quoted(m, c);
	else if (c == '"')
		m->quoted = is_fetch(m);
	else if (c == '(' && ++m->depth > DEPTH_MAX)
		return "a structure that is nested too deeply";
	else if (c == ')' && m->depth)
		m->depth--;
	return NULL;
}

const char *
imap_meter_feed(struct imap_meter *m, const char *data, size_t len)
{
	const char *wrong = NULL;
	size_t i = 0, bytes;

	while (i < len && !wrong) {
		if (m->message_left) {
			bytes = len - i;
			if (bytes > m->message_left)
				bytes = (size_t)m->message_left;
			m->message_left -= bytes;
			i += bytes;
		} else {
			wrong = take_byte(m, data[i++]);
		}
	}
	return wrong;
}
