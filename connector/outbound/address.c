/* SPDX-License-Identifier: ISC */
#include "address.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

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

bool
address_needs_smtputf8(const struct address *address)
{
	for (const char *p = address->mailbox; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return true;
	return false;
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

/* Spaces, and marks that nobody sees but that change what is seen: the block
 * U+2000 to U+207F, and the few that lie elsewhere. */
static bool
holds_hidden(struct span s)
{
	static const char *const hidden[] = {"\xe2\x80", "\xe2\x81", "\xc2\xa0",
	    "\xe1\x9a\x80", "\xe3\x80\x80", "\xef\xbb\xbf"};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (memmem(s.start, s.len, hidden[i], strlen(hidden[i])))
			return true;
	return false;
}

static bool
is_local_part(struct span s)
{
	/* atext and dots, RFC 5322 3.2.3 and RFC 6532 3.2; where dots may stand
	 * is for the server to say */
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.start[i] < 0x80 &&
		    !strchr(alphanumeric, s.start[i]) &&
		    !strchr("!#$%&'*+-/=?^_`{|}~.", s.start[i]))
			return false;
	return s.len > 0 && utf8_is_line(s.start, s.len) && !holds_hidden(s);
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
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.start[i] >= 0x80)
			return false;
	return true;
}

/* As a name of DNS (RFC 5891, UTS #46): "b\u00fccher" is "xn--bcher-kva". */
static bool
map_domain(struct span s, char *ret_text)
{
	gnutls_datum_t mapped = {0};
	bool fits;

	if (gnutls_idna_map(
		s.start, (unsigned)s.len, &mapped, GNUTLS_IDNA_FORCE_2008) < 0)
		return false;
	fits = mapped.size <= MAILBOX_MAX;
	if (fits)
		snprintf(ret_text, MAILBOX_MAX + 1, "%.*s", (int)mapped.size,
		    (char *)mapped.data);
	gnutls_free(mapped.data);
	return fits;
}

/*
 * Whether a character of it vanishes.  libidn2 2.3.3 drops what it should
 * refuse, such as the wide forms of "/" and "@": the domain would be another
 * one than a person reads.
 */
static bool
loses_a_character(struct span s)
{
	char text[16], mapped[MAILBOX_MAX + 1];
	size_t len;

	for (size_t i = 0; i < s.len; i += len) {
		len = 1;
		while (i + len < s.len && (s.start[i + len] & 0xc0) == 0x80)
			len++;
		if (len == 1 || len > 4)
			continue;
		snprintf(text, sizeof(text), "x%.*sy", (int)len, s.start + i);
		if (map_domain((struct span){text, len + 2}, mapped) &&
		    !strcmp(mapped, "xy"))
			return true;
	}
	return false;
}

/* Copies a domain to `ret_text` (of MAILBOX_MAX + 1 bytes) as DNS has it;
 * false: it is none. */
static bool
read_domain(struct span s, char *ret_text)
{
	if (s.len > MAILBOX_MAX)
		return false;
	if (is_ascii(s))
		snprintf(
		    ret_text, MAILBOX_MAX + 1, "%.*s", (int)s.len, s.start);
	else if (loses_a_character(s) || !map_domain(s, ret_text))
		return false;
	return is_domain((struct span){ret_text, strlen(ret_text)});
}

/* Copies a mailbox to `ret_text` (of MAILBOX_MAX + 1 bytes) as it goes on the
 * wire; false: it is none. */
static bool
read_mailbox(struct span s, char *ret_text)
{
	const char *at = s.len ? memchr(s.start, '@', s.len) : NULL;
	char domain[MAILBOX_MAX + 1];
	size_t local, len;

	if (!at)
		return false;
	local = (size_t)(at - s.start);
	if (!is_local_part((struct span){s.start, local}) ||
	    !read_domain((struct span){at + 1, s.len - local - 1}, domain))
		return false;
	len = strlen(domain);
	if (local + 1 + len > MAILBOX_MAX)
		return false;
	memcpy(ret_text, s.start, local + 1);
	memcpy(ret_text + local + 1, domain, len + 1);
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

/* "Friends: a@b.example, c@d.example;" (RFC 5322 3.4), or the begin of it. */
static bool
begins_group(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.start[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.start[i] == ':')
			return true;
		else if (!quoted && strchr("<@", s.start[i]))
			return false;
	}
	return false;
}

static enum mt_status
invalid(struct span element, struct mt_error *err)
{
	return mt_fail(err, MT_BAD_INPUT, "invalid email address: %.*s%s",
	    element.len > MAILBOX_MAX ? MAILBOX_MAX : (int)element.len,
	    element.start,
	    begins_group(element) ? " (name the members of a group one by one)"
				  : "");
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
	char name_text[NAME_MAX_BYTES + 1], mailbox_text[MAILBOX_MAX + 1];
	struct span name, mailbox;

	if (begins_group(element) || !split_element(element, &name, &mailbox) ||
	    !read_mailbox(mailbox, mailbox_text))
		return invalid(element, err);
	if (name.len > NAME_MAX_BYTES)
		return mt_fail(err, MT_BAD_INPUT,
		    "the name before <%s> is longer than %d bytes",
		    mailbox_text, NAME_MAX_BYTES);
	if (!unquote(name, name_text))
		return invalid(element, err);
	if (list->count == LIST_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "more than %d addresses in one field", LIST_MAX);
	return append(list, strdup(name_text), strdup(mailbox_text), err);
}

enum mt_status
address_list_add(
    struct address_list *list, const char *text, struct mt_error *err)
{
	size_t before = list->count;
	const char *p = text;

	if (!utf8_is_line(text, strlen(text)))
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

enum mt_status
address_read_author(
    struct address_list *author, const char *from, struct mt_error *err)
{
	struct mt_error why;

	if (address_list_add(author, from, &why) != MT_OK)
		return mt_fail(err, MT_BAD_CONFIG,
		    "cannot send from TRI_ONYX_EMAIL_FROM, or else the SMTP "
		    "login name: %s",
		    why.text);
	if (author->count != 1)
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_FROM must be one address");
	return MT_OK;
}
