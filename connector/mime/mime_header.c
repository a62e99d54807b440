/* SPDX-License-Identifier: ISC */
#include "mime_header.h"

#include <gmime/gmime.h>
#include <stdbool.h>
#include <string.h>

#include "mime_charset.h"

#include "base/utf8.h"

/* GMime recurses into nested groups; a field with more colons is no honest
 * list of addresses. */
#define ADDRESS_COLONS_MAX 500

#define CHARSET_NAME_MAX 64

/* One encoded word, RFC 2047 section 2, in place. */
struct word {
	char charset[CHARSET_NAME_MAX + 1]; /* without RFC 2231's language */
	bool base64;
	const char *text;
	size_t len;
	const char *end; /* the first byte after it */
};

static unsigned
issue_of(enum mime_charset_issue issue)
{
	switch (issue) {
	case MIME_CHARSET_BROKEN:
		return MIME_HEADER_BROKEN;
	case MIME_CHARSET_UNKNOWN:
		return MIME_HEADER_UNKNOWN;
	case MIME_CHARSET_GUESSED:
		return MIME_HEADER_GUESSED;
	case MIME_CHARSET_FINE:
		break;
	}
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Reads the charset between "=?" and "?"; NULL if it is none. */
static const char *
read_charset(const char *p, struct word *word)
{
	size_t len = strcspn(p, "? \t\r\n\"");
	size_t name_len = strcspn(p, "*?");

	if (p[len] != '?' || !name_len || name_len > CHARSET_NAME_MAX)
		return NULL;
	memcpy(word->charset, p, name_len);
	word->charset[name_len] = '\0';
	return p + len + 1;
}

/* Spaces within a word are wrong, and common. */
static bool
read_word(const char *p, struct word *ret_word)
{
	const char *end;

	if (p[0] != '=' || p[1] != '?')
		return false;
	p = read_charset(p + 2, ret_word);
	if (!p || !*p || !strchr("bBqQ", *p) || p[1] != '?')
		return false;
	ret_word->base64 = *p == 'b' || *p == 'B';
	ret_word->text = p + 2;
	end = strstr(p + 2, "?=");
	if (!end)
		return false;
	ret_word->len = (size_t)(end - ret_word->text);
	ret_word->end = end + 2;
	return !memchr(ret_word->text, '\n', ret_word->len) &&
	       !memchr(ret_word->text, '?', ret_word->len);
}

static void
decode_base64(GString *out, const struct word *word)
{
	size_t before = out->len, len;
	guint32 save = 0;
	int state = 0;

	g_string_set_size(out, before + word->len + 3);
	len = g_mime_encoding_base64_decode_step(
	    (const unsigned char *)word->text, word->len,
	    (unsigned char *)out->str + before, &state, &save);
	g_string_set_size(out, before + len);
}

static void
decode_q(GString *out, const struct word *word)
{
	for (size_t i = 0; i < word->len; i++) {
		char c = word->text[i];

		if (c == '_') {
			c = ' ';
		} else if (c == '=' && i + 2 < word->len &&
			   g_ascii_isxdigit(word->text[i + 1]) &&
			   g_ascii_isxdigit(word->text[i + 2])) {
			c = (char)(g_ascii_xdigit_value(word->text[i + 1]) *
				       16 +
				   g_ascii_xdigit_value(word->text[i + 2]));
			i += 2;
		}
		g_string_append_c(out, c);
	}
}

/* Decodes `word` and those that follow in the same charset, as one: senders
 * split characters between words.  Returns the end of the last. */
static const char *
decode_words(GString *out, struct word *word, unsigned *issues)
{
	GString *bytes = g_string_new(NULL);
	struct word next = *word;
	const char *p;

	do {
		word->end = next.end;
		if (next.base64)
			decode_base64(bytes, &next);
		else
			decode_q(bytes, &next);
		for (p = next.end; is_space(*p); p++)
			;
	} while (read_word(p, &next) &&
		 g_ascii_strcasecmp(next.charset, word->charset) == 0);
	*issues |= issue_of(
	    mime_charset_decode(out, word->charset, bytes->str, bytes->len));
	g_string_free(bytes, TRUE);
	return word->end;
}

/* UTF-8 as an encoded word of letters, digits and hexadecimal only, which no
 * parser takes for anything else. */
static void
add_word(GString *out, const GString *text)
{
	g_string_append(out, "=?utf-8?Q?");
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->str[i];

		if (g_ascii_isalnum(c))
			g_string_append_c(out, (char)c);
		else
			g_string_append_printf(out, "=%02X", c);
	}
	g_string_append(out, "?=");
}

