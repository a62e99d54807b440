/* SPDX-License-Identifier: ISC */
/* The listener with real clients on real sockets. */
#include "helper/command/listener.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "GET /?code=a&state=b HTTP/1.1\r\nHost: x\r\n\r\n"

static struct listener *
open_listener(void)
{
	struct listener *listener = NULL;
	struct mt_error err = {0};

	assert_int_equal(listener_open(&listener, 0, "work", &err), MT_OK);
	assert_true(listener_port(listener) > 0);
	return listener;
}

static int
connect_to(const struct listener *listener, int family)
{
	in_port_t port = htons((in_port_t)listener_port(listener));
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	    .sin_port = port,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	    .sin6_port = port,
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct timeval wait = {10, 0};
	int fd = socket(family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	if (family == AF_INET)
		assert_int_equal(
		    connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else
		assert_int_equal(
		    connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
	return fd;
}

static int
connect_and_send(const struct listener *listener, int family, const char *text)
{
	int fd = connect_to(listener, family);

	assert_int_equal(
	    send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

/* Serves what is ready; NULL when nothing is, or nothing came of it. */
static const char *
serve_once(struct listener *listener, int wait_ms)
{
	struct pollfd fds[LISTENER_POLL];

	listener_watch(listener, fds);
	return poll(fds, LISTENER_POLL, wait_ms) > 0
		   ? listener_serve(listener, fds)
		   : NULL;
}

/* Serves until a request carries an answer. */
static const char *
serve_until_answer(struct listener *listener)
{
	struct deadline deadline = deadline_in_ms(10000);
	const char *answer = NULL;

	while (!answer && !deadline_passed(deadline))
		answer = serve_once(listener, deadline_left_ms(deadline));
	assert_non_null(answer);
	return answer;
}

/* Serves until the client's connection is closed; the first bytes that came. */
static void
serve_until_closed(
    struct listener *listener, int fd, char *ret_start, size_t size)
{
	struct deadline deadline = deadline_in_ms(10000);
	char rest[4096];
	size_t got = 0;
	ssize_t n = 1;

	while (n != 0 && !deadline_passed(deadline)) {
		assert_null(serve_once(listener, 1));
		n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		for (ssize_t i = 0; i < n && got + 1 < size; i++)
			ret_start[got++] = rest[i];
	}
	ret_start[got] = '\0';
	assert_int_equal(n, 0);
	close(fd);
}

static void
read_all(int fd, char *ret_text, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, ret_text + got, size - 1 - got, 0)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	ret_text[got] = '\0';
	close(fd);
}

static void
answer_comes_in_by_either_family(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct listener *listener = open_listener();
	char page[16384];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int fd = connect_and_send(listener, families[i], ANSWER);
		assert_string_equal(
		    serve_until_answer(listener), "/?code=a&state=b");
		listener_answer(listener, LOGIN_PAGE_DONE, NULL);
		read_all(fd, page, sizeof(page));
		assert_non_null(strstr(page, "HTTP/1.1 200 OK\r\n"));
		assert_non_null(strstr(page, "You are logged in"));
	}
	listener_free(&listener);
	assert_null(listener);
}

static void
nothing_is_said_before_the_verdict(void **state)
{
	struct listener *listener = open_listener();
	int fd = connect_and_send(listener, AF_INET, ANSWER);
	char c;

	(void)state;
	serve_until_answer(listener);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	listener_answer(listener, LOGIN_PAGE_FAILED, "because");
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	close(fd);
	listener_free(&listener);
}

static void
noise_is_answered_and_closed(void **state)
{
	static const struct {
		const char *request;
		const char *status;
	} cases[] = {
	    {"GET /favicon.ico HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
	    {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "},
	    {"POST /?code=a HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b",
		"HTTP/1.1 405 "},
	    {"\x16\x03\x01", "HTTP/1.1 400 "},
	    {"GET / HTTP/1.1\r\n\r\nGET /?code=a HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 "},
	};
	struct listener *listener = open_listener();
	char start[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = connect_and_send(listener, AF_INET, cases[i].request);
		serve_until_closed(listener, fd, start, sizeof(start));
		assert_memory_equal(
		    start, cases[i].status, strlen(cases[i].status));
	}
	listener_free(&listener);
}

static void
endless_header_is_cut_off(void **state)
{
	struct listener *listener = open_listener();
	int fd =
	    connect_and_send(listener, AF_INET, "GET /?code=a HTTP/1.1\r\nX: ");
	char filler[8192], start[64];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	assert_int_equal(
	    send(fd, filler, sizeof(filler), 0), (ssize_t)sizeof(filler));
	serve_until_closed(listener, fd, start, sizeof(start));
	assert_memory_equal(start, "HTTP/1.1 400 ", 13);
	listener_free(&listener);
}

static void
request_in_pieces_among_idle_clients_is_served(void **state)
{
	struct listener *listener = open_listener();
	int idle[LISTENER_CONNECTIONS - 1], fd;

	(void)state;
	for (size_t i = 0; i < LISTENER_CONNECTIONS - 1; i++)
		idle[i] = connect_and_send(listener, AF_INET, "GET /?co");
	fd = connect_to(listener, AF_INET6);
	for (const char *c = ANSWER; *c; c++) {
		assert_int_equal(send(fd, c, 1, 0), 1);
		if (c[1])
			assert_null(serve_once(listener, 10000));
	}
	serve_until_answer(listener);
	listener_answer(listener, LOGIN_PAGE_DONE, NULL);
	close(fd);
	for (size_t i = 0; i < LISTENER_CONNECTIONS - 1; i++)
		close(idle[i]);
	listener_free(&listener);
}

static void
oldest_makes_room_and_the_real_one_stays(void **state)
{
	struct listener *listener = open_listener();
	int idle[2 * LISTENER_CONNECTIONS], fd = -1;

	(void)state;
	for (size_t i = 0; i < 2 * LISTENER_CONNECTIONS; i++) {
		/* the real one comes in the middle and speaks last */
		if (i == 3 * LISTENER_CONNECTIONS / 2) {
			fd = connect_to(listener, AF_INET);
			assert_null(serve_once(listener, 10000));
		}
		idle[i] = connect_to(listener, i % 2 ? AF_INET : AF_INET6);
		assert_null(serve_once(listener, 10000));
	}
	assert_int_equal(
	    send(fd, ANSWER, strlen(ANSWER), 0), (ssize_t)strlen(ANSWER));
	serve_until_answer(listener);
	listener_answer(listener, LOGIN_PAGE_DONE, NULL);
	close(fd);
	for (size_t i = 0; i < 2 * LISTENER_CONNECTIONS; i++)
		close(idle[i]);
	listener_free(&listener);
}

static void
forged_answer_leaves_the_listener_open(void **state)
{
	struct listener *listener = open_listener();
	int forged = connect_and_send(
		listener, AF_INET, "GET /?code=x&state=y HTTP/1.1\r\n\r\n"),
	    real = connect_and_send(listener, AF_INET, ANSWER);
	char page[16384];

	(void)state;
	assert_string_equal(serve_until_answer(listener), "/?code=x&state=y");
	listener_answer(listener, LOGIN_PAGE_FOREIGN, "not <this> login's");
	read_all(forged, page, sizeof(page));
	assert_non_null(strstr(page, "not &lt;this&gt; login's"));
	assert_string_equal(serve_until_answer(listener), "/?code=a&state=b");
	listener_answer(listener, LOGIN_PAGE_DONE, NULL);
	close(real);
	listener_free(&listener);
}

static void
slow_client_has_a_deadline(void **state)
{
	struct listener *listener = open_listener();
	struct deadline far = deadline_in_ms(3600 * 1000);
	int fd;

	(void)state;
	assert_true(listener_deadline(listener, far).at_ms == far.at_ms);
	fd = connect_and_send(listener, AF_INET, "GET ");
	serve_once(listener, 10000);
	assert_true(listener_deadline(listener, far).at_ms <=
		    deadline_in_ms(10000).at_ms);
	/* an earlier one of the caller's own holds */
	assert_int_equal(
	    deadline_left_ms(listener_deadline(listener, deadline_in_ms(0))),
	    0);
	close(fd);
	listener_free(&listener);
}

static void
taken_port_is_refused(void **state)
{
	struct listener *first = open_listener(), *second = NULL;
	struct mt_error err = {0};

	(void)state;
	assert_int_equal(
	    listener_open(&second, listener_port(first), "work", &err),
	    MT_RETRY_LATER);
	assert_null(second);
	listener_free(&first);
}

/* Who has the port in one family would get the browser's answer. */
static void
port_taken_in_one_family_is_refused(void **state)
{
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(v6);
	struct listener *listener = NULL;
	struct mt_error err = {0};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&v6, &len), 0);
	assert_int_equal(
	    listener_open(&listener, ntohs(v6.sin6_port), "work", &err),
	    MT_RETRY_LATER);
	assert_null(listener);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answer_comes_in_by_either_family),
	    cmocka_unit_test(nothing_is_said_before_the_verdict),
	    cmocka_unit_test(noise_is_answered_and_closed),
	    cmocka_unit_test(endless_header_is_cut_off),
	    cmocka_unit_test(request_in_pieces_among_idle_clients_is_served),
	    cmocka_unit_test(oldest_makes_room_and_the_real_one_stays),
	    cmocka_unit_test(forged_answer_leaves_the_listener_open),
	    cmocka_unit_test(slow_client_has_a_deadline),
	    cmocka_unit_test(taken_port_is_refused),
	    cmocka_unit_test(port_taken_in_one_family_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
