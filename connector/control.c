/* SPDX-License-Identifier: ISC */
#include "control_impl.h"

#include "base/log.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REFUSED_LOG_MS 60000 /* until the next line on the same user */

/* ---- who is served ---- */

static bool
is_served(const struct control *control, uid_t uid)
{
	const struct control_settings *s = &control->settings;

	for (size_t i = 0; i < s->allowed_count; i++)
		if (s->allowed[i] == uid)
			return true;
	return uid == 0 || uid == geteuid();
}

static void
log_refused(struct control *control, const struct ucred *peer)
{
	uint64_t now = uv_now(control->listener.loop);

	if (control->refused == peer->uid && control->refused_ms &&
	    now - control->refused_ms < REFUSED_LOG_MS)
		return;
	control->refused = peer->uid;
	control->refused_ms = now;
	log_warning("%s: the user %u (process %d) is not served%s",
	    control->settings.place.path, (unsigned)peer->uid, (int)peer->pid,
	    control->settings.place.shared
		? "; TRI_ONYX_EMAIL_SOCKET_ALLOW names who is"
		: "");
}

static size_t
count_of(const struct control *control, uid_t uid)
{
	size_t count = 0;

	for (const struct connection *c = control->first; c; c = c->next)
		count += c->uid == uid;
	return count;
}

/* False: it is to be closed. */
static bool
admit(struct control *control, struct connection *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	if (!is_served(control, peer.uid)) {
		log_refused(control, &peer);
		return false;
	}
	c->uid = peer.uid;
	if (control->connections > CONTROL_CONNECTIONS_MAX ||
	    count_of(control, peer.uid) > CONTROL_CONNECTIONS_OF_ONE) {
		connection_complain(c, NULL, "too many connections");
		return false;
	}
	return true;
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	struct connection *c = status < 0 ? NULL : connection_new(control);

	if (!c)
		return;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) == 0 &&
	    admit(control, c))
		connection_begin(c);
	else
		connection_close(c);
}

/* ---- beginning and end ---- */

static void
on_listener_closed(uv_handle_t *handle)
{
	free(handle->data);
}

enum mt_status
control_open(struct control **ret_control, uv_loop_t *loop,
    const struct control_settings *settings, struct mt_error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	enum mt_status status;
	int fd = -1, error;

	if (!control)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	control->settings = *settings;
	status = control_listen(&settings->place, &fd, &control->socket, err);
	if (status != MT_OK) {
		free(control);
		return status;
	}
	uv_pipe_init(loop, &control->listener, 0);
	control->listener.data = control;
	error = uv_pipe_open(&control->listener, fd);
	if (error)
		close(fd);
	else
		error = uv_listen((uv_stream_t *)&control->listener,
		    CONTROL_BACKLOG, on_connection);
	if (error) {
		status = mt_fail(err, MT_BAD_CONFIG, "cannot listen on %s: %s",
		    settings->place.path, uv_strerror(error));
		control_close(&control);
		return status;
	}
	*ret_control = control;
	return MT_OK;
}

void
control_close(struct control **control_p)
{
	struct control *control = *control_p;

	if (!control)
		return;
	while (control->first)
		connection_close(control->first);
	control_unlisten(control->settings.place.path, &control->socket);
	uv_close((uv_handle_t *)&control->listener, on_listener_closed);
	*control_p = NULL;
}