/* Copies what is no encoded word: up to the next one or the end. */
static const char *
copy_plain(GString *out, const char *p, unsigned *issues)
{
	const char *start = p;
	struct word word;

	for (p++; *p; p++)
		if (*p == '=' && read_word(p, &word))
			break;
	*issues |= issue_of(
	    mime_charset_decode(out, NULL, start, (size_t)(p - start)));
	return p;
}

/* Goes through a field.  `as_words`: encoded words stay such, in UTF-8. */
static GString *
convert(const char *raw, bool as_words, unsigned *issues)
{
	GString *out = g_string_new(NULL), *text = g_string_new(NULL);
	struct word word;

	while (*raw) {
		const char *space;

		if (!read_word(raw, &word)) {
			raw = copy_plain(out, raw, issues);
			continue;
		}
		g_string_truncate(text, 0);
		raw = decode_words(text, &word, issues);
		if (as_words) {
			add_word(out, text);
			continue;
		}
		g_string_append_len(out, text->str, (gssize)text->len);
		/* space between encoded words is not part of the text */
		for (space = raw; is_space(*space); space++)
			;
		if (read_word(space, &word))
			raw = space;
	}
	g_string_free(text, TRUE);
	return out;
}

/* Makes one trimmed line of it; folding is one space per line end. */
static char *
to_line(GString *text, unsigned *issues)
{
	GString *line = g_string_sized_new(text->len);
	const char *p = text->str, *end = p + text->len;

	while (p < end) {
		size_t len = utf8_control_len(p);

		if (*p == '\r' || *p == '\n') {
			/* the space that follows stands for the line end */
			if (p + 1 < end && !is_space(p[1]))
				g_string_append_c(line, ' ');
		} else if (*p == '\t') {
			g_string_append_c(line, ' ');
		} else if (len) {
			g_string_append(line, UTF8_REPLACEMENT);
			*issues |= MIME_HEADER_CONTROL;
		} else {
			g_string_append_c(line, *p);
		}
		p += len ? len : 1;
	}
	g_string_free(text, TRUE);
	return g_strstrip(g_string_free(line, FALSE));
}

char *
mime_header_text(const char *raw, unsigned *issues)
{
	return to_line(convert(raw, false, issues), issues);
}

char *
mime_header_plain(const char *raw, unsigned *issues)
{
	GString *text = g_string_new(NULL);

	*issues |= issue_of(mime_charset_decode(text, NULL, raw, strlen(raw)));
	return to_line(text, issues);
}

char *
mime_header_in_utf8(const char *raw, unsigned *issues)
{
	return g_string_free(convert(raw, true, issues), FALSE);
}

static size_t
count_char(const char *text, char c)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == c;
	return count;
}

/* Where the quoted string or comment that starts at `p` ends. */
static char *
skip_quoted(char *p)
{
	char end = *p == '"' ? '"' : ')';

	for (p++; *p && *p != end; p++)
		if (*p == '\\' && p[1])
			p++;
	return p;
}

/* Outlook's users separate addresses by ';', where only a group ends so. */
static void
mend_separators(char *list)
{
	bool in_group = false;

	for (char *p = list; *p; p++) {
		if (*p == '"' || *p == '(') {
			p = skip_quoted(p);
			if (!*p)
				return;
		} else if (*p == ':') {
			in_group = true;
		} else if (*p == ';') {
			if (!in_group)
				*p = ',';
			in_group = false;
		}
	}
}

