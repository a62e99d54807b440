/* SPDX-License-Identifier: ISC */
#include "inbound/dispatch.h"

#include "base/deadline.h"
#include "delivery/manifest.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHARE_MS 5000

#define MESSAGES 600 /* more than two batches */
#define BATCHES 3

/* In place of deadline.c: the time of a share is over at once, ... */
static bool time_flies;
/* ... or the only thing that takes time is the manifest. */
static bool time_stands;
static atomic_llong stood_ms;

struct deadline
deadline_in_ms(int64_t ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (time_flies && ms == SHARE_MS)
		return (struct deadline){0};
	if (time_stands)
		return (struct deadline){stood_ms + ms};
	return (struct deadline){
	    now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms};
}

struct deadline
deadline_min(struct deadline a, struct deadline b)
{
	return a.at_ms < b.at_ms ? a : b;
}

int
deadline_left_ms(struct deadline d)
{
	int64_t left = d.at_ms - deadline_in_ms(0).at_ms;

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* In place of manifest.c. */
static struct {
	int cost_ms;
	unsigned entered; /* how often */
	unsigned fails_at;
	size_t paths;
} manifest;

enum mt_status
manifest_enter(struct publisher *publisher, struct manifest_watch *watch,
    struct manifest_paths *paths, enum manifest_mode mode, const char *agent,
    struct mt_error *err)
{
	(void)publisher;
	(void)watch;
	(void)mode;
	(void)agent;
	stood_ms += manifest.cost_ms;
	manifest.entered++;
	manifest.paths += paths->count;
	if (manifest.entered == manifest.fails_at)
		return mt_fail(err, MT_RETRY_LATER, "no JSON");
	return MT_OK;
}

/* What can be seen when a message is reported, and the cursor. */
static void
look(void *context, const struct inbound_delivery *delivery)
{
	struct bench *b = context;
	struct inbound_mailbox box = {0};
	enum inbound_seen seen;

	OK(mailbox_state_find(b->in.state, b->in.account, b->in.mailbox, 7, 0,
	    &seen, &box, &err));
	buf_add_format(&b->delivered, "%s of %zu (%u), ", delivery->handle,
	    scratch_count(b->workspace, INBOX), box.cursor);
}

static void
slow_message_holds_up_no_earlier_one(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 4; i++)
		fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	fake_imap_find(&b->server, 3)->vanishes = true;
	b->in.delivered = look;
	time_flies = true;
	bench_expect(b, "1 of 1 (1), 2 of 2 (2), 4 of 3 (2), ");
	time_flies = false;
	bench_expect(b, "");
	assert_int_equal(b->server.listed_from, 3);
	fake_imap_remove(&b->server, 3);
	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	bench_expect(b, "5 of 5 (6), 6 of 5 (6), ");
}

static const char text[] = "From: a@example.org\r\n\r\nx\r\n";

static void
begin(struct bench *b, int cost_ms)
{
	memset(&manifest, 0, sizeof(manifest));
	manifest.cost_ms = cost_ms;
	time_stands = true;
	for (int i = 0; i < MESSAGES; i++)
		fake_imap_add(&b->server, text);
}

static size_t
visible(struct bench *b)
{
	return scratch_count(b->workspace, INBOX);
}

static uint32_t
cursor_of(struct bench *b)
{
	struct inbound_mailbox box = {0};
	enum inbound_seen seen;

	OK(mailbox_state_find(b->in.state, b->in.account, b->in.mailbox, 7, 0,
	    &seen, &box, &err));
	return box.cursor;
}

static void
small_manifest_is_written_with_each_batch(void **state)
{
	struct bench *b = *state;

	begin(b, 0);
	OK(bench_poll(b));
	assert_int_equal(manifest.entered, BATCHES);
	assert_int_equal(manifest.paths, MESSAGES);
	assert_int_equal(visible(b), MESSAGES);
	time_stands = false;
}

static void
large_manifest_is_written_with_many_batches(void **state)
{
	struct bench *b = *state;

	begin(b, 1000);
	OK(bench_poll(b));
	/* what it costs is known after the first time */
	assert_int_equal(manifest.entered, 2);
	assert_int_equal(manifest.paths, MESSAGES);
	assert_int_equal(visible(b), MESSAGES);
	assert_int_equal(bench_staged(b), 0);
	assert_int_equal(cursor_of(b), MESSAGES);
	/* one new message waits for nothing */
	fake_imap_remove(&b->server, 1);
	fake_imap_add(&b->server, text);
	bench_expect(b, "601 ");
	assert_int_equal(manifest.entered, 3);
	time_stands = false;
}

static void
what_is_held_when_a_fetch_fails_is_delivered(void **state)
{
	struct bench *b = *state;

	begin(b, 1000);
	fake_imap_find(&b->server, 590)->breaks = true;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_non_null(strstr(b->err.text, "the connection has ended"));
	assert_int_equal(visible(b), 589);
	assert_int_equal(cursor_of(b), 589);
	assert_int_equal(manifest.entered, 2);
	time_stands = false;
}

static void
what_is_held_when_the_manifest_fails_comes_with_the_next_poll(void **state)
{
	struct bench *b = *state;

	begin(b, 1000);
	manifest.fails_at = 2;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(b->err.text, "no JSON");
	assert_int_equal(visible(b), 256);
	assert_int_equal(cursor_of(b), 256);
	bench_restart(b);
	OK(bench_poll(b));
	assert_int_equal(visible(b), MESSAGES);
	assert_int_equal(cursor_of(b), MESSAGES);
	assert_int_equal(b->server.fetched, MESSAGES);
	/* all that was held in one, not one by one */
	assert_int_equal(manifest.entered, 3);
	time_stands = false;
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(slow_message_holds_up_no_earlier_one),
	    CASE(small_manifest_is_written_with_each_batch),
	    CASE(large_manifest_is_written_with_many_batches),
	    CASE(what_is_held_when_a_fetch_fails_is_delivered),
	    CASE(what_is_held_when_the_manifest_fails_comes_with_the_next_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
