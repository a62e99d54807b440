/* SPDX-License-Identifier: ISC */
#include "handon/ws.h"

#include "handon/ws_handshake.h"
#include "net/net.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define READ_MS 30000 /* for what has begun to come */
#define CLOSE_MS 1000
#define SHARE_BYTES (256 * 1024) /* taken before the caller has its turn */

struct ws {
	struct net *net;
	wslay_event_context_ptr events;
	struct buf early;   /* came with the handshake, not yet read */
	size_t share;       /* bytes that may still be taken */
	struct buf message; /* as far as it came; failed: it is too long */
	bool is_control;    /* the frame that comes in */
	ws_on_text on_text;
	void *context;
};

static enum mt_status
fail_net(const struct ws *ws, struct mt_error *err)
{
	const struct mt_error *why = net_error(ws->net);

	if (why->status == MT_OK)
		return mt_fail(err, MT_RETRY_LATER,
		    "%s does not speak WebSocket", net_name(ws->net));
	return mt_fail(err, why->status, "%s", why->text);
}

/* ---- wslay's callbacks ---- */

static ssize_t
take_early(struct ws *ws, void *data, size_t len)
{
	if (len > ws->early.len)
		len = ws->early.len;
	memcpy(data, ws->early.data, len);
	buf_consume(&ws->early, len);
	return (ssize_t)len;
}

static ssize_t
on_recv(wslay_event_context_ptr events, uint8_t *data, size_t len, int flags,
    void *context)
{
	struct ws *ws = context;
	ssize_t n;

	(void)flags;
	if (ws->early.len)
		return take_early(ws, data, len);
	if (len > ws->share)
		len = ws->share;
	if (!len || net_wait(ws->net, -1, deadline_in_ms(0)) != NET_READABLE) {
		wslay_event_set_error(events, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	n = net_read(ws->net, data, len);
	if (n < 0)
		wslay_event_set_error(events, WSLAY_ERR_CALLBACK_FAILURE);
	else
		ws->share -= (size_t)n;
	return n;
}

static ssize_t
on_send(wslay_event_context_ptr events, const uint8_t *data, size_t len,
    int flags, void *context)
{
	struct ws *ws = context;
	ssize_t n = net_write(ws->net, data, len);

	(void)flags;
	if (n < 0)
		wslay_event_set_error(events, WSLAY_ERR_CALLBACK_FAILURE);
	return n;
}

static int
on_mask(
    wslay_event_context_ptr events, uint8_t *data, size_t len, void *context)
{
	(void)events;
	(void)context;
	return gnutls_rnd(GNUTLS_RND_NONCE, data, len) == 0 ? 0 : -1;
}

/* wslay would end the connection at a message that is too long for it. */
static void
on_frame(wslay_event_context_ptr events,
    const struct wslay_event_on_frame_recv_start_arg *frame, void *context)
{
	struct ws *ws = context;

	(void)events;
	ws->is_control = frame->opcode >= WSLAY_CONNECTION_CLOSE;
}

static void
on_bytes(wslay_event_context_ptr events,
    const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *context)
{
	struct ws *ws = context;

	(void)events;
	if (!ws->is_control && buf_ok(&ws->message))
		buf_add(&ws->message, chunk->data, chunk->data_length);
}

static void
on_message(wslay_event_context_ptr events,
    const struct wslay_event_on_msg_recv_arg *message, void *context)
{
	struct ws *ws = context;

	(void)events;
	if (message->opcode >= WSLAY_CONNECTION_CLOSE)
		return;
	if (message->opcode == WSLAY_TEXT_FRAME && buf_ok(&ws->message))
		ws->on_text(
		    ws->context, buf_text(&ws->message), ws->message.len);
	buf_done(&ws->message); /* the next one is mostly small */
}

/* ---- opening ---- */

static enum mt_status
write_all(struct ws *ws, const struct buf *b, struct mt_error *err)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = net_write(ws->net, b->data + at, b->len - at);
		if (n < 0)
			return fail_net(ws, err);
		at += (size_t)n;
	}
	return MT_OK;
}

/* Reads to the end of the header, and perhaps further. */
static enum mt_status
read_answer(struct ws *ws, size_t *ret_len, struct mt_error *err)
{
	char data[1024];
	ssize_t n;

	while (!(*ret_len =
		     ws_handshake_answer_len(ws->early.data, ws->early.len))) {
		n = net_read(ws->net, data, sizeof(data));
		if (n < 0)
			return fail_net(ws, err);
		buf_add(&ws->early, data, (size_t)n);
		if (!buf_ok(&ws->early))
			return mt_fail(err, MT_RETRY_LATER,
			    "%s answers with too long a header",
			    net_name(ws->net));
	}
	return MT_OK;
}

static enum mt_status
shake_hands(struct ws *ws, const struct gateway_url *url, struct mt_error *err)
{
	struct buf request = BUF_INIT(4096);
	char key[WS_KEY_SIZE];
	struct mt_error why;
	enum mt_status status;
	size_t len = 0;

	if (!ws_handshake_new_key(key))
		return mt_fail(err, MT_RETRY_LATER, "no random numbers");
	ws_handshake_request(&request, url, key);
	status = write_all(ws, &request, err);
	buf_done(&request);
	if (status == MT_OK)
		status = read_answer(ws, &len, err);
	if (status != MT_OK)
		return status;
	status = ws_handshake_check(ws->early.data, len, key, &why);
	if (status != MT_OK)
		return mt_fail(
		    err, status, "%s: %s", net_name(ws->net), why.text);
	buf_consume(&ws->early, len);
	return MT_OK;
}

