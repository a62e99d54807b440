/* SPDX-License-Identifier: ISC */
/*
 * The Unix socket on which a running connector takes requests: JSON lines, one
 * object a line, several requests on a connection, 256 KiB a request at most.
 * Both ends are here.  Only root and the connector's own uid are served.
 *
 * Requests: {"type":"poll_request"}: polls now (or joins the poll that runs)
 * and answers with its "poll_response" when it is over.
 */
#ifndef MT_CONNECTOR_CONTROL_H
#define MT_CONNECTOR_CONTROL_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"

#include <json-c/json.h>
#include <uv.h>

#define CONTROL_LINE_MAX 262144    /* of a request */
#define CONTROL_REPLY_MAX 16777216 /* it may name all messages of a mailbox */

struct control;
struct control_peer; /* who asked; answered once */

/*
 * Called on the loop for each well-formed request.  The request is borrowed.
 * Answer with control_reply, now or later.
 */
typedef void (*control_handler)(void *context, struct control_peer *peer,
    const char *type, struct json_object *request);

/* Listens at `path` (0600; one that nobody listens on is replaced). */
enum mt_status control_open(struct control **ret_control, uv_loop_t *loop,
    const char *path, control_handler handler, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* Stops listening and closes all connections; the loop must run once more for
 * the memory to be released. */
void control_close(struct control **control);

/* Sends one line; takes over a reference to `reply`, which may be the answer to
 * others as well.  A peer that has left is no error. */
void control_reply(struct control_peer *peer, struct json_object *reply);

/* The same with an "error": what is wrong with the request. */
void control_refuse(struct control_peer *peer, const char *detail);

/*
 * The asking end: sends one line and reads one into `ret_reply` (without its
 * line end).  MT_UNREACHABLE when nobody listens, or who does ends without an
 * answer; MT_RETRY_LATER when there is none until the deadline.
 */
enum mt_status control_ask(const char *path, const char *request,
    struct buf *ret_reply, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
