/* SPDX-License-Identifier: ISC */
#include "control_client.h"

#include "control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum mt_status
connect_to(const char *path, int *ret_fd, struct mt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return mt_fail(
		    err, MT_BAD_CONFIG, "socket path too long: %s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		error = errno;
		close(fd);
		return mt_fail_errno(err, MT_UNREACHABLE, error,
		    "cannot reach the running connector at %s", path);
	}
	*ret_fd = fd;
	return MT_OK;
}

/* Reads up to the first line end. */
static enum mt_status
read_line(
    int fd, struct buf *line, struct deadline deadline, struct mt_error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char chunk[4096];
	ssize_t n;

	buf_reset(line);
	while (!line->len || line->data[line->len - 1] != '\n') {
		if (poll(&p, 1, deadline_left_ms(deadline)) <= 0)
			return mt_fail(err, MT_RETRY_LATER,
			    "the running connector did not answer in time");
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return mt_fail(err, MT_UNREACHABLE,
			    "the running connector ended without an answer");
		buf_add(line, chunk, (size_t)n);
		if (!buf_ok(line))
			return mt_fail(err, MT_RETRY_LATER,
			    "the running connector's answer is too long");
	}
	line->data[--line->len] = '\0';
	return MT_OK;
}

enum mt_status
control_ask(const char *path, const char *request, struct buf *ret_reply,
    struct deadline deadline, struct mt_error *err)
{
	struct buf line = BUF_INIT(CONTROL_LINE_MAX);
	enum mt_status status;
	int fd = -1;

	status = connect_to(path, &fd, err);
	if (status != MT_OK)
		return status;
	buf_add_format(&line, "%s\n", request);
	if (!buf_ok(&line))
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a request");
	else if (send(fd, line.data, line.len, MSG_NOSIGNAL) !=
		 (ssize_t)line.len)
		status = mt_fail_errno(err, MT_UNREACHABLE, errno,
		    "cannot ask the running connector at %s", path);
	else
		status = read_line(fd, ret_reply, deadline, err);
	close(fd);
	buf_done(&line);
	return status;
}
