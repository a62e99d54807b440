/* SPDX-License-Identifier: ISC */
#include "fd_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MS 5000

struct fd_reader {
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	int handles;
	enum fd_reader_kind kind;
	struct secret token;
	fd_reader_done done;
	void *context;
};

static void
free_handle(uv_handle_t *handle)
{
	struct fd_reader *reader = handle->data;

	if (--reader->handles == 0)
		free(reader);
}

void
fd_reader_cancel(struct fd_reader **reader)
{
	struct fd_reader *r = *reader;

	if (!r)
		return;
	*reader = NULL;
	secret_done(&r->token);
	uv_close((uv_handle_t *)&r->poll, free_handle);
	uv_close((uv_handle_t *)&r->timer, free_handle);
	close(r->fd);
}

/* A token is 1*VSCHAR, RFC 6749 appendix A. */
static enum mt_status
check_characters(
    const struct secret *token, enum fd_reader_kind kind, struct mt_error *err)
{
	for (size_t i = 0; i < token->len; i++) {
		const char c = token->data[i];
		if (kind == FD_READER_TOKEN && (c <= ' ' || c > '~'))
			return mt_fail(err, MT_BAD_INPUT,
			    "the file holds something else than one refresh "
			    "token");
		if (c == '\n' || c == '\0')
			return mt_fail(err, MT_BAD_INPUT,
			    "a passphrase is one line of text");
	}
	return MT_OK;
}

/* One final line end is dropped. */
static enum mt_status
check(struct secret *token, enum fd_reader_kind kind, struct mt_error *err)
{
	const char *what =
	    kind == FD_READER_TOKEN ? "refresh token" : "passphrase";

	if (!secret_ok(token))
		return mt_fail(err, MT_BAD_INPUT,
		    "the %s is longer than %d bytes", what, SECRET_MAX);
	for (size_t n = 0; n < 2 && token->len; n++)
		if (token->data[token->len - 1] == "\n\r"[n])
			token->data[--token->len] = '\0';
	if (!token->len)
		return mt_fail(err, MT_BAD_INPUT, "the file holds no %s", what);
	return check_characters(token, kind, err);
}

/* Reads what is there.  1: all is read, 0: more may come, -1: errno. */
static int
read_some(int fd, struct secret *token)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && secret_ok(token))
		secret_add(token, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof(chunk));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return 1;
}

static void
finish(struct fd_reader *reader, const struct mt_error *failure)
{
	fd_reader_done done = reader->done;
	void *context = reader->context;
	enum fd_reader_kind kind = reader->kind;
	struct mt_error result = {0};
	struct secret token;

	secret_init(&token, reader->token.arena);
	secret_move(&token, &reader->token);
	fd_reader_cancel(&reader);
	if (failure)
		result = *failure;
	else
		check(&token, kind, &result);
	done(context, &token, &result);
	secret_done(&token);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct fd_reader *reader = poll->data;
	struct mt_error failure = {0};
	int result;

	(void)events;
	result = status < 0 ? -1 : read_some(reader->fd, &reader->token);
	if (result == 0)
		return;
	if (result < 0)
		mt_fail(&failure, MT_BAD_INPUT, "cannot read the descriptor");
	finish(reader, result < 0 ? &failure : NULL);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct mt_error failure;

	mt_fail(&failure, MT_BAD_INPUT,
	    "the descriptor did not come to its end within %d s",
	    READ_MS / 1000);
	finish(timer->data, &failure);
}

static enum mt_status
read_regular(struct secret_arena *arena, int fd, enum fd_reader_kind kind,
    fd_reader_done done, void *context, struct mt_error *err)
{
	struct mt_error result = {0};
	struct secret token;

	secret_init(&token, arena);
	if (read_some(fd, &token) != 1)
		mt_fail_errno(
		    &result, MT_BAD_INPUT, errno, "cannot read the descriptor");
	else
		check(&token, kind, &result);
	close(fd);
	if (result.status == MT_OK)
		done(context, &token, &result);
	else
		*err = result;
	secret_done(&token);
	return result.status;
}

static enum mt_status
watch(struct fd_reader *reader, uv_loop_t *loop, struct mt_error *err)
{
	/* makes the descriptor non-blocking, too */
	if (uv_poll_init(loop, &reader->poll, reader->fd))
		return mt_fail(err, MT_BAD_INPUT,
		    "the descriptor is no file, pipe or socket");
	uv_timer_init(loop, &reader->timer);
	reader->poll.data = reader->timer.data = reader;
	reader->handles = 2;
	uv_poll_start(&reader->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	uv_timer_start(&reader->timer, on_deadline, READ_MS, 0);
	return MT_OK;
}

enum mt_status
fd_reader_start(uv_loop_t *loop, struct secret_arena *arena, int fd,
    enum fd_reader_kind kind, fd_reader_done done, void *context,
    struct fd_reader **ret_reader, struct mt_error *err)
{
	struct fd_reader *reader;
	struct stat st;

	*ret_reader = NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return read_regular(arena, fd, kind, done, context, err);
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		close(fd);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	reader->fd = fd;
	reader->kind = kind;
	reader->done = done;
	reader->context = context;
	secret_init(&reader->token, arena);
	if (watch(reader, loop, err) != MT_OK) {
		close(fd);
		free(reader);
		return err->status;
	}
	*ret_reader = reader;
	return MT_OK;
}
