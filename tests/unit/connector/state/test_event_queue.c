/* SPDX-License-Identifier: ISC */
#include "state/event_queue.h"

#include "state/inbound_state.h"
#include "state/mailbox_state.h"
#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT "a@example.org"
#define INBOX "agents/email/inbox"

struct fixture {
	struct state *state;
	struct inbound_mailbox box;
	int64_t agent;
	int64_t command;
};

static struct fixture
begin(const char *dir)
{
	const struct inbound_start start = {.uidvalidity = 7};
	struct fixture f = {0};

	OK(state_open(&f.state, dir, &err));
	OK(event_queue_open(f.state, ACCOUNT, "agent", &f.agent, &err));
	OK(event_queue_open(f.state, ACCOUNT, "command", &f.command, &err));
	OK(mailbox_state_add(f.state, ACCOUNT, "INBOX", &start, &f.box, &err));
	return f;
}

static void
stage(struct fixture *f, uint32_t uid)
{
	char handle[INBOUND_HANDLE_MAX];
	bool known;
	struct inbound_message m = {
	    .uid = uid,
	    .folder = INBOX,
	    .handle = handle,
	    .staged = "s",
	    .sender = "Ann <ann@example.org>",
	    .subject = "Hello",
	};

	inbound_handle(handle, 7, uid, 0);
	OK(inbound_state_stage(f->state, f->box.id, &m, 1, &known, &err));
}

static void
deliver(struct fixture *f, uint32_t first, uint32_t last)
{
	for (uint32_t uid = first; uid <= last; uid++) {
		stage(f, uid);
		OK(inbound_state_finish(
		    f->state, f->box.id, &uid, 1, uid, &err));
	}
}

/* The UIDs in a queue: "1 2 ". */
static void
assert_queue(struct fixture *f, int64_t queue, const char *uids)
{
	struct event_list list;
	uint64_t length;
	char text[256] = "";
	size_t len = 0;

	OK(event_queue_first(f->state, queue, 100, &list, &err));
	for (size_t i = 0; i < list.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%" PRIu32 " ", list.events[i].uid);
	assert_string_equal(text, uids);
	OK(event_queue_length(f->state, queue, &length, &err));
	assert_int_equal(length, list.count);
	event_list_done(&list);
}

static void
message_that_is_done_enters_every_queue_of_its_account(void **scratch)
{
	struct fixture f = begin(*scratch);
	struct event_list list;
	struct event *e;
	int64_t other;
	uint32_t uid = 2;

	OK(event_queue_open(f.state, "b@example.org", "agent", &other, &err));
	deliver(&f, 1, 1);
	stage(&f, 2);
	assert_queue(&f, f.agent, "1 ");
	OK(inbound_state_published(f.state, f.box.id, uid, &err));
	assert_queue(&f, f.agent, "1 2 ");
	assert_queue(&f, f.command, "1 2 ");
	assert_queue(&f, other, "");

	OK(event_queue_first(f.state, f.agent, 1, &list, &err));
	assert_int_equal(list.count, 1);
	e = &list.events[0];
	assert_string_equal(e->account, ACCOUNT);
	assert_string_equal(e->mailbox, "INBOX");
	assert_int_equal(e->uidvalidity, 7);
	assert_string_equal(e->folder, INBOX);
	assert_string_equal(e->handle, "1");
	assert_string_equal(e->sender, "Ann <ann@example.org>");
	assert_string_equal(e->subject, "Hello");
	event_list_done(&list);
	state_close(&f.state);
}

static void
message_that_is_done_twice_enters_once(void **scratch)
{
	struct fixture f = begin(*scratch);
	uint32_t uid = 1;

	deliver(&f, 1, 1);
	OK(inbound_state_published(f.state, f.box.id, uid, &err));
	OK(inbound_state_finish(f.state, f.box.id, &uid, 1, 1, &err));
	assert_queue(&f, f.agent, "1 ");
	state_close(&f.state);
}

static void
what_others_delivered_before_enters_no_queue(void **scratch)
{
	struct fixture f = begin(*scratch);
	struct inbound_start start = {.uidvalidity = 9, .folder = INBOX};
	struct inbound_mailbox box;

	OK(uid_list_add(&start.delivered, 5, &err));
	OK(mailbox_state_add(f.state, ACCOUNT, "Other", &start, &box, &err));
	uid_list_done(&start.delivered);
	assert_queue(&f, f.agent, "");
	state_close(&f.state);
}

static void
queues_are_emptied_each_by_itself_and_survive(void **scratch)
{
	struct fixture f = begin(*scratch);
	struct event_list list;
	int64_t again;

	deliver(&f, 1, 3);
	OK(event_queue_first(f.state, f.agent, 2, &list, &err));
	assert_int_equal(list.count, 2);
	deliver(&f, 4, 4);
	OK(event_queue_remove(f.state, f.agent, list.events[1].id, &err));
	event_list_done(&list);
	state_close(&f.state);

	OK(state_open(&f.state, *scratch, &err));
	OK(event_queue_open(f.state, ACCOUNT, "agent", &again, &err));
	assert_int_equal(again, f.agent);
	assert_queue(&f, f.agent, "3 4 ");
	assert_queue(&f, f.command, "1 2 3 4 ");
	state_close(&f.state);
}

static void
queue_that_ends_tells_what_is_lost_by_it(void **scratch)
{
	struct fixture f = begin(*scratch);
	uint64_t lost = 9;

	deliver(&f, 1, 2);
	OK(event_queue_close(f.state, ACCOUNT, "command", &lost, &err));
	assert_int_equal(lost, 2);
	OK(event_queue_close(f.state, ACCOUNT, "command", &lost, &err));
	assert_int_equal(lost, 0);
	deliver(&f, 3, 3);
	assert_queue(&f, f.agent, "1 2 3 ");
	assert_queue(&f, f.command, "");
	state_close(&f.state);
}

static void
account_is_full_when_one_of_its_queues_is(void **scratch)
{
	struct fixture f = begin(*scratch);
	bool full;

	deliver(&f, 1, 2);
	OK(event_queue_is_full(f.state, ACCOUNT, 3, &full, &err));
	assert_false(full);
	deliver(&f, 3, 3);
	OK(event_queue_is_full(f.state, ACCOUNT, 3, &full, &err));
	assert_true(full);
	OK(event_queue_is_full(f.state, "b@example.org", 1, &full, &err));
	assert_false(full);
	OK(event_queue_remove(f.state, f.agent, INT64_MAX, &err));
	OK(event_queue_is_full(f.state, ACCOUNT, 3, &full, &err));
	assert_true(full);
	OK(event_queue_remove(f.state, f.command, INT64_MAX, &err));
	OK(event_queue_is_full(f.state, ACCOUNT, 3, &full, &err));
	assert_false(full);
	state_close(&f.state);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(                                       \
	    function, scratch_setup, scratch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(message_that_is_done_enters_every_queue_of_its_account),
	    TEST(message_that_is_done_twice_enters_once),
	    TEST(what_others_delivered_before_enters_no_queue),
	    TEST(queues_are_emptied_each_by_itself_and_survive),
	    TEST(queue_that_ends_tells_what_is_lost_by_it),
	    TEST(account_is_full_when_one_of_its_queues_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
