/* SPDX-License-Identifier: ISC */
#include "control_impl.h"

#include "control_line.h"

#include <stdlib.h>
#include <string.h>

static const char too_long[] = "line longer than 262144 bytes";

struct control_peer {
	struct connection *connection;
	struct json_object *request; /* the id's */
	const char *request_id;      /* NULL: none was given */
};

struct outgoing {
	uv_write_t request;
	struct connection *connection;
	struct buf line;
	size_t cost; /* bytes of memory */
};

/* ---- the end of a connection ---- */

static void
release_if_done(struct connection *c)
{
	if (!c->closed || c->pending)
		return;
	buf_done(&c->line);
	free(c);
}

static void
on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	c->closed = true;
	release_if_done(c);
}

void
connection_close(struct connection *c)
{
	struct control *control = c->control;

	if (!control)
		return;
	for (struct connection **p = &control->first; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	control->connections--;
	control->unsent -= c->unsent;
	c->control = NULL;
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

/* ---- answers ---- */

static void resume(struct connection *c);

static void
on_written(uv_write_t *request, int status)
{
	struct outgoing *out = request->data;
	struct connection *c = out->connection;

	if (c->control) {
		c->unsent -= out->cost;
		c->control->unsent -= out->cost;
	}
	buf_done(&out->line);
	free(out);
	if (status < 0)
		connection_close(c);
	else
		resume(c);
}

static size_t
unsent_of(const struct control *control, uid_t uid)
{
	size_t unsent = 0;

	for (const struct connection *c = control->first; c; c = c->next)
		if (c->uid == uid)
			unsent += c->unsent;
	return unsent;
}

/* What waits most to be read, of the user who leaves most unread. */
static struct connection *
find_silent(const struct control *control)
{
	struct connection *found = NULL;
	size_t most = 0;

	for (struct connection *c = control->first; c; c = c->next) {
		size_t of_user = unsent_of(control, c->uid);
		if (found &&
		    (of_user < most ||
			(of_user == most && c->unsent <= found->unsent)))
			continue;
		found = c;
		most = of_user;
	}
	return found;
}

/* Whoever does not read makes room for whoever does.  False: that was `c`. */
static bool
make_room(const struct connection *c, size_t cost)
{
	struct control *control = c->control;

	while (c->control && control->unsent + cost > CONTROL_UNSENT_ALL)
		connection_close(find_silent(control));
	return c->control;
}

static bool
write_line(struct connection *c, struct outgoing *out)
{
	uv_buf_t data = uv_buf_init(out->line.data, (unsigned)out->line.len);

	out->cost = sizeof(*out) + out->line.cap;
	if (!buf_ok(&out->line) || !make_room(c, out->cost))
		return false;
	out->request.data = out;
	out->connection = c;
	if (uv_write(
		&out->request, (uv_stream_t *)&c->pipe, &data, 1, on_written))
		return false;
	c->unsent += out->cost;
	c->control->unsent += out->cost;
	return true;
}

static void
send_line(struct connection *c, struct json_object *object)
{
	struct outgoing *out;

	if (!c->control)
		return;
	out = calloc(1, sizeof(*out));
	if (out) {
		out->line = (struct buf)BUF_INIT(CONTROL_REPLY_MAX);
		buf_add_text(
		    &out->line, json_object_to_json_string_ext(object,
				    JSON_C_TO_STRING_PLAIN |
					JSON_C_TO_STRING_NOSLASHESCAPE));
		buf_add_char(&out->line, '\n');
	}
	if (out && write_line(c, out))
		return;
	if (out)
		buf_done(&out->line);
	free(out);
	connection_close(c);
}

const char *
control_request_id(const struct control_peer *peer)
{
	return peer->request_id;
}

void
control_reply(struct control_peer *peer, struct json_object *reply)
{
	struct connection *c = peer->connection;

	if (peer->request_id)
		json_object_object_add(reply, "request_id",
		    json_object_new_string(peer->request_id));
	send_line(c, reply);
	json_object_object_del(reply, "request_id"); /* others may get it */
	json_object_put(reply);
	json_object_put(peer->request);
	free(peer);
	c->pending--;
	if (c->control)
		resume(c);
	else
		release_if_done(c);
}

static struct json_object *
refusal(const char *detail)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "type", json_object_new_string("error"));
	json_object_object_add(reply, "detail", json_object_new_string(detail));
	return reply;
}

