/* SPDX-License-Identifier: ISC */
#include "handon/line_sink.h"

#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pipe {
	int fds[2]; /* the reader's, the writer's */
	struct line_writer writer;
	char text[1 << 20]; /* what the reader has got */
	size_t len;
};

static int
setup(void **state)
{
	static struct pipe p;

	p.len = 0;
	assert_int_equal(pipe(p.fds), 0);
	p.writer = (struct line_writer){.fd = p.fds[1]};
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	struct pipe *p = *state;

	close(p->fds[0]);
	close(p->fds[1]);
	return 0;
}

/* As much as fits, and leaves room for one write. */
static void
fill(struct pipe *p)
{
	static char page[4096];
	char taken[sizeof(page)];
	ssize_t n;

	fcntl(p->fds[1], F_SETFL, O_NONBLOCK);
	memset(page, '\n', sizeof(page));
	while (write(p->fds[1], page, sizeof(page)) > 0)
		;
	n = read(p->fds[0], taken, sizeof(taken));
	assert_int_equal(n, sizeof(taken));
	fcntl(p->fds[1], F_SETFL, 0);
}

static void
begin(struct sink *sink, const char *subject)
{
	struct event event = {
	    .id = 1,
	    .account = (char *)(uintptr_t) "a",
	    .mailbox = (char *)(uintptr_t) "INBOX",
	    .uid = 1,
	    .uidvalidity = 1,
	    .folder = (char *)(uintptr_t) "agents/bot/inbox",
	    .handle = (char *)(uintptr_t) "1",
	    .sender = (char *)(uintptr_t) "",
	    .subject = (char *)(uintptr_t)subject,
	};
	struct event events[20];
	const struct event_list batch = {.events = events, .count = 20};
	struct mt_error err;

	for (size_t i = 0; i < batch.count; i++)
		events[i] = event;
	assert_int_equal(sink->class->begin(sink, &batch, &err), MT_OK);
}

static enum sink_progress
look(struct sink *sink)
{
	struct mt_error err;
	int64_t wait_ms;

	return sink->class->look(sink, &wait_ms, &err);
}

/* How many lines are JSON, of all that can be read so far. */
static size_t
count_objects(struct pipe *p)
{
	const char *line = p->text, *end;
	size_t count = 0;
	ssize_t n;

	fcntl(p->fds[0], F_SETFL, O_NONBLOCK);
	while ((n = read(p->fds[0], p->text + p->len,
		    sizeof(p->text) - 1 - p->len)) > 0)
		p->len += (size_t)n;
	p->text[p->len] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		char *copy = strndup(line, (size_t)(end - line));
		struct json_object *o = json_tokener_parse(copy);
		count += o != NULL;
		json_object_put(o);
		free(copy);
	}
	return count;
}

static void
all_lines_of_a_batch_are_written(void **state)
{
	struct pipe *p = *state;
	struct sink *sink = line_sink_new(&p->writer, "bot");

	begin(sink, "hello, world");
	assert_int_equal(look(sink), SINK_DONE);
	assert_int_equal(count_objects(p), 20);
	sink->class->free(sink);
}

static void
line_that_was_given_up_takes_no_other_with_it(void **state)
{
	struct pipe *p = *state;
	struct sink *sink = line_sink_new(&p->writer, "bot");
	struct sink *next = line_sink_new(&p->writer, "bot");
	size_t before;

	fill(p);
	begin(sink, "hello, world");
	assert_int_equal(look(sink), SINK_BUSY);
	assert_false(next->class->is_ready(next));
	sink->class->cancel(sink);
	sink->class->free(sink);
	before = count_objects(p);
	assert_in_range(before, 1, 19);
	assert_true(next->class->is_ready(next));
	begin(next, "hello, world");
	assert_int_equal(look(next), SINK_DONE);
	assert_int_equal(count_objects(p), before + 20);
	next->class->free(next);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(all_lines_of_a_batch_are_written),
	    CASE(line_that_was_given_up_takes_no_other_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