/* RFC 5322 section 3.2.3: what is special, and '.', must be quoted. */
static void
add_name(GString *out, const char *name)
{
	if (!name)
		return;
	if (!strpbrk(name, "()<>[]:;@\\,.\"")) {
		g_string_append(out, name);
		return;
	}
	g_string_append_c(out, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *name);
	}
	g_string_append_c(out, '"');
}

static void
add_mailbox(GString *out, InternetAddressMailbox *mailbox)
{
	const char *name = internet_address_get_name(INTERNET_ADDRESS(mailbox));
	const char *address = internet_address_mailbox_get_idn_addr(mailbox);

	if (name && *name) {
		add_name(out, name);
		g_string_append_printf(out, " <%s>", address);
	} else {
		g_string_append(out, address);
	}
}

/* Adds the list as text, and notes its first address. */
static void
add_list(GString *out, InternetAddressList *list, char **first)
{
	int length = list ? internet_address_list_length(list) : 0;

	for (int i = 0; i < length; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);

		if (i)
			g_string_append(out, ", ");
		if (INTERNET_ADDRESS_IS_MAILBOX(a)) {
			InternetAddressMailbox *m = INTERNET_ADDRESS_MAILBOX(a);

			add_mailbox(out, m);
			if (!*first)
				*first = g_strdup(
				    internet_address_mailbox_get_idn_addr(m));
			continue;
		}
		add_name(out, internet_address_get_name(a));
		g_string_append(out, ":");
		if (internet_address_list_length(
			internet_address_group_get_members(
			    INTERNET_ADDRESS_GROUP(a))))
			g_string_append(out, " ");
		add_list(out,
		    internet_address_group_get_members(
			INTERNET_ADDRESS_GROUP(a)),
		    first);
		g_string_append(out, ";");
	}
}

/* The list as GMime understands it.  NULL if it understands nothing, or not
 * all: then an '@' is missing from what it gives back. */
static GString *
parse_list(char *in_utf8, char **first)
{
	InternetAddressList *list;
	GString *text;

	mend_separators(in_utf8);
	list = internet_address_list_parse(NULL, in_utf8);
	if (!list)
		return NULL;
	text = g_string_new(NULL);
	add_list(text, list, first);
	g_object_unref(list);
	if (text->len && count_char(text->str, '@') >= count_char(in_utf8, '@'))
		return text;
	g_string_free(text, TRUE);
	return NULL;
}

static bool
is_blank(const char *text)
{
	return !text[strspn(text, " \t\r\n")];
}

char *
mime_header_addresses(const char *raw, char **ret_first, unsigned *issues)
{
	char *in_utf8, *first = NULL;
	GString *text = NULL;

	if (!is_blank(raw) && count_char(raw, ':') <= ADDRESS_COLONS_MAX) {
		in_utf8 = mime_header_in_utf8(raw, issues);
		text = parse_list(in_utf8, &first);
		g_free(in_utf8);
	}
	*ret_first = first ? mime_header_plain(first, issues) : g_strdup("");
	g_free(first);
	if (text)
		return to_line(text, issues);
	if (!is_blank(raw))
		*issues |= MIME_HEADER_ADDRESSES;
	return mime_header_text(raw, issues);
}

char *
mime_header_date(const char *raw)
{
	GDateTime *date = g_mime_utils_header_decode_date(raw), *utc;
	char *text;

	if (!date)
		return NULL;
	utc = g_date_time_to_utc(date);
	g_date_time_unref(date);
	if (!utc)
		return NULL;
	text = g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02dZ",
	    g_date_time_get_year(utc), g_date_time_get_month(utc),
	    g_date_time_get_day_of_month(utc), g_date_time_get_hour(utc),
	    g_date_time_get_minute(utc), g_date_time_get_second(utc));
	g_date_time_unref(utc);
	return text;
}
