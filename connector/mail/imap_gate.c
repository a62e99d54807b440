/* SPDX-License-Identifier: ISC */
#include "mail/imap_gate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_BYTES 8192
#define DEPTH_MAX 8 /* ours need 2 */

void
imap_gate_done(struct imap_gate *gate)
{
	buf_done(&gate->input);
}

void
imap_gate_begin(struct imap_gate *gate, size_t protocol_bytes)
{
	gate->fetching = false;
	gate->protocol_left = protocol_bytes;
	gate->max_message = 0;
}

void
imap_gate_begin_fetch(
    struct imap_gate *gate, size_t protocol_bytes, uint64_t max_message)
{
	gate->fetching = true;
	gate->protocol_left = protocol_bytes;
	gate->max_message = max_message;
	gate->fields = NULL;
}

void
imap_gate_expect_fields(struct imap_gate *gate, const char *fields)
{
	gate->fields = fields;
}

/* "* 12 WORD": the number, and what follows the space behind it, or NULL. */
static const char *
numbered(const char *line, unsigned long *ret_number)
{
	char *end;

	if (line[0] != '*' || line[1] != ' ' ||
	    !isdigit((unsigned char)line[2]))
		return NULL;
	*ret_number = strtoul(line + 2, &end, 10);
	return *end == ' ' ? end + 1 : NULL;
}

static bool
starts_with(const char *text, const char *word)
{
	return strncasecmp(text, word, strlen(word)) == 0;
}

/*
 * Follows the parentheses outside of strings from the depth of the lines
 * before; -1 if they are nested too deeply or a string has no end.
 */
static int
follow_depth(const char *text, int depth)
{
	for (; *text; text++) {
		if (*text == '(' && ++depth > DEPTH_MAX)
			return -1;
		if (*text == ')' && depth)
			depth--;
		if (*text != '"')
			continue;
		for (text++; *text && *text != '"'; text++)
			if (*text == '\\' && text[1])
				text++;
		if (!*text)
			return -1;
	}
	return depth;
}

/* Is `item` right before `end`? */
static bool
stands_before(const char *line, const char *end, const char *item)
{
	size_t len = strlen(item);

	return (size_t)(end - line) >= len && starts_with(end - len, item);
}

/* Is "BODY[HEADER.FIELDS (...)] " right before `end`, with these fields, each
 * in quotes or not?  "<0>" says that it is the first bytes of them. */
static bool
stand_fields_before(const char *line, const char *end, const char *fields)
{
	char text[256], spec[256];
	size_t len = 0;
	const char *from = memrchr(line, '[', (size_t)(end - line));

	if (!from || !stands_before(line, from, "BODY"))
		return false;
	for (; from < end && len < sizeof(text) - 1; from++)
		if (*from != '"')
			text[len++] = *from;
	text[len] = '\0';
	snprintf(spec, sizeof(spec), "[HEADER.FIELDS (%s)] ", fields);
	if (strcasecmp(text, spec) == 0)
		return true;
	snprintf(spec, sizeof(spec), "[HEADER.FIELDS (%s)]<0> ", fields);
	return strcasecmp(text, spec) == 0;
}

/* Does the line announce a literal, and one that was asked for?  Then *ret_size
 * is its size, of which more than 18 digits are more than anybody allows. */
static bool
announces_message(
    const struct imap_gate *gate, const char *line, uint64_t *ret_size)
{
	const char *brace = strrchr(line, '{');
	size_t digits;

	if (!brace ||
	    !(gate->fields ? stand_fields_before(line, brace, gate->fields)
			   : stands_before(line, brace, "BODY[] ")))
		return false;
	digits = strspn(brace + 1, "0123456789");
	if (!digits || strcmp(brace + 1 + digits, "}") != 0)
		return false;
	*ret_size = digits > 18 ? UINT64_MAX : strtoull(brace + 1, NULL, 10);
	return true;
}

