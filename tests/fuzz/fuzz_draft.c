/* SPDX-License-Identifier: ISC */
/*
 * The input is a draft, and the content of each file that it attaches.  What is
 * made of it must be a message that nothing in the draft can reach out of.
 */
#include "fuzz.h"

#include "net/guard.h"
#include "outbound/compose.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_ID "<0123456789abcdef@example.test>"
#define LINE_BYTES_MAX 998

static const char *const known[] = {"From", "To", "Subject", "Message-ID",
    "Date", "MIME-Version", "Content-Type", "Cc", "In-Reply-To", "References",
    "Reply-To", "Content-Transfer-Encoding"};
#define KNOWN_COUNT (sizeof(known) / sizeof(*known))

static void
fill_attachments(struct draft *draft, const char *content, size_t len)
{
	struct attachment_list *list = &draft->attachments;

	for (size_t i = 0; i < list->count; i++) {
		struct mt_error err;
		void *copy;

		if (!list->items[i].path)
			continue;
		copy = malloc(len + !len);
		if (!copy)
			abort();
		memcpy(copy, content, len);
		if (attachment_set_content(list, i, copy, len, &err) != MT_OK)
			FUZZ_CHECK(fuzz_is_sentence(&err));
	}
}

/* The next line, without its CRLF, which every line has. */
static const char *
next_line(const char **rest, const char *end, size_t *ret_len)
{
	const char *line = *rest;
	const char *stop = memchr(line, '\n', (size_t)(end - line));

	FUZZ_CHECK(stop && stop > line && stop[-1] == '\r');
	*rest = stop + 1;
	*ret_len = (size_t)(stop - line) - 1;
	FUZZ_CHECK(*ret_len <= LINE_BYTES_MAX);
	FUZZ_CHECK(!memchr(line, '\r', *ret_len));
	FUZZ_CHECK(!memchr(line, '\0', *ret_len));
	return line;
}

/* Known fields in their order, each once; returns the rest. */
static const char *
check_header(const char *text, const char *end, const struct draft *draft)
{
	bool seen[KNOWN_COUNT] = {false};
	const char *line;
	size_t next = 0, len;

	while (line = next_line(&text, end, &len), len) {
		size_t name = strcspn(line, ":");

		if (*line == ' ') {
			FUZZ_CHECK(next > 0);
			continue;
		}
		while (
		    next < KNOWN_COUNT && (strlen(known[next]) != name ||
					      memcmp(known[next], line, name)))
			next++;
		FUZZ_CHECK(next < KNOWN_COUNT);
		seen[next++] = true;
	}
	for (size_t i = 0; i < 7; i++) /* up to Content-Type */
		FUZZ_CHECK(seen[i]);
	FUZZ_CHECK(seen[7] == (draft->cc.count > 0));
	FUZZ_CHECK(seen[8] == (*draft->in_reply_to != '\0'));
	FUZZ_CHECK(seen[10] == (draft->reply_to.count > 0));
	return text;
}

/* How many lines begin with "--" and the boundary of the whole. */
static size_t
count_delimiters(const struct buf *message)
{
	const char *text = message->data, *end = text + message->len;
	const char *start = strstr(text, "boundary=\""), *line;
	size_t count = 0, len, boundary;

	FUZZ_CHECK(start);
	start += strlen("boundary=\"");
	boundary = strcspn(start, "\"");
	while (text < end) {
		line = next_line(&text, end, &len);
		if (len >= boundary + 2 && !memcmp(line, "--", 2) &&
		    !memcmp(line + 2, start, boundary))
			count++;
	}
	return count;
}

static void
check_message(const struct buf *message, const struct draft *draft,
    const struct address *from)
{
	const char *end = message->data + message->len;
	const char *text = check_header(message->data, end, draft);
	bool eight_bit = compose_needs_smtputf8(draft, from);
	size_t len;

	while (text < end)
		(void)next_line(&text, end, &len);
	for (size_t i = 0; i < message->len && !eight_bit; i++)
		FUZZ_CHECK((unsigned char)message->data[i] < 0x80);
	if (draft->attachments.count)
		FUZZ_CHECK(
		    count_delimiters(message) == draft->attachments.count + 2);
}

static bool
holds(const struct address_list *list, const char *mailbox)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].mailbox, mailbox))
			return true;
	return false;
}

/* Each is one that the draft names, and may stand in a command. */
static void
check_recipients(const struct draft *draft)
{
	const char **recipients = compose_recipients(draft);
	bool any_utf8 = false;

	FUZZ_CHECK(recipients && recipients[0]);
	for (size_t i = 0; recipients[i]; i++) {
		const struct address one = {.mailbox = strdup(recipients[i])};

		FUZZ_CHECK(holds(&draft->to, recipients[i]) ||
			   holds(&draft->cc, recipients[i]) ||
			   holds(&draft->bcc, recipients[i]));
		any_utf8 = address_needs_smtputf8(&one);
		FUZZ_CHECK(!(any_utf8 ? guard_utf8_address : guard_address)(
		    recipients[i]));
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(strcmp(recipients[i], recipients[k]) != 0);
		free(one.mailbox);
	}
	free(recipients);
}

static void
compose_twice(const struct draft *draft)
{
	const struct address from = {
	    .name = (char[]){"Me"}, .mailbox = (char[]){"me@example.test"}};
	struct buf one = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct buf two = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct mt_error err;

	if (compose_message(&one, draft, &from, MESSAGE_ID, 0, &err) != MT_OK) {
		FUZZ_CHECK(fuzz_is_sentence(&err));
		return;
	}
	check_message(&one, draft, &from);
	FUZZ_CHECK(
	    compose_message(&two, draft, &from, MESSAGE_ID, 0, &err) == MT_OK);
	FUZZ_CHECK(one.len == two.len && !memcmp(one.data, two.data, one.len));
	buf_done(&one);
	buf_done(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.next = data, .left = size};
	size_t len, content_len;
	char *json = fuzz_bytes(&input, &len);
	char *content = fuzz_bytes(&input, &content_len);
	struct draft draft;
	struct mt_error err;

	/* the parser takes what a NUL follows, as every buf has it */
	json = realloc(json, len + 1);
	if (!json)
		abort();
	json[len] = '\0';
	if (draft_parse(&draft, json, len, &err) == MT_OK) {
		fill_attachments(&draft, content, content_len);
		check_recipients(&draft);
		compose_twice(&draft);
		draft_done(&draft);
	} else {
		FUZZ_CHECK(err.status == MT_BAD_INPUT);
		FUZZ_CHECK(fuzz_is_sentence(&err));
	}
	free(content);
	free(json);
	return 0;
}
