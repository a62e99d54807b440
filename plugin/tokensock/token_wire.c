/* SPDX-License-Identifier: ISC */
#include "token_wire.h"

#include "base/settings.h"

#include <stdio.h>
#include <string.h>

#define VERSION "1"

void
token_wire_begin(struct secret *frame, const char *verb)
{
	secret_reset(frame);
	secret_add(frame, VERSION "\t", strlen(VERSION "\t"));
	secret_add(frame, verb, strlen(verb));
}

static const char *
escape_of(char c)
{
	switch (c) {
	case '\\':
		return "\\\\";
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	default:
		return NULL;
	}
}

static void
add_escaped(struct secret *frame, const char *value, size_t len)
{
	while (len) {
		size_t plain = 0;
		const char *escape;

		while (plain < len && !escape_of(value[plain]))
			plain++;
		secret_add(frame, value, plain);
		value += plain;
		len -= plain;
		if (!len)
			return;
		escape = escape_of(*value++);
		secret_add(frame, escape, 2);
		len--;
	}
}

static void
add_field(struct secret *frame, const char *name, const char *value, size_t len)
{
	secret_add(frame, "\t", 1);
	secret_add(frame, name, strlen(name));
	secret_add(frame, "=", 1);
	add_escaped(frame, value, len);
}

void
token_wire_add(struct secret *frame, const char *name, const char *value)
{
	add_field(frame, name, value, strlen(value));
}

void
token_wire_add_number(struct secret *frame, const char *name, long value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%ld", value);
	token_wire_add(frame, name, digits);
}

void
token_wire_add_secret(
    struct secret *frame, const char *name, const struct secret *value)
{
	add_field(frame, name, secret_expose(value), value->len);
}

bool
token_wire_end(struct secret *frame)
{
	secret_add(frame, "\n", 1);
	return secret_ok(frame) && frame->len <= TOKEN_WIRE_FRAME_MAX;
}

/* Undoes the escapes in place. */
static bool
unescape(char *text)
{
	char *out = strchr(text, '\\');

	if (!out)
		return true; /* nearly always: a token has none */
	for (const char *in = out; *in; in++) {
		if (*in != '\\') {
			*out++ = *in;
			continue;
		}
		switch (*++in) {
		case '\\':
			*out++ = '\\';
			break;
		case 't':
			*out++ = '\t';
			break;
		case 'n':
			*out++ = '\n';
			break;
		default:
			return false;
		}
	}
	*out = '\0';
	return true;
}

static bool
parse_field(char *text, struct token_wire_message *message)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text ||
	    message->count == TOKEN_WIRE_FIELDS_MAX)
		return false;
	*equals = '\0';
	message->fields[message->count++] =
	    (struct token_wire_field){text, equals + 1};
	return unescape(equals + 1);
}

bool
token_wire_parse(char *line, size_t len, struct token_wire_message *ret_message)
{
	char *rest = line, *version, *verb, *field;
	struct token_wire_message message = {0};

	if (!len || len > TOKEN_WIRE_FRAME_MAX || line[len - 1] != '\n' ||
	    memchr(line, '\0', len) ||
	    memchr(line, '\n', len) != line + len - 1)
		return false;
	line[len - 1] = '\0';
	version = strsep(&rest, "\t");
	verb = strsep(&rest, "\t");
	if (!verb || !*verb || strcmp(version, VERSION) != 0)
		return false;
	message.verb = verb;
	while ((field = strsep(&rest, "\t")))
		if (!parse_field(field, &message))
			return false;
	*ret_message = message;
	return true;
}

const char *
token_wire_get(const struct token_wire_message *message, const char *name)
{
	for (size_t i = 0; i < message->count; i++)
		if (strcmp(message->fields[i].name, name) == 0)
			return message->fields[i].value;
	return NULL;
}

long
token_wire_number(const struct token_wire_message *message, const char *name,
    long max, long otherwise)
{
	const char *value = token_wire_get(message, name);
	long number;

	return value && settings_number(value, 0, max, &number) ? number
								: otherwise;
}

static const struct {
	const char *word;
	enum mt_status status;
} status_words[] = {
    {"ok", MT_OK},
    {"later", MT_RETRY_LATER},
    {"login", MT_NEEDS_LOGIN},
    {"admin", MT_NEEDS_ADMIN},
    {"config", MT_BAD_CONFIG},
    {"none", MT_NO_ACCOUNT},
    {"bad", MT_BAD_INPUT},
};

#define STATUS_WORDS (sizeof(status_words) / sizeof(*status_words))

const char *
token_wire_status_word(enum mt_status status)
{
	for (size_t i = 0; i < STATUS_WORDS; i++)
		if (status_words[i].status == status)
			return status_words[i].word;
	return "later";
}

enum mt_status
token_wire_status(const char *word)
{
	for (size_t i = 0; i < STATUS_WORDS; i++)
		if (strcmp(status_words[i].word, word) == 0)
			return status_words[i].status;
	return MT_BUG;
}
