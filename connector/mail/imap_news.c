/* SPDX-License-Identifier: ISC */
#include "mail/imap_news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

static const char status_word[] = "* STATUS ";

static bool
is_status(const char *line)
{
	return strncasecmp(line, status_word, sizeof(status_word) - 1) == 0;
}

/* RFC 3501 section 4.3; returns what is behind the quote, or NULL. */
static const char *
read_quoted(const char *text, char *ret_name)
{
	size_t len = 0;

	for (; *text != '"'; text++) {
		if (*text == '\\')
			text++;
		if (!*text)
			return NULL;
		if (len < IMAP_STATUS_NAME_MAX)
			ret_name[len++] = *text;
	}
	if (len == IMAP_STATUS_NAME_MAX)
		len = 0; /* of nobody's mailbox */
	ret_name[len] = '\0';
	return text + 1;
}

void
imap_status_goes_on(
    const char *line, size_t bytes, char *ret_name, const char **ret_items)
{
	size_t len = bytes < IMAP_STATUS_NAME_MAX ? bytes : 0;

	memcpy(ret_name, line, len);
	ret_name[len] = '\0';
	*ret_items = line + bytes;
}

bool
imap_status_begins(const char *line, char *ret_name, const char **ret_items)
{
	const char *text;

	if (!is_status(line))
		return false;
	text = line + sizeof(status_word) - 1;
	ret_name[0] = '\0';
	*ret_items = NULL;
	if (*text == '{')
		return true;
	if (*text == '"')
		*ret_items = read_quoted(text + 1, ret_name);
	else
		imap_status_goes_on(
		    text, strcspn(text, " "), ret_name, ret_items);
	return *ret_items != NULL;
}

bool
imap_status_same_name(const char *a, const char *b)
{
	return strcmp(a, b) == 0 ||
	       (strcasecmp(a, "INBOX") == 0 && strcasecmp(b, "INBOX") == 0);
}

/* Notes one item; those that nobody asked for are well-formed all the same. */
static void
note_item(struct imap_status *status, const char *word, size_t len,
    unsigned long long number)
{
	const struct {
		const char *word;
		bool *has;
		uint32_t *number;
	} items[] = {
	    {"MESSAGES", &status->has_messages, &status->mailbox.exists},
	    {"UIDNEXT", &status->has_uidnext, &status->mailbox.uidnext},
	    {"UIDVALIDITY", &status->has_uidvalidity,
		&status->mailbox.uidvalidity},
	};

	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		if (strlen(items[i].word) == len && number <= UINT32_MAX &&
		    strncasecmp(items[i].word, word, len) == 0) {
			*items[i].has = true;
			*items[i].number = (uint32_t)number;
		}
}

/* The length of a value: a word, or what is in parentheses; 0: neither. */
static size_t
value_len(const char *text)
{
	size_t len;

	if (*text != '(')
		return strcspn(text, " ()");
	len = strcspn(text + 1, "()") + 1;
	return text[len] == ')' ? len + 1 : 0;
}

bool
imap_status_items(const char *text, struct imap_status *ret_status)
{
	struct imap_status status = {0};
	size_t word, value;

	text += strspn(text, " ");
	if (*text++ != '(')
		return false;
	while (*(text += strspn(text, " ")) != ')') {
		word = strcspn(text, " ()");
		if (!word || text[word] != ' ')
			return false;
		value = value_len(text + word + 1);
		if (!value)
			return false;
		note_item(
		    &status, text, word, strtoull(text + word + 1, NULL, 10));
		text += word + 1 + value;
	}
	*ret_status = status;
	return true;
}

/* The mailbox by this name, or NULL. */
static struct imap_watched *
find(const struct imap_news_reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->count; i++) {
		struct imap_watched *w = &reader->mailboxes[i];
		if (imap_status_same_name(w->name, name) ||
		    (w->utf8 && strcmp(w->utf8, name) == 0))
			return w;
	}
	return NULL;
}

/* Puts a new number in the place of an old one; true if it is another. */
static bool
renew(bool has, uint32_t number, uint32_t *kept)
{
	bool changed = has && number != *kept;

	if (has)
		*kept = number;
	return changed;
}

