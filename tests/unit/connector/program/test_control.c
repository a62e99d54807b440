/* SPDX-License-Identifier: ISC */
#include "control.h"
#include "control_client.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define KEPT_MAX 64

#define LONG_BYTES                                                             \
	7000000 /* eight are less than CONTROL_UNSENT_ALL, ten more */

/* A server whose handler answers "echo" at once, and at length for "long", keeps
 * "hold" until the next "release", or "first" for the first of them, says how
 * many it keeps for "count", and answers "share" and what it keeps with one
 * object. */
struct server {
	uv_loop_t loop;
	uv_async_t stop;
	struct control *control;
	struct control_peer *kept[KEPT_MAX];
	int count;
	int most; /* kept at a time */
	bool shared;
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
add_long_text(struct json_object *reply)
{
	char *text = calloc(1, LONG_BYTES + 1);

	assert_non_null(text);
	memset(text, 'x', LONG_BYTES);
	json_object_object_add(
	    reply, "text", json_object_new_string_len(text, LONG_BYTES));
	free(text);
}

static void
answer_kept(struct server *server, struct json_object *reply)
{
	int count = server->count;

	server->count = 0; /* who is answered may go on asking */
	for (int i = 0; i < count; i++) {
		struct control_peer *peer = server->kept[i];
		server->kept[i] = NULL;
		control_reply(peer, json_object_get(reply));
	}
	json_object_put(reply);
}

static void
answer_first(struct server *server, struct json_object *reply)
{
	struct control_peer *peer = server->kept[0];

	server->count--;
	memmove(server->kept, server->kept + 1,
	    (size_t)server->count * sizeof(*server->kept));
	control_reply(peer, reply);
}

static void
handle(void *context, struct control_peer *peer, const char *type,
    struct json_object *request)
{
	struct server *server = context;
	struct json_object *reply;

