/* SPDX-License-Identifier: ISC */
/*
 * The opening handshake of a WebSocket (RFC 6455 section 4.1), the client's
 * side, which wslay leaves to its user.  Pure but for the random key.
 */
#ifndef MT_HANDON_WS_HANDSHAKE_H
#define MT_HANDON_WS_HANDSHAKE_H

#include "base/buf.h"
#include "handon/gateway_url.h"

#include <stdbool.h>
#include <stddef.h>

#define WS_KEY_SIZE 25     /* base64 of 16 bytes, and a NUL */
#define WS_ANSWER_MAX 8192 /* bytes of the server's header */

bool ws_handshake_new_key(char ret_key[WS_KEY_SIZE]);

/* Adds the request to `b`. */
void ws_handshake_request(
    struct buf *b, const struct gateway_url *url, const char *key);

/* The length of the header at the start of what has come in, its empty line
 * included; 0: not all of it is there. */
size_t ws_handshake_answer_len(const char *data, size_t len);

/* Whether the header says that this is a WebSocket now. */
enum mt_status ws_handshake_check(const char *answer, size_t len,
    const char *key, struct mt_error *err) MT_MUST_CHECK;

#endif