static void
note_status(struct imap_news_reader *reader, const char *name,
    const struct imap_status *status)
{
	struct imap_watched *w = find(reader, name);
	const struct imap_mailbox *told = &status->mailbox;
	bool changed;

	if (reader->question &&
	    imap_status_same_name(reader->question->name, name)) {
		reader->question->answer = *status;
		reader->question->answered = true;
		return;
	}
	if (!w)
		return;
	changed = !w->told;
	if (renew(status->has_uidnext, told->uidnext, &w->status.uidnext))
		changed = true;
	if (renew(status->has_uidvalidity, told->uidvalidity,
		&w->status.uidvalidity))
		changed = true;
	if (status->has_messages && told->exists > w->status.exists)
		changed = true;
	if (status->has_messages)
		w->status.exists = told->exists;
	w->told = true;
	w->covered = true;
	if (!changed)
		return;
	reader->news.others_changed = true;
	reader->news.others |= UINT64_C(1) << (w - reader->mailboxes);
}

static void
take_items(struct imap_news_reader *reader, const char *name, const char *items)
{
	struct imap_status status;

	if (imap_status_items(items, &status))
		note_status(reader, name, &status);
	else
		reader->wrong = "a STATUS that cannot be read";
}

static void
take_status(struct imap_news_reader *reader, const char *line)
{
	char name[IMAP_STATUS_NAME_MAX];
	const char *items;

	if (!imap_status_begins(line, name, &items))
		reader->wrong = "a STATUS that cannot be read";
	else if (items)
		take_items(reader, name, items);
	else
		reader->in_status = reader->literal.open;
}

/* What follows a literal: of a STATUS it is of interest, of others not. */
static void
take_rest(struct imap_news_reader *reader, const char *line, size_t bytes)
{
	char name[IMAP_STATUS_NAME_MAX];
	const char *items;

	if (!reader->in_status)
		return;
	reader->in_status = false;
	imap_status_goes_on(line, bytes, name, &items);
	take_items(reader, name, items);
}

void
imap_news_take_bye(
    struct imap_news_reader *reader, const struct imap_reply *reply)
{
	struct imap_news *news = &reader->news;
	struct buf text = BUF_INIT(sizeof(news->bye_text) - 1);

	buf_add_printable(&text, reply->text, strlen(reply->text),
	    sizeof(news->bye_text) - 1);
	news->bye = true;
	snprintf(news->bye_text, sizeof(news->bye_text), "%s", buf_text(&text));
	buf_done(&text);
}

/* RFC 5465 section 5.8: from now on it is as if NOTIFY NONE had been sent. */
static void
take_overflow(struct imap_news_reader *reader)
{
	struct imap_news *news = &reader->news;

	news->overflow = true;
	news->selected_changed = true;
	news->others_changed = reader->count > 0;
	for (size_t i = 0; i < reader->count; i++) {
		news->others |= UINT64_C(1) << i;
		reader->mailboxes[i].covered = false;
	}
}

static void
take_untagged(struct imap_news_reader *reader, const char *line)
{
	struct imap_reply reply;

	if (imap_reply_parse(line, "*", &reply)) {
		if (reply.condition == IMAP_BYE)
			imap_news_take_bye(reader, &reply);
		else if (strcasecmp(reply.code, "NOTIFICATIONOVERFLOW") == 0)
			take_overflow(reader);
	} else if (is_status(line)) {
		take_status(reader, line);
	} else if (strncmp(line, "* ", 2) != 0 && line[0] && line[0] != '+') {
		reader->wrong = "something that is no IMAP";
	}
}

void
imap_news_take(struct imap_news_reader *reader, const char *line)
{
	bool inside = reader->literal.open;
	size_t bytes = reader->literal.bytes;

	if (reader->wrong)
		return;
	if (!imap_literal_follow(&reader->literal, line))
		reader->wrong = "a literal over several lines";
	else if (inside)
		take_rest(reader, line, bytes);
	else
		take_untagged(reader, line);
}
