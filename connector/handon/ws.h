/* SPDX-License-Identifier: ISC */
/*
 * A WebSocket (RFC 6455) to a server: text messages over net/, framed by wslay.
 * Every call has a deadline; after its first failure a connection is good for
 * nothing but ws_close.  One thread at a time.
 */
#ifndef MT_HANDON_WS_H
#define MT_HANDON_WS_H

#include "base/deadline.h"
#include "base/secret.h"
#include "base/status.h"
#include "handon/gateway_url.h"

#include <stdbool.h>
#include <stddef.h>

struct net_trust;
struct ws;

#define WS_MESSAGE_MAX (16u * 1024 * 1024) /* a longer one is not handed on */

/* Takes a text message; only lent, and not ended by a NUL. */
typedef void (*ws_on_text)(void *context, const char *text, size_t len);

enum mt_status ws_open(struct ws **ret_ws, const struct gateway_url *url,
    const struct net_trust *trust, ws_on_text on_text, void *context,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* Closes in good order, as far as that goes in a moment. */
void ws_close(struct ws **ws);

/* Sends one text message. */
enum mt_status ws_send(struct ws *ws, const char *text, size_t len,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* The same for at most 4096 bytes, of which no copy stays in memory. */
enum mt_status ws_send_secret(struct ws *ws, const struct secret *text,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/*
 * Waits for the server until the deadline, or until `wake_fd` can be read, and
 * hands on the messages that came; answers pings.  That nothing came is no
 * failure, the end of the connection is one.
 */
enum mt_status ws_receive(struct ws *ws, int wake_fd, struct deadline until,
    struct mt_error *err) MT_MUST_CHECK;

#endif