/* A line of a FETCH response, or what follows a message in it. */
static enum imap_verdict
judge_fetch(struct imap_gate *gate, const char *line, const char **ret_wrong)
{
	size_t len = strlen(line);
	uint64_t size;

	gate->depth = follow_depth(line, gate->in_response ? gate->depth : 0);
	gate->in_response = len && line[len - 1] == '}';
	if (gate->depth < 0) {
		*ret_wrong = "a structure that is nested too deeply or broken";
		return IMAP_REFUSE;
	}
	if (!gate->in_response)
		return IMAP_PASS;
	if (gate->depth != 1 || !gate->max_message ||
	    !announces_message(gate, line, &size)) {
		*ret_wrong = "data that nobody asked for";
		return IMAP_REFUSE;
	}
	if (size > gate->max_message) {
		*ret_wrong = "a message that is larger than allowed";
		return IMAP_REFUSE;
	}
	gate->message_left = size;
	return IMAP_PASS;
}

/* A tagged line.  No code that belongs behind a FETCH has parentheses. */
static enum imap_verdict
judge_tagged(const char *line, const char **ret_wrong)
{
	const char *code = strchr(line, '[');

	if (!code || code[strcspn(code, "(]")] != '(')
		return IMAP_PASS;
	*ret_wrong = "a response code that nobody asked for";
	return IMAP_REFUSE;
}

/* A line of what is no FETCH response. */
static enum imap_verdict
judge_other(struct imap_gate *gate, const char *line, const char **ret_wrong)
{
	bool inside = gate->dropped.open;

	/* such as a mailbox's name, which may look like anything */
	if (!imap_literal_follow(&gate->dropped, line)) {
		*ret_wrong = "a literal over several lines";
		return IMAP_REFUSE;
	}
	if (!inside && isdigit((unsigned char)line[0]))
		return judge_tagged(line, ret_wrong);
	return !inside && starts_with(line, "* BYE ") ? IMAP_PASS : IMAP_DROP;
}

/* A message that goes and one that comes leave the number as it was. */
static void
count_messages(struct imap_gate *gate, const char *word, unsigned long number)
{
	if (strcasecmp(word, "EXISTS") == 0 && number <= UINT32_MAX) {
		if (number > gate->exists)
			gate->grew = true;
		gate->exists = (uint32_t)number;
	} else if (strcasecmp(word, "EXPUNGE") == 0 && number &&
		   number <= gate->exists) {
		gate->exists--;
	}
}

enum imap_verdict
imap_gate_judge(
    struct imap_gate *gate, const char *line, const char **ret_wrong)
{
	unsigned long number;
	const char *word = numbered(line, &number);

	if (word && !gate->dropped.open)
		count_messages(gate, word, number);
	if (!gate->fetching)
		return IMAP_PASS;
	if (gate->in_response ||
	    (!gate->dropped.open && word && starts_with(word, "FETCH (")))
		return judge_fetch(gate, line, ret_wrong);
	return judge_other(gate, line, ret_wrong);
}

static ssize_t
refuse(struct imap_gate *gate, const char *wrong)
{
	net_fail(gate->net, MT_RETRY_LATER, "%s sent %s", net_name(gate->net),
	    wrong);
	return -1;
}

static size_t
unread(const struct imap_gate *gate)
{
	return gate->input.len - gate->front;
}

bool
imap_gate_has_unread(const struct imap_gate *gate)
{
	return unread(gate) > 0;
}

/* Hands out what is ready at the front of the input. */
static ssize_t
hand_out(struct imap_gate *gate, void *data, size_t len)
{
	if (len > gate->ready)
		len = gate->ready;
	memcpy(data, gate->input.data + gate->front, len);
	gate->front += len;
	gate->ready -= len;
	return (ssize_t)len;
}

/* The current message: what of it is in the input already, else right into the
 * reader's memory. */
static ssize_t
read_message(struct imap_gate *gate, void *data, size_t len)
{
	ssize_t n;

	if (len > gate->message_left)
		len = (size_t)gate->message_left;
	if (unread(gate)) {
		gate->ready = unread(gate) < len ? unread(gate) : len;
		n = hand_out(gate, data, len);
	} else {
		n = net_read(gate->net, data, len);
	}
	if (n > 0)
		gate->message_left -= (uint64_t)n;
	return n;
}

