/* SPDX-License-Identifier: ISC */
#include "handon/line_sink.h"

#include "handon/event_text.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 100
#define BATCH_BYTES_MAX (1024 * 1024)

/* A pipe that poll(2) calls writable takes so much without blocking. */
#define PIECE PIPE_BUF

struct line_sink {
	struct sink sink;
	struct line_writer *writer;
	char *agent;
	struct buf left; /* to be written */
};

static struct line_sink *
of(const struct sink *sink)
{
	return (struct line_sink *)(uintptr_t)sink;
}

static bool
is_ready(const struct sink *sink)
{
	const struct line_writer *w = of(sink)->writer;

	return !w->owner && !w->broken;
}

static enum mt_status
begin(struct sink *sink, const struct event_list *batch, struct mt_error *err)
{
	struct line_sink *s = of(sink);

	buf_reset(&s->left);
	/* of a sink that was given up: the reader must not lose ours with it */
	if (s->writer->torn)
		buf_add_char(&s->left, '\n');
	for (size_t i = 0; i < batch->count; i++) {
		event_text_json(&s->left, &batch->events[i], s->agent);
		buf_add_char(&s->left, '\n');
	}
	if (!buf_ok(&s->left))
		return mt_fail(err, MT_NO_MEMORY, "no memory for lines");
	s->writer->owner = sink;
	return MT_OK;
}

static bool
is_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	/* a reader who is gone counts: the write says so */
	return poll(&p, 1, 0) > 0;
}

static enum sink_progress
look(struct sink *sink, int64_t *ret_wait_ms, struct mt_error *err)
{
	struct line_sink *s = of(sink);
	struct line_writer *w = s->writer;

	(void)ret_wait_ms;
	while (s->left.len && is_writable(w->fd)) {
		size_t len = s->left.len < PIECE ? s->left.len : PIECE;
		ssize_t n = write(w->fd, s->left.data, len);
		if (n > 0)
			w->torn = s->left.data[n - 1] != '\n';
		if (n >= 0) {
			buf_consume(&s->left, (size_t)n);
		} else if (errno != EINTR && errno != EAGAIN) {
			w->owner = NULL;
			w->broken = errno;
			mt_fail_errno(err, MT_RETRY_LATER, errno,
			    "cannot write to standard output");
			return SINK_FAILED;
		}
	}
	if (s->left.len)
		return SINK_BUSY;
	w->owner = NULL;
	return SINK_DONE;
}

static void
wait_for(const struct sink *sink, struct pollfd *ret_fd, int64_t *ret_ms)
{
	*ret_fd =
	    (struct pollfd){.fd = of(sink)->writer->fd, .events = POLLOUT};
	*ret_ms = INT64_MAX;
}

static void
cancel(struct sink *sink)
{
	struct line_writer *w = of(sink)->writer;

	if (w->owner == sink)
		w->owner = NULL;
}

static void
line_sink_free(struct sink *sink)
{
	struct line_sink *s = of(sink);

	cancel(sink);
	buf_done(&s->left);
	free(s->agent);
	free(s);
}

static const struct sink_class line_sink_class = {
    .batch_max = BATCH_MAX,
    .is_ready = is_ready,
    .begin = begin,
    .look = look,
    .wait = wait_for,
    .cancel = cancel,
    .free = line_sink_free,
};

struct sink *
line_sink_new(struct line_writer *writer, const char *agent)
{
	struct line_sink *s = calloc(1, sizeof(*s));

	if (!s || !(s->agent = strdup(agent))) {
		free(s);
		return NULL;
	}
	s->sink.class = &line_sink_class;
	s->writer = writer;
	s->left = (struct buf)BUF_INIT(BATCH_BYTES_MAX);
	return &s->sink;
}
