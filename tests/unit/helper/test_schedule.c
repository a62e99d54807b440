/* SPDX-License-Identifier: ISC */
#include "clock.h"
#include "schedule.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>

#define ITEMS 200

struct bench {
	uv_loop_t loop;
	struct schedule *schedule;
	int64_t last_ms;
	size_t called;
	size_t ends_after;
};

struct job {
	struct schedule_item item;
	struct bench *bench;
	size_t calls;
};

static void
take_turn(void *context)
{
	struct job *job = context;
	struct bench *bench = job->bench;

	assert_false(job->item.planned);
	assert_true(job->item.due_ms <= clock_boot_ms());
	assert_true(job->item.due_ms >= bench->last_ms);
	bench->last_ms = job->item.due_ms;
	job->calls++;
	if (++bench->called == bench->ends_after)
		uv_stop(&bench->loop);
}

static struct job
job_of(struct bench *bench)
{
	return (struct job){.item.run = take_turn, .bench = bench};
}

static int
setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct mt_error err = {0};

	if (!bench)
		return -1;
	uv_loop_init(&bench->loop);
	if (schedule_new(&bench->loop, &bench->schedule, &err) != MT_OK)
		return -1;
	*state = bench;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *bench = *state;
	int result;

	schedule_free(&bench->schedule);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	result = uv_loop_close(&bench->loop);
	free(bench);
	return result;
}

/* Any order of planning, planning anew and forgetting. */
static void
items_are_called_once_each_in_the_order_of_their_time(void **state)
{
	struct bench *bench = *state;
	struct job jobs[ITEMS];
	int64_t now = clock_boot_ms();
	size_t wanted = 0;

	srand(1);
	for (size_t i = 0; i < ITEMS; i++) {
		jobs[i] = job_of(bench);
		jobs[i].item.context = &jobs[i];
	}
	for (size_t i = 0; i < 10 * ITEMS; i++) {
		struct schedule_item *item = &jobs[rand() % ITEMS].item;
		schedule_set(bench->schedule, item,
		    rand() % 4 ? now - 50 + rand() % 100 : SCHEDULE_NEVER);
	}
	for (size_t i = 0; i < ITEMS; i++)
		wanted += jobs[i].item.planned;
	assert_in_range(wanted, ITEMS / 2, ITEMS - 1);
	bench->ends_after = wanted;
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	assert_int_equal(bench->called, wanted);
	for (size_t i = 0; i < ITEMS; i++)
		assert_true(jobs[i].calls <= 1 && !jobs[i].item.planned);
}

static void
what_is_overdue_is_called_at_once(void **state)
{
	struct bench *bench = *state;
	struct job past = job_of(bench), future = job_of(bench);

	past.item.context = &past;
	future.item.context = &future;
	bench->ends_after = 1;
	schedule_set(bench->schedule, &future.item, clock_boot_ms() + 60000);
	schedule_set(bench->schedule, &past.item, 0);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	assert_int_equal(past.calls, 1);
	schedule_set(bench->schedule, &future.item, SCHEDULE_NEVER);
	uv_run(&bench->loop, UV_RUN_NOWAIT);
	assert_int_equal(future.calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		items_are_called_once_each_in_the_order_of_their_time, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_overdue_is_called_at_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
