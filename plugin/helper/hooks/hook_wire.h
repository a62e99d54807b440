/* SPDX-License-Identifier: ISC */
/*
 * What mailtokend and mailtoken-hooks say to each other: frames of
 * tokensock/token_wire.h, one in each message of a SOCK_SEQPACKET pair.
 *
 *     run     slot program event account user provider state time text
 *     reload
 *
 * to mailtoken-hooks, and from it
 *
 *     ended   slot why output       `why` is empty if it went well
 *     error   why                   about the settings
 *
 * A slot runs one program at a time; `run` is answered by `ended`, always.
 */
#ifndef MT_HOOKS_HOOK_WIRE_H
#define MT_HOOKS_HOOK_WIRE_H

#include "base/secret.h"
#include "tokensock/token_wire.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define HOOK_FD 3            /* the socket, in mailtoken-hooks */
#define HOOK_FRAME_MAX 16384 /* bytes */
#define HOOK_OUTPUT_MAX 4096 /* bytes of a program's output that come back */
#define HOOK_ACCOUNT_MAX 127 /* bytes in the name of an account */
#define HOOK_EVENT_MAX 32

struct hook_news {
	const char *event;   /* a word */
	const char *account; /* "": of the helper itself */
	const char *user;
	const char *provider;
	const char *state;
	const char *time;
	const char *text; /* a sentence without a secret, or "" */
};

/* Builds a `run`.  False if it does not fit. */
bool hook_wire_run(struct secret *frame, size_t slot, const char *program,
    const struct hook_news *news) MT_MUST_CHECK;

/* Takes a `run` apart.  False if a part is missing, or an argument of the
 * program could be taken for something else than a word and a name. */
bool hook_wire_read_run(const struct token_wire_message *message,
    size_t *ret_slot, const char **ret_program,
    struct hook_news *ret_news) MT_MUST_CHECK;

/* Sends a frame now or not at all; -1 with errno. */
int hook_wire_send(int fd, const struct secret *frame) MT_MUST_CHECK;

/*
 * Receives a frame into `buffer`, which the message then points to.  1, or 0 if
 * there is none now, or -1 if the other end is gone (errno 0) or says what is no
 * frame (EPROTO).
 */
int hook_wire_receive(int fd, char buffer[HOOK_FRAME_MAX],
    struct token_wire_message *ret_message) MT_MUST_CHECK;

#endif
