/* SPDX-License-Identifier: ISC */
#include "handon/lane.h"

#include "state/inbound_state.h"
#include "state/mailbox_state.h"
#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT "a@example.org"

/* A sink that does what the test says. */
struct fake {
	struct sink sink;
	bool ready;
	enum sink_progress progress;
	int64_t wait_ms;
	char begun[256]; /* "1 2, 3, ": the UIDs of each batch */
	unsigned cancelled;
	bool *freed;
};

static bool
is_ready(const struct sink *sink)
{
	return ((const struct fake *)sink)->ready;
}

static enum mt_status
begin(struct sink *sink, const struct event_list *batch, struct mt_error *why)
{
	struct fake *f = (struct fake *)sink;

	(void)why;
	for (size_t i = 0; i < batch->count; i++) {
		size_t len = strlen(f->begun);
		snprintf(f->begun + len, sizeof(f->begun) - len, "%u%s",
		    (unsigned)batch->events[i].uid,
		    i + 1 < batch->count ? " " : ", ");
	}
	return MT_OK;
}

static enum sink_progress
look(struct sink *sink, int64_t *ret_wait_ms, struct mt_error *why)
{
	struct fake *f = (struct fake *)sink;

	if (f->progress == SINK_FAILED) {
		mt_fail(why, MT_RETRY_LATER, "told to fail");
		*ret_wait_ms = f->wait_ms;
	}
	return f->progress;
}

static void
cancel(struct sink *sink)
{
	((struct fake *)sink)->cancelled++;
}

static void
free_fake(struct sink *sink)
{
	*((struct fake *)sink)->freed = true;
}

static const struct sink_class grows = {
    .batch_max = 2,
    .is_ready = is_ready,
    .begin = begin,
    .look = look,
    .cancel = cancel,
    .free = free_fake,
};

static const struct sink_class keeps = {
    .batch_max = 2,
    .keeps_batch = true,
    .is_ready = is_ready,
    .begin = begin,
    .look = look,
    .cancel = cancel,
    .free = free_fake,
};

struct fixture {
	struct state *state;
	struct inbound_mailbox box;
	int64_t queue;
	struct fake fake;
	bool freed;
	struct lane *lane;
};

static void
begin_lane(struct fixture *f, const char *dir, const struct sink_class *class)
{
	const struct inbound_start start = {.uidvalidity = 7};

	*f = (struct fixture){0};
	OK(state_open(&f->state, dir, &err));
	OK(event_queue_open(f->state, ACCOUNT, "fake", &f->queue, &err));
	OK(mailbox_state_add(
	    f->state, ACCOUNT, "INBOX", &start, &f->box, &err));
	f->fake = (struct fake){.sink = {class},
	    .ready = true,
	    .progress = SINK_BUSY,
	    .freed = &f->freed};
	f->lane = lane_new(f->state, ACCOUNT, "fake", f->queue, &f->fake.sink);
	assert_non_null(f->lane);
}

static void
end_lane(struct fixture *f, uint64_t left)
{
	uint64_t length = 99;

	lane_free(&f->lane);
	assert_true(f->freed);
	OK(event_queue_length(f->state, f->queue, &length, &err));
	assert_int_equal(length, left);
	state_close(&f->state);
}

static void
deliver(struct fixture *f, uint32_t uid)
{
	char handle[INBOUND_HANDLE_MAX];
	bool known;
	struct inbound_message m = {.uid = uid,
	    .folder = "in",
	    .handle = handle,
	    .staged = "s",
	    .sender = "",
	    .subject = ""};

	inbound_handle(handle, 7, uid, 0);
	OK(inbound_state_stage(f->state, f->box.id, &m, 1, &known, &err));
	OK(inbound_state_finish(f->state, f->box.id, &uid, 1, uid, &err));
	lane_wake(f->lane);
}

static void
work(struct fixture *f)
{
	while (lane_work(f->lane, true))
		;
}

