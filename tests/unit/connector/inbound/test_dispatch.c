/* SPDX-License-Identifier: ISC */
#include "inbound/batch.h"

#include "base/deadline.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHARE_MS 5000

/* In place of deadline.c: the time of a share is over at once. */
static bool time_flies;

struct deadline
deadline_in_ms(int64_t ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (time_flies && ms == SHARE_MS)
		return (struct deadline){0};
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		slow_message_holds_up_no_earlier_one, bench_setup,
		bench_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