/* Reads more into the input by one call of `from`; its result. */
static ssize_t
fill(struct imap_gate *gate, ssize_t (*from)(struct net *, void *, size_t))
{
	char bytes[READ_BYTES];
	size_t room;
	ssize_t n;

	buf_consume(&gate->input, gate->front);
	gate->front = 0;
	room = IMAP_GATE_LINE_MAX - gate->input.len;
	if (!room)
		return refuse(gate, "a line without end");
	n = from(gate->net, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	if (n <= 0)
		return n;
	gate->received += (uint64_t)n;
	buf_add(&gate->input, bytes, (size_t)n);
	if (buf_ok(&gate->input))
		return n;
	net_fail(gate->net, MT_NO_MEMORY, "out of memory");
	return -1;
}

/* The length of the line at the front, with its end, of which the first
 * `searched` bytes have none; 0: there is no whole line. */
static size_t
find_line(const struct imap_gate *gate, size_t searched)
{
	const char *line = buf_text(&gate->input) + gate->front;
	const char *end =
	    memchr(line + searched, '\n', unread(gate) - searched);

	return end ? (size_t)(end - line) + 1 : 0;
}

/* Reads until there is a line at the front, and returns its length with its
 * end; 0: failed. */
static size_t
fill_line(struct imap_gate *gate)
{
	size_t searched = 0, len;

	while (!(len = find_line(gate, searched))) {
		searched = unread(gate);
		if (fill(gate, net_read) < 0)
			return 0;
	}
	return len;
}

/* Judges the line of `len` bytes at the front of the input. */
static enum imap_verdict
judge_input(struct imap_gate *gate, size_t len, const char **ret_wrong)
{
	size_t end = len - 1;
	enum imap_verdict verdict;
	char *line = gate->input.data + gate->front, saved;

	if (len > gate->protocol_left) {
		*ret_wrong = "more than belongs into an answer";
		return IMAP_REFUSE;
	}
	gate->protocol_left -= len;
	if (memchr(line, '\0', len)) {
		*ret_wrong = "a NUL byte";
		return IMAP_REFUSE;
	}
	if (end && line[end - 1] == '\r')
		end--;
	saved = line[end];
	line[end] = '\0';
	verdict = imap_gate_judge(gate, line, ret_wrong);
	line[end] = saved;
	return verdict;
}

ssize_t
imap_gate_read(struct imap_gate *gate, void *data, size_t len)
{
	const char *wrong = NULL;
	size_t line;

	for (;;) {
		if (gate->ready)
			return hand_out(gate, data, len);
		if (gate->message_left)
			return read_message(gate, data, len);
		line = fill_line(gate);
		if (!line)
			return -1;
		switch (judge_input(gate, line, &wrong)) {
		case IMAP_PASS:
			gate->ready = line;
			break;
		case IMAP_DROP:
			gate->front += line;
			break;
		case IMAP_REFUSE:
			return refuse(gate, wrong);
		}
	}
}

/* Takes the line of `len` bytes from the front of the input. */
static enum imap_line
take_line(struct imap_gate *gate, size_t len, const char **ret_line)
{
	char *line = gate->input.data + gate->front;
	const char *wrong = NULL;

	if (judge_input(gate, len, &wrong) == IMAP_REFUSE) {
		refuse(gate, wrong);
		return IMAP_LINE_FAILED;
	}
	gate->front += len--;
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	*ret_line = line;
	return IMAP_LINE_READY;
}

enum imap_line
imap_gate_ready_line(struct imap_gate *gate, bool read, const char **ret_line)
{
	size_t searched = 0, len;
	ssize_t n;

	while (!(len = find_line(gate, searched))) {
		searched = unread(gate);
		if (!read)
			return IMAP_LINE_NONE;
		n = fill(gate, net_read_ready);
		if (n <= 0)
			return n < 0 ? IMAP_LINE_FAILED : IMAP_LINE_NONE;
	}
	return take_line(gate, len, ret_line);
}

void
imap_gate_rest(struct imap_gate *gate)
{
	if (unread(gate))
		return;
	buf_done(&gate->input);
	gate->front = 0;
}