static void
queue_is_emptied_batch_by_batch(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	for (uint32_t uid = 1; uid <= 3; uid++)
		deliver(&f, uid);
	work(&f);
	assert_string_equal(f.fake.begun, "1 2, ");
	assert_int_equal(f.lane->length, 3);
	assert_false(lane_is_settled(f.lane));
	f.fake.progress = SINK_ACCEPTED;
	work(&f);
	assert_true(lane_is_settled(f.lane));
	assert_string_equal(f.fake.begun, "1 2, ");
	f.fake.progress = SINK_DONE;
	work(&f);
	assert_string_equal(f.fake.begun, "1 2, 3, ");
	assert_int_equal(f.lane->length, 0);
	assert_true(lane_is_settled(f.lane));
	end_lane(&f, 0);
}

static void
sink_that_is_not_ready_gets_nothing_but_all_later(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	f.fake.ready = false;
	deliver(&f, 1);
	work(&f);
	assert_string_equal(f.fake.begun, "");
	assert_int_equal(f.lane->length, 1);
	deliver(&f, 2);
	f.fake.ready = true;
	work(&f);
	assert_string_equal(f.fake.begun, "1 2, ");
	end_lane(&f, 2);
}

static void
queue_that_waits_for_its_sink_is_counted_once(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	f.fake.ready = false;
	deliver(&f, 1);
	work(&f);
	/* a pass that is somebody else's leaves the state alone */
	OK(event_queue_remove(f.state, f.queue, INT64_MAX, &err));
	work(&f);
	assert_int_equal(f.lane->length, 1);
	lane_wake(f.lane);
	work(&f);
	assert_int_equal(f.lane->length, 0);
	end_lane(&f, 0);
}

static void
after_a_failure_it_waits_and_tells_why(void **scratch)
{
	struct fixture f;
	struct pollfd fd;
	char trouble[64];
	int64_t ms;

	begin_lane(&f, *scratch, &grows);
	deliver(&f, 1);
	f.fake.progress = SINK_FAILED;
	f.fake.wait_ms = 60000;
	work(&f);
	assert_string_equal(f.fake.begun, "1, ");
	lane_trouble(f.lane, trouble, sizeof(trouble));
	assert_string_equal(trouble, "told to fail");
	assert_true(lane_is_settled(f.lane));
	lane_wait(f.lane, &fd, &ms);
	assert_in_range(ms, 50000, 60000);
	/* what comes meanwhile does not hurry it, but comes along */
	deliver(&f, 2);
	work(&f);
	assert_string_equal(f.fake.begun, "1, ");
	f.lane->again = deadline_in_ms(0);
	f.fake.progress = SINK_DONE;
	work(&f);
	assert_string_equal(f.fake.begun, "1, 1 2, ");
	lane_trouble(f.lane, trouble, sizeof(trouble));
	assert_string_equal(trouble, "");
	end_lane(&f, 0);
}

static void
batch_that_must_not_change_is_tried_as_it_was(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &keeps);
	deliver(&f, 1);
	f.fake.progress = SINK_FAILED;
	work(&f);
	deliver(&f, 2);
	f.lane->again = deadline_in_ms(0);
	f.fake.progress = SINK_DONE;
	work(&f);
	assert_string_equal(f.fake.begun, "1, 1, 2, ");
	end_lane(&f, 0);
}

static void
end_keeps_what_is_not_accepted(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	deliver(&f, 1);
	work(&f);
	end_lane(&f, 1);
	assert_int_equal(f.fake.cancelled, 1);
}

static void
end_removes_what_is_accepted(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	deliver(&f, 1);
	work(&f);
	f.fake.progress = SINK_ACCEPTED;
	end_lane(&f, 0);
	assert_int_equal(f.fake.cancelled, 1);
}

static void
nothing_is_begun_when_told_so(void **scratch)
{
	struct fixture f;

	begin_lane(&f, *scratch, &grows);
	deliver(&f, 1);
	assert_false(lane_work(f.lane, false));
	assert_string_equal(f.fake.begun, "");
	end_lane(&f, 1);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(                                       \
	    function, scratch_setup, scratch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(queue_is_emptied_batch_by_batch),
	    TEST(sink_that_is_not_ready_gets_nothing_but_all_later),
	    TEST(queue_that_waits_for_its_sink_is_counted_once),
	    TEST(after_a_failure_it_waits_and_tells_why),
	    TEST(batch_that_must_not_change_is_tried_as_it_was),
	    TEST(end_keeps_what_is_not_accepted),
	    TEST(end_removes_what_is_accepted),
	    TEST(nothing_is_begun_when_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