	(void)request;
	if (strcmp(type, "hold") == 0) {
		assert_true(server->count < KEPT_MAX);
		server->kept[server->count++] = peer;
		if (server->most < server->count)
			server->most = server->count;
		return;
	}
	if (strcmp(type, "share") == 0) {
		struct json_object *shared = answer("shared");
		answer_kept(server, json_object_get(shared));
		control_reply(peer, shared);
		return;
	}
	reply = answer("echo");
	if (strcmp(type, "long") == 0)
		add_long_text(reply);
	if (strcmp(type, "count") == 0)
		json_object_object_add(
		    reply, "count", json_object_new_int(server->count));
	if (strcmp(type, "release") == 0)
		answer_kept(server, answer("held"));
	if (strcmp(type, "first") == 0)
		answer_first(server, answer("held"));
	control_reply(peer, reply);
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
start_at(void **state, bool shared)
{
	struct server *server = calloc(1, sizeof(*server));

	snprintf(server->dir, sizeof(server->dir), "/tmp/test_control.XXXXXX");
	if (!mkdtemp(server->dir))
		return -1;
	snprintf(server->path, sizeof(server->path), "%s/s", server->dir);
	uv_loop_init(&server->loop);
	uv_async_init(&server->loop, &server->stop, on_stop);
	server->stop.data = server;
	server->shared = shared;
	*state = server;
	const struct control_settings settings = {
	    .place = {server->path, "X", server->shared},
	    .handler = handle,
	    .context = server,
	};
	return control_open(&server->control, &server->loop, &settings, NULL) ||
	       pthread_create(&server->thread, NULL, serve, server);
}

static int
start(void **state)
{
	return start_at(state, false);
}

static int
start_shared(void **state)
{
	return start_at(state, true);
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
expect_refusal(
    const struct server *server, const char *request, const char *detail)
{
	struct buf reply = BUF_INIT(1000);

	buf_add_format(
	    &reply, "{\"type\":\"error\",\"detail\":\"%s\"}", detail);
	expect(server, request, buf_text(&reply));
	buf_done(&reply);
}

static void
malformed_lines_are_refused(void **state)
{
	static const char no_object[] =
	    "expected one JSON object with a type on a line";
	static const char no_id[] = "request_id must be text of 1 to 128 bytes "
				    "without control characters";
	static const struct {
		const char *line;
		const char *detail;
	} cases[] = {
	    {"", no_object},
	    {"[]", no_object},
	    {"nonsense", no_object},
	    {"{\"type\":1}", no_object},
	    {"{\"type\":\"a\\u0000b\"}", no_object},
	    {"{\"type\":null}", no_object},
	    {"{}", no_object},
	    {"{\"type\":\"x\"", no_object},
	    {"{\"type\":\"x\"} {}", no_object},
	    {"{\"type\":\"x\"}x", no_object},
	    {"{'type':'x'}", no_object},
	    {"{\"type\":\"x\",}", no_object},
	    {"/**/{\"type\":\"x\"}", no_object},
	    {"\"x\"", no_object},
	    {"{\"type\":\"x\",\"request_id\":1}", no_id},
	    {"{\"type\":\"x\",\"request_id\":\"\"}", no_id},
	    {"{\"type\":\"x\",\"request_id\":[\"r\"]}", no_id},
	    {"{\"type\":\"x\",\"request_id\":\"a\\nb\"}", no_id},
	    {"{\"type\":\"x\",\"request_id\":\"a\\u0000b\"}", no_id},
	    {"{\"type\":\"x\x01\"}",
		"a request must not hold control characters"},
	    {"{\"type\":\"\xff\"}", "a request must be UTF-8"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_refusal(*state, cases[i].line, cases[i].detail);
}

static void
refusal_carries_the_request_id(void **state)
{
	expect(*state, "{\"request_id\":\"r1\"}",
	    "{\"type\":\"error\",\"detail\":\"expected one JSON object with "
	    "a type on a line\",\"request_id\":\"r1\"}");
}

static void
request_id_has_a_maximum(void **state)
{
	char id[200], request[300], reply[300];

	memset(id, 'i', sizeof(id));
	for (size_t len = 127; len < 130; len++) {
		snprintf(request, sizeof(request),
		    "{\"type\":\"x\",\"request_id\":\"%.*s\"}", (int)len, id);
		snprintf(reply, sizeof(reply),
		    "{\"type\":\"echo\",\"request_id\":\"%.*s\"}", (int)len,
		    id);
		if (len <= 128)
			expect(*state, request, reply);
		else
			expect_refusal(*state, request,
			    "request_id must be text of 1 to 128 bytes without "
			    "control characters");
	}
}

static void
what_is_odd_but_harmless_is_taken(void **state)
{
	static const char *const lines[] = {"{\"type\":\"x\"}\r",
	    " \t{ \"type\" : \"x\" } ", "{\"a\":1e999,\"type\":\"x\"}",
	    "{\"type\":\"x\",\"request_id\":null}",
	    "{\"n\":123456789012345678901234567890,\"type\":\"x\"}",
	    "{\"type\":\"y\",\"type\":\"x\"}"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		expect(*state, lines[i], "{\"type\":\"echo\"}");
}

static void
deep_nesting_is_refused(void **state)
{
	struct buf line = BUF_INIT(200000);

	buf_add_text(&line, "{\"type\":\"x\",\"a\":");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&line, '[');
	expect_refusal(
	    *state, buf_text(&line), "JSON is nested deeper than 16");
	buf_done(&line);
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
	static const char two[] = "{\"type\":\"hold\",\"request_id\":\"1\"}\n"
				  "{\"type\":\"share\"}\n";
	static const char both[] =
	    "{\"type\":\"shared\",\"request_id\":\"1\"}\n"
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
send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		assert_true(n > 0);
		at += n;
		len -= (size_t)n;
	}
}

static void
expect_line(int fd, const char *expected)
{
	char line[1000];

	assert_true(strlen(expected) < sizeof(line));
	assert_int_equal(
	    recv(fd, line, strlen(expected), MSG_WAITALL), strlen(expected));
	line[strlen(expected)] = '\0';
	assert_string_equal(line, expected);
}

/* The first answer finds that it has left; the others come after the end of the
 * connection. */
static void
peer_that_left_has_asked_several_times(void **state)
{
	static const char hold[] = "{\"type\":\"hold\"}\n";
	int fd = connect_raw(*state);

	for (int i = 0; i < 3; i++)
		send_all(fd, hold, strlen(hold));
	expect(
	    *state, "{\"type\":\"count\"}", "{\"type\":\"echo\",\"count\":3}");
	close(fd);
	for (int i = 2; i >= 0; i--) {
		char count[64];

		expect(*state, "{\"type\":\"first\"}", "{\"type\":\"echo\"}");
		snprintf(count, sizeof(count),
		    "{\"type\":\"echo\",\"count\":%d}", i);
		expect(*state, "{\"type\":\"count\"}", count);
	}
}

static void
nul_is_refused_and_the_next_line_is_taken(void **state)
{
	static const char lines[] = "{\"type\":\"x\"}\0\n{\"type\":\"x\"}\n";
	int fd = connect_raw(*state);

	send_all(fd, lines, sizeof(lines) - 1);
	expect_line(fd, "{\"type\":\"error\",\"detail\":\"a request must not "
			"hold control characters\"}\n{\"type\":\"echo\"}\n");
	close(fd);
}

/* A request of `len` bytes, with a line end. */
static void
send_request_of(int fd, size_t len)
{
	static const char head[] = "{\"type\":\"x\",\"a\":\"";
	char *line = malloc(len + 1);

	memset(line, 'x', len);
	memcpy(line, head, strlen(head));
	memcpy(line + len - 2, "\"}\n", 3);
	send_all(fd, line, len + 1);
	free(line);
}

static void
line_has_a_maximum_and_one_beyond_it_costs_only_itself(void **state)
{
	static const char refused[] = "{\"type\":\"error\",\"detail\":\"line "
				      "longer than 262144 bytes\"}\n";
	static const char taken[] = "{\"type\":\"echo\"}\n";
	static const struct {
		size_t len;
		const char *reply;
	} cases[] = {
	    {CONTROL_LINE_MAX, taken},
	    {CONTROL_LINE_MAX + 1, refused},
	    {CONTROL_LINE_MAX + 4096, refused},
	    {20 * CONTROL_LINE_MAX, refused},
	};
	int fd = connect_raw(*state);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		send_request_of(fd, cases[i].len);
		send_request_of(fd, 100);
		expect_line(fd, cases[i].reply);
		expect_line(fd, taken);
	}
	close(fd);
}

static void
who_has_said_all_still_gets_its_answer(void **state)
{
	static const char hold[] = "{\"type\":\"hold\"}\n";
	char byte;
	int fd = connect_raw(*state);

	send_all(fd, hold, strlen(hold));
	shutdown(fd, SHUT_WR);
	expect(
	    *state, "{\"type\":\"count\"}", "{\"type\":\"echo\",\"count\":1}");
	expect(*state, "{\"type\":\"release\"}", "{\"type\":\"echo\"}");
	expect_line(fd, "{\"type\":\"held\"}\n");
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void
who_waits_for_many_answers_is_not_heard(void **state)
{
	static const char hold[] = "{\"type\":\"hold\"}\n";
	static const char held[] = "{\"type\":\"held\"}\n";
	const int wanted = 2 * CONTROL_PENDING_MAX + 5;
	struct server *server = *state;
	char chunk[4096];
	int fd = connect_raw(server);
	size_t got = 0;

	for (int i = 0; i < wanted; i++)
		send_all(fd, hold, strlen(hold));
	while (got < (size_t)wanted * strlen(held)) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n > 0)
			got += (size_t)n;
		else
			expect(server, "{\"type\":\"release\"}",
			    "{\"type\":\"echo\"}");
	}
	close(fd);
	assert_int_equal(server->most, CONTROL_PENDING_MAX);
}

static void
who_does_not_read_is_not_heard_and_delays_nobody(void **state)
{
	static const char request[] = "{\"type\":\"x\"}\n";
	static const char reply[] = "{\"type\":\"echo\"}\n";
	struct server *server = *state;
	char chunk[sizeof(request) * 100];
	size_t sent = 0, received = 0;
	ssize_t n;
	int fd = connect_raw(server);

	for (size_t i = 0; i < 100; i++)
		memcpy(chunk + i * strlen(request), request, strlen(request));
	/* until the server has had enough: a while without it taking more */
	for (int silent = 0; silent < 20;) {
		size_t part = sent % strlen(request);
		n = send(fd, chunk + part, 100 * strlen(request) - part,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		silent = n > 0 ? 0 : silent + 1;
		sent += n > 0 ? (size_t)n : 0;
		expect(server, "{\"type\":\"x\"}", "{\"type\":\"echo\"}");
		assert_true(sent < 64 * CONTROL_UNSENT_MAX);
	}
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		received += (size_t)n;
	assert_int_equal(received, sent / strlen(request) * strlen(reply));
	close(fd);
}

/* Connections that read nothing leave no room; whoever reads has its answers. */
static void
who_does_not_read_makes_room_for_who_does(void **state)
{
	static const char request[] = "{\"type\":\"long\"}\n";
	struct buf reply = BUF_INIT(CONTROL_REPLY_MAX);
	int silent[16];

	for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++) {
		silent[i] = connect_raw(*state);
		send_all(silent[i], request, strlen(request));
		expect(*state, "{\"type\":\"x\"}", "{\"type\":\"echo\"}");
		/* an answer that is as long as those that are not read */
		assert_int_equal(control_ask(((struct server *)*state)->path,
				     "{\"type\":\"long\"}", &reply,
				     deadline_in_ms(10000), NULL),
		    MT_OK);
		assert_true(reply.len > LONG_BYTES);
	}
	for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++)
		close(silent[i]);
	buf_done(&reply);
}

static void
connections_of_a_user_have_a_maximum(void **state)
{
	static const char refused[] = "{\"type\":\"error\",\"detail\":\"too "
				      "many connections\"}\n";
	int fds[CONTROL_CONNECTIONS_OF_ONE], fd;
	char byte;

	for (size_t i = 0; i < CONTROL_CONNECTIONS_OF_ONE; i++)
		fds[i] = connect_raw(*state);
	for (size_t i = 0; i < 200; i++) {
		fd = connect_raw(*state);
		expect_line(fd, refused);
		assert_int_equal(recv(fd, &byte, 1, 0), 0);
		close(fd);
	}
	send_all(fds[0], "{\"type\":\"x\"}\n", 13);
	expect_line(fds[0], "{\"type\":\"echo\"}\n");
	for (size_t i = 0; i < CONTROL_CONNECTIONS_OF_ONE; i++)
		close(fds[i]);
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
shared_socket_is_for_the_group_of_its_directory(void **state)
{
	struct server *server = *state;
	struct stat st, directory;

	assert_int_equal(stat(server->path, &st), 0);
	assert_int_equal(stat(server->dir, &directory), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, directory.st_gid);
}

static enum mt_status
listen_again(
    const struct server *server, bool shared, int *ret_fd, struct mt_error *err)
{
	const struct control_place place = {server->path, "X", shared};
	struct stat st;

	return control_listen(&place, ret_fd, &st, err);
}

static void
shared_socket_that_somebody_serves_is_left_alone(void **state)
{
	struct server *server = *state;
	struct mt_error err;
	int fd = -1;

	assert_int_equal(listen_again(server, true, &fd, &err), MT_RETRY_LATER);
	assert_non_null(strstr(err.text, "another process listens"));
	expect(server, "{\"type\":\"x\"}", "{\"type\":\"echo\"}");
}

static void
socket_that_somebody_else_has_put_there_is_not_removed(void **state)
{
	struct server *server = NULL;
	int fd = -1;

	(void)state;
	assert_int_equal(start((void **)&server), 0);
	assert_int_equal(listen_again(server, false, &fd, NULL), MT_OK);
	uv_async_send(&server->stop);
	pthread_join(server->thread, NULL);
	assert_int_equal(uv_loop_close(&server->loop), 0);
	assert_int_equal(access(server->path, F_OK), 0);
	close(fd);
	/* and nobody listens on it any more */
	assert_int_equal(listen_again(server, true, &fd, NULL), MT_OK);
	close(fd);
	unlink(server->path);
	rmdir(server->dir);
	free(server);
}

static void
what_is_no_socket_is_not_replaced(void **state)
{
	char path[] = "/tmp/test_control.XXXXXX";
	struct server server = {0};
	struct mt_error err;
	int file = mkstemp(path), fd = -1;

	(void)state;
	assert_true(file >= 0);
	memcpy(server.path, path, sizeof(path));
	for (int shared = 0; shared < 2; shared++)
		assert_int_equal(
		    listen_again(&server, shared, &fd, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	close(file);
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
	char path[200];
	const struct control_settings settings = {
	    .place = {path, "THE_VARIABLE", false},
	    .handler = handle,
	};
	struct control *control = NULL;
	struct mt_error err = {0};
	uv_loop_t loop;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_control.%0150d", 0);
	uv_loop_init(&loop);
	assert_int_equal(
	    control_open(&control, &loop, &settings, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "set THE_VARIABLE to a shorter one"));
	assert_int_equal(uv_loop_close(&loop), 0);
	path[107] = '\0'; /* where it would be cut */
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
#define ON_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define ON_SHARED(test)                                                        \
	cmocka_unit_test_setup_teardown(test, start_shared, stop)
	const struct CMUnitTest tests[] = {
	    ON_SERVER(answers_carry_the_request_id),
	    ON_SERVER(malformed_lines_are_refused),
	    ON_SERVER(several_requests_follow_on_a_connection),
	    ON_SERVER(answer_for_several_shows_each_its_own_request_id),
	    ON_SERVER(peer_that_left_is_answered_without_harm),
	    ON_SERVER(peer_that_left_has_asked_several_times),
	    ON_SERVER(refusal_carries_the_request_id),
	    ON_SERVER(request_id_has_a_maximum),
	    ON_SERVER(what_is_odd_but_harmless_is_taken),
	    ON_SERVER(deep_nesting_is_refused),
	    ON_SERVER(nul_is_refused_and_the_next_line_is_taken),
	    ON_SERVER(line_has_a_maximum_and_one_beyond_it_costs_only_itself),
	    ON_SERVER(who_has_said_all_still_gets_its_answer),
	    ON_SERVER(who_waits_for_many_answers_is_not_heard),
	    ON_SERVER(who_does_not_read_is_not_heard_and_delays_nobody),
	    ON_SERVER(who_does_not_read_makes_room_for_who_does),
	    ON_SERVER(connections_of_a_user_have_a_maximum),
	    ON_SERVER(socket_is_for_its_owner_alone),
	    ON_SHARED(shared_socket_is_for_the_group_of_its_directory),
	    ON_SHARED(shared_socket_that_somebody_serves_is_left_alone),
	    cmocka_unit_test(
		socket_that_somebody_else_has_put_there_is_not_removed),
	    cmocka_unit_test(what_is_no_socket_is_not_replaced),
	    cmocka_unit_test(nobody_listening_is_unreachable),
	    cmocka_unit_test(path_that_is_too_long_for_a_socket_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