void
control_refuse(struct control_peer *peer, const char *detail)
{
	control_reply(peer, refusal(detail));
}

/* Without a request that could be answered. */
void
connection_complain(
    struct connection *c, const char *request_id, const char *detail)
{
	struct json_object *reply = refusal(detail);

	if (request_id)
		json_object_object_add(
		    reply, "request_id", json_object_new_string(request_id));
	send_line(c, reply);
	json_object_put(reply);
}

/* ---- requests ---- */

static void
dispatch(struct connection *c, const struct control_line *line)
{
	const struct control_settings *settings = &c->control->settings;
	struct control_peer *peer = calloc(1, sizeof(*peer));
	struct json_object *id = NULL;

	if (!peer) {
		connection_complain(c, line->request_id, "no memory");
		return;
	}
	peer->connection = c;
	if (line->request_id) {
		json_object_object_get_ex(line->object, "request_id", &id);
		peer->request = json_object_get(id);
		peer->request_id = line->request_id;
	}
	c->pending++;
	settings->handler(settings->context, peer, line->type, line->object);
}

static void
take_line(struct connection *c, const char *text, size_t len)
{
	struct control_line line;
	struct mt_error err;

	if (control_line_parse(&line, text, len, &err) == MT_OK)
		dispatch(c, &line);
	else
		connection_complain(c, line.request_id, err.text);
	control_line_done(&line);
}

static bool
is_full(const struct connection *c)
{
	return c->pending >= CONTROL_PENDING_MAX ||
	       c->unsent >= CONTROL_UNSENT_MAX;
}

/* True if there was a whole line. */
static bool
take_next(struct connection *c)
{
	char *end =
	    c->line.len ? memchr(c->line.data, '\n', c->line.len) : NULL;

	if (!end)
		return false;
	if (end - c->line.data > CONTROL_LINE_MAX && !c->skipping)
		connection_complain(c, NULL, too_long);
	else if (!c->skipping)
		take_line(c, c->line.data, (size_t)(end - c->line.data));
	c->skipping = false;
	buf_consume(&c->line, (size_t)(end + 1 - c->line.data));
	return true;
}

/* What has come of a line that has no end yet. */
static void
keep_rest(struct connection *c)
{
	if (c->line.len > CONTROL_LINE_MAX && !c->skipping) {
		connection_complain(c, NULL, too_long);
		c->skipping = true;
	}
	if (c->skipping || !c->line.len)
		buf_done(&c->line); /* and it needs no memory while it waits */
}

static void
take_lines(struct connection *c)
{
	c->busy = true;
	while (c->control && !is_full(c) && take_next(c))
		;
	if (c->control && !is_full(c))
		keep_rest(c);
	c->busy = false;
}

/* ---- reading ---- */

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = handle->data;

	(void)suggested;
	*ret = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void
pause_if_full(struct connection *c)
{
	if (!c->control || c->paused || !is_full(c))
		return;
	uv_read_stop((uv_stream_t *)&c->pipe);
	c->paused = true;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
	struct connection *c = stream->data;

	if (n < 0) {
		/* who has asked may wait for its answers all the same */
		uv_read_stop(stream);
		c->ended = true;
		resume(c);
		return;
	}
	buf_add(&c->line, data->base, (size_t)n);
	take_lines(c);
	pause_if_full(c);
}

/* It is read again once it has less to wait for. */
static void
resume(struct connection *c)
{
	if (!c->control || c->busy)
		return;
	if (c->ended && !c->pending && !c->unsent)
		connection_close(c);
	if (!c->paused || is_full(c))
		return;
	take_lines(c);
	if (!c->control || is_full(c))
		return;
	c->paused = false;
	connection_begin(c);
}

void
connection_begin(struct connection *c)
{
	if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read))
		connection_close(c);
}

struct connection *
connection_new(struct control *control)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	/* a line, and what came with its end in one piece */
	c->line = (struct buf)BUF_INIT(CONTROL_LINE_MAX + sizeof(c->chunk));
	c->control = control;
	c->uid = (uid_t)-1;
	c->next = control->first;
	control->first = c;
	control->connections++;
	uv_pipe_init(control->listener.loop, &c->pipe, 0);
	c->pipe.data = c;
	return c;
}
