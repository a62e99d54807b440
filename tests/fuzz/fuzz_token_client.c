/* SPDX-License-Identifier: ISC */
/*
 * Parts: the sizes in which the kernel hands the bytes out, what the helper
 * sends before it closes.  The reader has to find exactly the frames in it.
 */
#include "fuzz.h"

#include "tokensock/token_client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 60000 /* never reached: the other end has closed */

static const char *pieces;
static size_t pieces_len, piece;

/* The linker puts this in the place of recv(2): no more than the next piece.
 * What was looked at can also be taken. */
ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);

ssize_t
__wrap_recv(int fd, void *data, size_t len, int flags)
{
	static bool has_peeked;
	size_t most =
	    !pieces_len || has_peeked
		? len
		: (size_t)1 + (unsigned char)pieces[piece++ % pieces_len];

	has_peeked = flags & MSG_PEEK;
	return __real_recv(fd, data, len < most ? len : most, flags);
}

static void
fill(int fd, const char *stream, size_t len)
{
	int size = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		abort();
	if (len && send(fd, stream, len, MSG_DONTWAIT) != (ssize_t)len)
		abort();
	close(fd);
}

/* The next line as a frame; false when there is none, or it is malformed. */
static bool
next_frame(const char **stream, size_t *left, char **ret_line,
    struct token_wire_message *ret_message)
{
	const char *end = *left ? memchr(*stream, '\n', *left) : NULL;
	size_t len = end ? (size_t)(end + 1 - *stream) : 0;

	*ret_line = NULL;
	if (!end)
		return false;
	*ret_line = malloc(len);
	if (!*ret_line)
		abort();
	memcpy(*ret_line, *stream, len);
	*stream += len;
	*left -= len;
	return token_wire_parse(*ret_line, len, ret_message);
}

static void
check_same(
    const struct token_wire_message *a, const struct token_wire_message *b)
{
	FUZZ_CHECK(strcmp(a->verb, b->verb) == 0 && a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		FUZZ_CHECK(strcmp(a->fields[i].name, b->fields[i].name) == 0 &&
			   strcmp(a->fields[i].value, b->fields[i].value) == 0);
}

static bool
read_frame(struct token_client *client, const char **stream, size_t *left)
{
	struct token_wire_message message = {0}, expected;
	struct mt_error err = {0};
	char *line;
	bool is_there = next_frame(stream, left, &line, &expected);
	enum mt_status status = token_client_read(
	    client, &message, deadline_in_ms(DEADLINE_MS), &err);

	if (is_there) {
		FUZZ_CHECK(client->fd >= 0 && status != MT_UNREACHABLE);
		check_same(&message, &expected);
	} else {
		FUZZ_CHECK(client->fd < 0 && status == MT_UNREACHABLE);
	}
	if (status != MT_OK)
		FUZZ_CHECK(fuzz_is_sentence(&err));
	free(line);
	return is_there;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t sizes_len, len;
	char *sizes = fuzz_bytes(&input, &sizes_len);
	char *stream = fuzz_bytes(&input, &len);
	const char *rest = stream;
	struct token_client client;
	int fds[2];

	pieces = sizes;
	pieces_len = sizes_len;
	piece = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		abort();
	fill(fds[1], stream, len);
	token_client_init(&client, (uid_t)-1);
	token_client_adopt(&client, fds[0]);
	while (read_frame(&client, &rest, &len))
		;
	token_client_done(&client);
	FUZZ_CHECK(fcntl(fds[0], F_GETFD) < 0);
	free(sizes);
	free(stream);
	return 0;
}