static enum mt_status
connect_to(struct ws *ws, const struct gateway_url *url,
    const struct net_trust *trust, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status =
	    net_connect(&ws->net, url->host, url->port, deadline, err);

	if (status != MT_OK)
		return status;
	net_begin(ws->net, deadline, WS_ANSWER_MAX);
	if (url->tls)
		status = net_start_tls(ws->net, trust, err);
	if (status == MT_OK)
		status = shake_hands(ws, url, err);
	return status;
}

static enum mt_status
open_events(struct ws *ws, struct mt_error *err)
{
	static const struct wslay_event_callbacks callbacks = {
	    .recv_callback = on_recv,
	    .send_callback = on_send,
	    .genmask_callback = on_mask,
	    .on_frame_recv_start_callback = on_frame,
	    .on_frame_recv_chunk_callback = on_bytes,
	    .on_msg_recv_callback = on_message,
	};

	if (wslay_event_context_client_init(&ws->events, &callbacks, ws) != 0)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a WebSocket");
	wslay_event_config_set_no_buffering(ws->events, 1);
	return MT_OK;
}

enum mt_status
ws_open(struct ws **ret_ws, const struct gateway_url *url,
    const struct net_trust *trust, ws_on_text on_text, void *context,
    struct deadline deadline, struct mt_error *err)
{
	struct ws *ws = calloc(1, sizeof(*ws));
	enum mt_status status;

	if (!ws)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a WebSocket");
	ws->early = (struct buf)BUF_INIT(WS_ANSWER_MAX);
	ws->message = (struct buf)BUF_INIT(WS_MESSAGE_MAX);
	ws->on_text = on_text;
	ws->context = context;
	status = open_events(ws, err);
	if (status == MT_OK)
		status = connect_to(ws, url, trust, deadline, err);
	if (status == MT_OK)
		*ret_ws = ws;
	else
		ws_close(&ws);
	return status;
}

/* ---- use ---- */

/* Sends all that is queued. */
static enum mt_status
flush(struct ws *ws, struct deadline deadline, struct mt_error *err)
{
	net_begin(ws->net, deadline, 0);
	while (wslay_event_want_write(ws->events))
		if (wslay_event_send(ws->events) != 0)
			return fail_net(ws, err);
	return MT_OK;
}

enum mt_status
ws_send(struct ws *ws, const char *text, size_t len, struct deadline deadline,
    struct mt_error *err)
{
	const struct wslay_event_msg message = {
	    .opcode = WSLAY_TEXT_FRAME,
	    .msg = (const uint8_t *)text,
	    .msg_length = len,
	};

	if (wslay_event_queue_msg(ws->events, &message) != 0)
		return mt_fail(err, MT_RETRY_LATER,
		    "the connection to %s is closed", net_name(ws->net));
	return flush(ws, deadline, err);
}

/* Gives the whole secret to wslay's own, small buffer, which later frames
 * overwrite. */
static ssize_t
read_secret(wslay_event_context_ptr events, uint8_t *data, size_t len,
    const union wslay_event_msg_source *source, int *eof, void *context)
{
	const struct secret *text = source->data;

	(void)context;
	if (text->len > len) {
		wslay_event_set_error(events, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	memcpy(data, secret_expose(text), text->len);
	*eof = 1;
	return (ssize_t)text->len;
}

enum mt_status
ws_send_secret(struct ws *ws, const struct secret *text,
    struct deadline deadline, struct mt_error *err)
{
	const struct wslay_event_fragmented_msg message = {
	    .opcode = WSLAY_TEXT_FRAME,
	    .source = {.data = (void *)(uintptr_t)text},
	    .read_callback = read_secret,
	};

	if (wslay_event_queue_fragmented_msg(ws->events, &message) != 0)
		return mt_fail(err, MT_RETRY_LATER,
		    "the connection to %s is closed", net_name(ws->net));
	return flush(ws, deadline, err);
}

static enum mt_status
fail_closed(const struct ws *ws, struct mt_error *err)
{
	unsigned code = wslay_event_get_status_code_received(ws->events);

	return mt_fail(err, MT_RETRY_LATER, "%s closed the connection (%u)",
	    net_name(ws->net), code);
}

enum mt_status
ws_receive(
    struct ws *ws, int wake_fd, struct deadline until, struct mt_error *err)
{
	enum mt_status status;

	if (!ws->early.len && net_wait(ws->net, wake_fd, until) != NET_READABLE)
		return MT_OK;
	ws->share = SHARE_BYTES;
	net_begin(ws->net, deadline_in_ms(READ_MS), SHARE_BYTES);
	if (wslay_event_recv(ws->events) != 0)
		return fail_net(ws, err);
	status = flush(ws, deadline_in_ms(READ_MS), err);
	if (status == MT_OK && (wslay_event_get_close_received(ws->events) ||
				   !wslay_event_get_read_enabled(ws->events)))
		status = fail_closed(ws, err);
	return status;
}

void
ws_close(struct ws **ws)
{
	struct ws *old = *ws;

	*ws = NULL;
	if (!old)
		return;
	if (old->net && net_error(old->net)->status == MT_OK &&
	    wslay_event_queue_close(
		old->events, WSLAY_CODE_GOING_AWAY, NULL, 0) == 0)
		(void)!flush(old, deadline_in_ms(CLOSE_MS), NULL);
	net_free(&old->net);
	if (old->events)
		wslay_event_context_free(old->events);
	buf_done(&old->early);
	buf_done(&old->message);
	free(old);
}
