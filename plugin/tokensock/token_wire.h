/* SPDX-License-Identifier: ISC */
/*
 * Frames of the token socket (docs/protocol.md), both ends.  Pure: no system
 * calls.  Frames may hold a token, so they are built in a struct secret.
 */
#ifndef MT_TOKENSOCK_TOKEN_WIRE_H
#define MT_TOKENSOCK_TOKEN_WIRE_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_WIRE_FRAME_MAX 65536 /* bytes, the LF counted */
#define TOKEN_WIRE_FIELDS_MAX 32

/* Starts a frame with a verb (request) or status (reply); wipes what was in
 * it.  The adders are sticky: look at token_wire_end() only. */
void token_wire_begin(struct secret *frame, const char *verb);
void token_wire_add(struct secret *frame, const char *name, const char *value);
void token_wire_add_number(struct secret *frame, const char *name, long value);
void token_wire_add_secret(
    struct secret *frame, const char *name, const struct secret *value);

/* Ends the frame.  False if it does not fit. */
bool token_wire_end(struct secret *frame) MT_MUST_CHECK;

struct token_wire_field {
	const char *name;
	const char *value;
};

/* A frame taken apart; points into the line it was parsed from. */
struct token_wire_message {
	const char *verb;
	struct token_wire_field fields[TOKEN_WIRE_FIELDS_MAX];
	size_t count;
};

/*
 * Parses the frame of `len` bytes at `line` in place (the final LF is part of
 * it).  False if it is malformed or of another version.
 */
bool token_wire_parse(char *line, size_t len,
    struct token_wire_message *ret_message) MT_MUST_CHECK;

/* The value of a field, or NULL. */
const char *token_wire_get(
    const struct token_wire_message *message, const char *name);

/* The value of a field as a number within [0, max], or `otherwise` when it is
 * missing or no such number. */
long token_wire_number(const struct token_wire_message *message,
    const char *name, long max, long otherwise);

/* The words for a status in a reply, and back (MT_BUG for an unknown word). */
const char *token_wire_status_word(enum mt_status status);
enum mt_status token_wire_status(const char *word);

#endif
