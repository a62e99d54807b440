/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_END 0xff

void
fuzz_broken(const char *promise, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
	abort();
}

/* malloc(0) may return NULL, and no part is that. */
static char *
allocate(size_t size)
{
	char *memory = malloc(size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

static const uint8_t *
take_part(struct fuzz_input *input, size_t *ret_len)
{
	const uint8_t *part = input->next, *end;

	end = input->left ? memchr(part, PART_END, input->left) : NULL;
	*ret_len = end ? (size_t)(end - part) : input->left;
	input->over = !end;
	input->next += *ret_len + (end != NULL);
	input->left -= *ret_len + (end != NULL);
	return part;
}

char *
fuzz_bytes(struct fuzz_input *input, size_t *ret_len)
{
	const uint8_t *part = take_part(input, ret_len);
	char *copy = allocate(*ret_len);

	if (*ret_len)
		memcpy(copy, part, *ret_len);
	return copy;
}

char *
fuzz_text(struct fuzz_input *input)
{
	size_t len;
	const uint8_t *part = take_part(input, &len);
	char *copy;

	if (len)
		len = strnlen((const char *)part, len);
	copy = allocate(len + 1);
	if (len)
		memcpy(copy, part, len);
	copy[len] = '\0';
	return copy;
}

struct secret
fuzz_secret(struct fuzz_input *input)
{
	struct secret secret = SECRET_INIT;
	size_t len;
	const uint8_t *part = take_part(input, &len);

	secret_add(&secret, part, len);
	return secret;
}

unsigned
fuzz_number(struct fuzz_input *input)
{
	size_t len;
	const uint8_t *part = take_part(input, &len);
	unsigned number = 0;

	for (size_t i = 0; i < len; i++)
		number += part[i];
	return number;
}

bool
fuzz_is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

bool
fuzz_is_sentence(const struct mt_error *err)
{
	size_t len = strnlen(err->text, sizeof(err->text));

	if (!len || len == sizeof(err->text) ||
	    utf8_valid_len(err->text, len) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)err->text[i] < ' ' || err->text[i] == 0x7f)
			return false;
	return true;
}
