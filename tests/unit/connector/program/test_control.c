/* SPDX-License-Identifier: ISC */
#include "control.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A server whose handler answers "echo" at once, keeps "hold" until the next
 * "release", and answers "share" and what it keeps with one object. */
struct server {
	uv_loop_t loop;
	uv_async_t stop;
	struct control *control;
	struct control_peer *held;
	pthread_t thread;
	char dir[32];
	char path[48];
};

static struct json_object *
answer(const char *type)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "type", json_object_new_string(type));
	return reply;
}

static void
handle(void *context, struct control_peer *peer, const char *type,
    struct json_object *request)
{
	struct server *server = context;

	(void)request;
	if (strcmp(type, "hold") == 0) {
		server->held = peer;
		return;
	}
	if (strcmp(type, "share") == 0) {
		struct json_object *shared = answer("shared");
		control_reply(server->held, json_object_get(shared));
		server->held = NULL;
		control_reply(peer, shared);
		return;
	}
	if (strcmp(type, "release") == 0 && server->held) {
		control_reply(server->held, answer("held"));
		server->held = NULL;
	}
	control_reply(peer, answer("echo"));
}

static void
on_stop(uv_async_t *async)
{
	struct server *server = async->data;

	control_close(&server->control);
	uv_close((uv_handle_t *)async, NULL);
}

static void *
serve(void *argument)
{
	struct server *server = argument;

	uv_run(&server->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int
start(void **state)
{
	struct server *server = calloc(1, sizeof(*server));

	snprintf(server->dir, sizeof(server->dir), "/tmp/test_control.XXXXXX");
	if (!mkdtemp(server->dir))
		return -1;
	snprintf(server->path, sizeof(server->path), "%s/s", server->dir);
	uv_loop_init(&server->loop);
	uv_async_init(&server->loop, &server->stop, on_stop);
	server->stop.data = server;
	*state = server;
	return control_open(&server->control, &server->loop, server->path,
		   handle, server, NULL) ||
	       pthread_create(&server->thread, NULL, serve, server);
}

static int
stop(void **state)
{
	struct server *server = *state;

	uv_async_send(&server->stop);
	pthread_join(server->thread, NULL);
	assert_int_equal(uv_loop_close(&server->loop), 0);
	assert_int_not_equal(access(server->path, F_OK), 0);
	rmdir(server->dir);
	free(server);
	return 0;
}

static void
expect(const struct server *server, const char *request, const char *reply)
{
	struct buf line = BUF_INIT(CONTROL_LINE_MAX);

	assert_int_equal(control_ask(server->path, request, &line,
			     deadline_in_ms(10000), NULL),
	    MT_OK);
	assert_string_equal(buf_text(&line), reply);
	buf_done(&line);
}

static void
answers_carry_the_request_id(void **state)
{
	expect(*state, "{\"type\":\"x\"}", "{\"type\":\"echo\"}");
	expect(*state, "{\"type\":\"x\",\"request_id\":\"r1\"}",
	    "{\"type\":\"echo\",\"request_id\":\"r1\"}");
}

static void
malformed_lines_are_refused(void **state)
{
	static const char *const lines[] = {"", "[]", "nonsense",
	    "{\"type\":1}", "{}", "{\"type\":\"x\"", "\"x\""};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		expect(*state, lines[i],
		    "{\"type\":\"error\",\"detail\":\"expected one JSON object "
		    "with a type on a line\"}");
}

static int
connect_raw(const struct server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, server->path, strlen(server->path) + 1);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
several_requests_follow_on_a_connection(void **state)
{
	static const char two[] =
	    "{\"type\":\"hold\"}\n{\"type\":\"release\"}\n";
	static const char both[] = "{\"type\":\"held\"}\n{\"type\":\"echo\"}\n";
	int fd = connect_raw(*state);
	char reply[100];

	assert_int_equal(write(fd, two, strlen(two)), strlen(two));
	assert_int_equal(
	    recv(fd, reply, strlen(both), MSG_WAITALL), strlen(both));
	assert_memory_equal(reply, both, strlen(both));
	close(fd);
}

static void
answer_for_several_shows_each_its_own_request_id(void **state)
{
	static const char two[] = "{\"type\":\"hold\",\"request_id\":1}\n"
				  "{\"type\":\"share\"}\n";
	static const char both[] = "{\"type\":\"shared\",\"request_id\":1}\n"
				   "{\"type\":\"shared\"}\n";
	int fd = connect_raw(*state);
	char reply[100];

	assert_int_equal(write(fd, two, strlen(two)), strlen(two));
	assert_int_equal(
	    recv(fd, reply, strlen(both), MSG_WAITALL), strlen(both));
	assert_memory_equal(reply, both, strlen(both));
	close(fd);
}

static void
peer_that_left_is_answered_without_harm(void **state)
{
	static const char hold[] = "{\"type\":\"hold\"}\n";
	int fd = connect_raw(*state);

	assert_int_equal(write(fd, hold, strlen(hold)), strlen(hold));
	close(fd);
	/* the request was taken before this one, whichever way it went */
	expect(*state, "{\"type\":\"release\"}", "{\"type\":\"echo\"}");
}

static void
endless_line_ends_the_connection(void **state)
{
	int fd = connect_raw(*state);
	char chunk[8192];
	ssize_t sent = 0, n;

	memset(chunk, 'x', sizeof(chunk));
	while (sent <= 4 * CONTROL_LINE_MAX &&
	       (n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL)) > 0)
		sent += n;
	assert_true(sent < 4 * CONTROL_LINE_MAX);
	close(fd);
	expect(*state, "{\"type\":\"x\"}", "{\"type\":\"echo\"}");
}

static void
socket_is_for_its_owner_alone(void **state)
{
	struct server *server = *state;
	struct stat st;

	assert_int_equal(stat(server->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
nobody_listening_is_unreachable(void **state)
{
	struct buf line = BUF_INIT(100);

	(void)state;
	assert_int_equal(control_ask("/nonexistent/socket", "{}", &line,
			     deadline_in_ms(1000), NULL),
	    MT_UNREACHABLE);
	buf_done(&line);
}

static void
path_that_is_too_long_for_a_socket_is_refused(void **state)
{
	struct control *control = NULL;
	struct mt_error err = {0};
	char path[200];
	uv_loop_t loop;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_control.%0150d", 0);
	uv_loop_init(&loop);
	assert_int_equal(
	    control_open(&control, &loop, path, handle, NULL, &err),
	    MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "TRI_ONYX_EMAIL_STATE_DIR"));
	assert_int_equal(uv_loop_close(&loop), 0);
	path[107] = '\0'; /* where it would be cut */
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
#define ON_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)
	const struct CMUnitTest tests[] = {
	    ON_SERVER(answers_carry_the_request_id),
	    ON_SERVER(malformed_lines_are_refused),
	    ON_SERVER(several_requests_follow_on_a_connection),
	    ON_SERVER(answer_for_several_shows_each_its_own_request_id),
	    ON_SERVER(peer_that_left_is_answered_without_harm),
	    ON_SERVER(endless_line_ends_the_connection),
	    ON_SERVER(socket_is_for_its_owner_alone),
	    cmocka_unit_test(nobody_listening_is_unreachable),
	    cmocka_unit_test(path_that_is_too_long_for_a_socket_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
