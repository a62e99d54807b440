/* SPDX-License-Identifier: ISC */
#include "inbound/relay.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct piece {
	sem_t begun, may_end;
	pthread_t thread;
	bool done;
	enum mt_status result;
};

static struct mt_error err;

static enum mt_status
work(void *context, struct mt_error *why)
{
	struct piece *p = context;

	p->thread = pthread_self();
	sem_post(&p->begun);
	sem_wait(&p->may_end);
	p->done = true;
	return p->result == MT_OK ? MT_OK
				  : mt_fail(why, p->result, "it went wrong");
}

static struct piece
piece(unsigned may_end, enum mt_status result)
{
	struct piece p = {.result = result};

	sem_init(&p.begun, 0, 0);
	sem_init(&p.may_end, 0, may_end);
	return p;
}

static void
work_is_done_while_the_caller_goes_on(void **state)
{
	struct relay *relay = relay_new();
	struct piece p = piece(0, MT_OK);

	(void)state;
	assert_int_equal(relay_give(relay, work, &p, &err), MT_OK);
	sem_wait(&p.begun);
	assert_false(p.done);
	assert_false(pthread_equal(p.thread, pthread_self()));
	sem_post(&p.may_end);
	assert_int_equal(relay_wait(relay, &err), MT_OK);
	assert_true(p.done);
	relay_free(&relay);
	assert_null(relay);
}

static void
next_piece_waits_for_the_one_before(void **state)
{
	struct relay *relay = relay_new();
	struct piece first = piece(1, MT_OK), second = piece(0, MT_OK);

	(void)state;
	assert_int_equal(relay_give(relay, work, &first, &err), MT_OK);
	assert_int_equal(relay_give(relay, work, &second, &err), MT_OK);
	assert_true(first.done);
	sem_post(&second.may_end);
	relay_free(&relay);
	assert_true(second.done);
}

static void
nothing_follows_a_failure(void **state)
{
	struct relay *relay = relay_new();
	struct piece bad = piece(1, MT_RETRY_LATER), next = piece(1, MT_OK);

	(void)state;
	assert_int_equal(relay_give(relay, work, &bad, &err), MT_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    relay_give(relay, work, &next, &err), MT_RETRY_LATER);
		assert_string_equal(err.text, "it went wrong");
	}
	assert_int_equal(relay_wait(relay, &err), MT_RETRY_LATER);
	assert_false(next.done);
	relay_free(&relay);
}

static void
relay_without_work_starts_nothing(void **state)
{
	struct relay *relay = relay_new();

	(void)state;
	assert_int_equal(relay_wait(relay, &err), MT_OK);
	relay_free(&relay);
	relay_free(&relay);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(work_is_done_while_the_caller_goes_on),
	    cmocka_unit_test(next_piece_waits_for_the_one_before),
	    cmocka_unit_test(nothing_follows_a_failure),
	    cmocka_unit_test(relay_without_work_starts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
