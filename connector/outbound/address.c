/* SPDX-License-Identifier: ISC */
#include "address.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"

#define MAILBOX_MAX 254 /* bytes: what fits in an SMTP path, RFC 5321 4.5.3.1 */
#define NAME_MAX_BYTES 256 /* as a quoted string it stays on one line */
#define LIST_MAX 500       /* recipients that the large providers allow */

/* Part of a text. */
struct span {
	const char *start;
	size_t len;
};

static const char alphanumeric[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

void
address_list_done(struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		free(list->items[i].mailbox);
	}
	free(list->items);
	*list = (struct address_list)ADDRESS_LIST_INIT;
}

const char *
address_domain(const struct address *address)
{
	return strchr(address->mailbox, '@') + 1;
}

static struct span
trim(struct span s)
{
	while (s.len && s.start[0] == ' ')
		s.start++, s.len--;
	while (s.len && s.start[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* The text up to the next comma outside quotes and angle brackets. */
static struct span
next_element(const char *text)
{
	bool quoted = false, in_angle = false;
	const char *p = text;

	for (; *p && (quoted || in_angle || *p != ','); p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (*p == '<' || *p == '>'))
			in_angle = *p == '<';
	}
	return (struct span){text, (size_t)(p - text)};
}

static bool
is_local_part(struct span s)
{
	/* atext and dots, RFC 5322 3.2.3; where dots may stand is for the
	 * server to say */
	for (size_t i = 0; i < s.len; i++)
		if (!strchr(alphanumeric, s.start[i]) &&
		    !strchr("!#$%&'*+-/=?^_`{|}~.", s.start[i]))
			return false;
	return s.len > 0;
}

/* Labels of letters, digits, '-' and '_', at least two. */
static bool
is_domain(struct span s)
{
	size_t label = 0, dots = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.start[i];

		if (c == '.' && label) {
			label = 0;
			dots++;
		} else if (strchr(alphanumeric, c) || c == '-' || c == '_') {
			label++;
		} else {
			return false;
		}
	}
	return label && dots;
}

static bool
is_mailbox(struct span s)
{
	const char *at = s.len ? memchr(s.start, '@', s.len) : NULL;
	size_t local;

	if (!at || s.len > MAILBOX_MAX)
		return false;
	local = (size_t)(at - s.start);
	return is_local_part((struct span){s.start, local}) &&
	       is_domain((struct span){at + 1, s.len - local - 1});
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.start[i] >= 0x80)
			return false;
	return true;
}

/*
 * Splits "name <mailbox>" in its two parts; without angle brackets all is the
 * mailbox.  False if brackets or quotes do not match.
 */
static bool
split_element(struct span element, struct span *ret_name, struct span *ret_box)
{
	struct span s = trim(element);
	const char *open;

	*ret_name = (struct span){s.start, 0};
	*ret_box = s;
	if (!s.len || s.start[s.len - 1] != '>')
		return true;
	open = memrchr(s.start, '<', s.len);
	if (!open)
		return false;
	*ret_name = trim((struct span){s.start, (size_t)(open - s.start)});
	*ret_box =
	    (struct span){open + 1, s.len - (size_t)(open - s.start) - 2};
	return true;
}

/*
 * Copies a name without its quotes to `ret_text` (of s.len + 1 bytes).  False
 * if a quote is left open or an angle bracket stands outside quotes.
 */
static bool
unquote(struct span s, char *ret_text)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.start[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (!quoted && (c == '<' || c == '>'))
			return false;
		if (quoted && c == '\\' && i + 1 < s.len)
			c = s.start[++i];
		ret_text[n++] = c;
	}
	ret_text[n] = '\0';
	return !quoted;
}

static enum mt_status
invalid(struct span element, struct mt_error *err)
{
	return mt_fail(err, MT_BAD_INPUT, "invalid email address: %.*s",
	    element.len > MAILBOX_MAX ? MAILBOX_MAX : (int)element.len,
	    element.start);
}

/* Takes over the strings, also when it fails. */
static enum mt_status
append(
    struct address_list *list, char *name, char *mailbox, struct mt_error *err)
{
	struct address *items =
	    reallocarray(list->items, list->count + 1, sizeof(list->items[0]));

	if (items)
		list->items = items;
	if (!items || !name || !mailbox) {
		free(name);
		free(mailbox);
		return mt_fail(err, MT_NO_MEMORY, "no memory for addresses");
	}
	items[list->count++] = (struct address){name, mailbox};
	return MT_OK;
}

static enum mt_status
add_element(
    struct address_list *list, struct span element, struct mt_error *err)
{
	char name_text[NAME_MAX_BYTES + 1];
	struct span name, mailbox;

	if (!split_element(element, &name, &mailbox))
		return invalid(element, err);
	if (!is_ascii(mailbox))
		return mt_fail(err, MT_BAD_INPUT,
		    "email address is not plain ASCII (SMTPUTF8 is not "
		    "supported): %.*s",
		    mailbox.len > MAILBOX_MAX ? MAILBOX_MAX : (int)mailbox.len,
		    mailbox.start);
	if (!is_mailbox(mailbox))
		return invalid(element, err);
	if (name.len > NAME_MAX_BYTES)
		return mt_fail(err, MT_BAD_INPUT,
		    "the name before <%.*s> is longer than %d bytes",
		    (int)mailbox.len, mailbox.start, NAME_MAX_BYTES);
	if (!unquote(name, name_text))
		return invalid(element, err);
	if (list->count == LIST_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "more than %d addresses in one field", LIST_MAX);
	return append(
	    list, strdup(name_text), strndup(mailbox.start, mailbox.len), err);
}

enum mt_status
address_list_add(
    struct address_list *list, const char *text, struct mt_error *err)
{
	size_t before = list->count;
	const char *p = text;

	if (!header_text_is_clean(text, strlen(text)))
		return invalid((struct span){text, strlen(text)}, err);
	for (;;) {
		struct span element = next_element(p);
		enum mt_status status = MT_OK;

		if (trim(element).len)
			status = add_element(list, element, err);
		if (status != MT_OK)
			return status;
		if (!p[element.len])
			break;
		p += element.len + 1;
	}
	if (list->count == before)
		return invalid((struct span){text, strlen(text)}, err);
	return MT_OK;
}
