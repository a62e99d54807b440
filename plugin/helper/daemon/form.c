/* SPDX-License-Identifier: ISC */
#include "form.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
is_unreserved(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~", c));
}

static void
add_encoded(struct secret *form, const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char code[4];

		if (is_unreserved(value[i])) {
			secret_add(form, value + i, 1);
			continue;
		}
		snprintf(code, sizeof(code), "%%%02X", (unsigned char)value[i]);
		secret_add(form, code, 3);
	}
}

static void
add_pair(struct secret *form, const char *name, const char *value, size_t len)
{
	const char *text = secret_expose(form);

	if (form->len && !strchr("?&", text[form->len - 1]))
		secret_add(form, "&", 1);
	secret_add(form, name, strlen(name));
	secret_add(form, "=", 1);
	add_encoded(form, value, len);
}

void
form_add(struct secret *form, const char *name, const char *value)
{
	if (value)
		add_pair(form, name, value, strlen(value));
}

void
form_add_secret(
    struct secret *form, const char *name, const struct secret *value)
{
	add_pair(form, name, secret_expose(value), value->len);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends the decoded text; false for a bad escape or an encoded NUL. */
static bool
add_decoded(struct secret *value, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return false;
		secret_add(value, &c, 1);
	}
	return secret_ok(value);
}

enum form_found
form_get(
    const char *query, size_t len, const char *name, struct secret *ret_value)
{
	const char *end = query + len, *next;
	enum form_found found = FORM_MISSING;

	secret_reset(ret_value);
	for (const char *pair = query; pair < end; pair = next + 1) {
		const char *value;

		next = memchr(pair, '&', (size_t)(end - pair));
		if (!next)
			next = end;
		value = memchr(pair, '=', (size_t)(next - pair));
		if (!value || (size_t)(value - pair) != strlen(name) ||
		    memcmp(pair, name, strlen(name)) != 0)
			continue;
		if (found != FORM_MISSING || !add_decoded(ret_value, value + 1,
						 (size_t)(next - value - 1))) {
			secret_reset(ret_value);
			return FORM_BAD;
		}
		found = FORM_FOUND;
	}
	return found;
}
