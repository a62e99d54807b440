/* SPDX-License-Identifier: ISC */
#include "server.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS 1000

static int accept_error; /* 0: as the system does it */
static unsigned accepts;

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

int
__wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	accepts++;
	if (accept_error) {
		errno = accept_error;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, address, len, flags);
}

static void
ignore_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	(void)context;
	(void)connection;
	(void)frame;
	(void)len;
}

static void
ignore_end(void *context, struct connection *connection)
{
	(void)context;
	(void)connection;
}

static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A connection that waits is not tried in each turn of the loop. */
static void
without_descriptors_it_rests_and_then_accepts(void **scratch)
{
	static const struct server_handler handler = {
	    .request = ignore_request, .closed = ignore_end};
	static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	const char *path = scratch_path(*scratch, "socket");
	struct server *server = NULL;
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	OK(server_new(&loop, NULL, &server, &err));
	OK(server_listen(server, &handler, path, (gid_t)-1, &err));
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		int fd = connect_to(path);

		accept_error = errors[i];
		accepts = 0;
		while (!accepts)
			uv_run(&loop, UV_RUN_ONCE);
		for (int turn = 0; turn < TURNS; turn++)
			uv_run(&loop, UV_RUN_NOWAIT);
		/* however long that took: far from each time */
		assert_true(accepts < TURNS / 10);
		accept_error = 0;
		while (server_connections(server) == 0)
			uv_run(&loop, UV_RUN_ONCE);
		close(fd);
		while (server_connections(server) > 0)
			uv_run(&loop, UV_RUN_ONCE);
	}
	server_free(&server);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		without_descriptors_it_rests_and_then_accepts, scratch_setup,
		scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
