/* SPDX-License-Identifier: ISC */
/* The input is a frame; its parts are also the values of a frame of ours. */
#include "fuzz.h"

#include "tokensock/token_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_within(const char *text, const char *line, size_t len)
{
	return text >= line && text + strlen(text) < line + len;
}

static void
check_message(
    const struct token_wire_message *message, const char *line, size_t len)
{
	FUZZ_CHECK(*message->verb && is_within(message->verb, line, len));
	FUZZ_CHECK(message->count <= TOKEN_WIRE_FIELDS_MAX);
	for (size_t i = 0; i < message->count; i++) {
		const struct token_wire_field *f = &message->fields[i];
		long number;
		FUZZ_CHECK(*f->name && is_within(f->name, line, len));
		FUZZ_CHECK(is_within(f->value, line, len));
		FUZZ_CHECK(token_wire_get(message, f->name));
		number = token_wire_number(message, f->name, 60000, -1);
		FUZZ_CHECK(number >= -1 && number <= 60000);
	}
}

/* A frame that was understood, encoded and parsed again, is the same. */
static void
check_again(const struct token_wire_message *message)
{
	struct secret frame = SECRET_INIT;
	struct token_wire_message again;

	token_wire_begin(&frame, message->verb);
	for (size_t i = 0; i < message->count; i++)
		token_wire_add(
		    &frame, message->fields[i].name, message->fields[i].value);
	FUZZ_CHECK(token_wire_end(&frame));
	FUZZ_CHECK(token_wire_parse(frame.data, frame.len, &again));
	FUZZ_CHECK(strcmp(again.verb, message->verb) == 0);
	FUZZ_CHECK(again.count == message->count);
	for (size_t i = 0; i < again.count; i++) {
		FUZZ_CHECK(
		    strcmp(again.fields[i].name, message->fields[i].name) == 0);
		FUZZ_CHECK(strcmp(again.fields[i].value,
			       message->fields[i].value) == 0);
	}
	secret_done(&frame);
}

static void
parse_input(const uint8_t *data, size_t size)
{
	struct token_wire_message message;
	struct fuzz_input input = {data, size, false};
	size_t len;
	char *line;

	line = fuzz_bytes(&input, &len);
	if (token_wire_parse(line, len, &message)) {
		FUZZ_CHECK(memchr(data, '\n', len) == data + len - 1);
		FUZZ_CHECK(!memchr(data, '\0', len));
		FUZZ_CHECK(strncmp((const char *)data, "1\t", 2) == 0);
		check_message(&message, line, len);
		check_again(&message);
	}
	free(line);
}

static void
encode_input(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct secret frame = SECRET_INIT;
	struct token_wire_message message;
	char *values[TOKEN_WIRE_FIELDS_MAX];
	size_t n = 0;

	token_wire_begin(&frame, "ok");
	while (n < TOKEN_WIRE_FIELDS_MAX && !input.over) {
		char name[24];
		struct secret value = SECRET_INIT;
		snprintf(name, sizeof(name), "f%zu", n);
		values[n] = fuzz_text(&input);
		secret_add(&value, values[n], strlen(values[n]));
		if (n % 2)
			token_wire_add_secret(&frame, name, &value);
		else
			token_wire_add(&frame, name, values[n]);
		secret_done(&value);
		n++;
	}
	if (token_wire_end(&frame)) {
		FUZZ_CHECK(token_wire_parse(frame.data, frame.len, &message));
		FUZZ_CHECK(message.count == n);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(
			    strcmp(message.fields[i].value, values[i]) == 0);
	} else {
		FUZZ_CHECK(2 * size + 1024 > TOKEN_WIRE_FRAME_MAX);
	}
	while (n)
		free(values[--n]);
	secret_done(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse_input(data, size);
	encode_input(data, size);
	return 0;
}
