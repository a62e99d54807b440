/* SPDX-License-Identifier: ISC */
#include "faults.h"

#include "base/deadline.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What the linker's --wrap makes of the module's calls. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED void *__wrap_malloc(size_t size);
EXPORTED void *__wrap_calloc(size_t count, size_t size);
EXPORTED void *__wrap_realloc(void *memory, size_t size);
EXPORTED void __wrap_free(void *memory);
EXPORTED struct deadline __wrap_deadline_in_ms(int64_t ms);

static atomic_size_t count, first_failing, last_failing;
static atomic_bool hit;
static atomic_long live;
static _Atomic int64_t cap_ms, waits_ms;

void
faults_fail_allocations(size_t first, size_t last)
{
	count = 0;
	first_failing = first;
	last_failing = last;
	hit = false;
}

bool
faults_hit(void)
{
	return hit;
}

long
faults_live_allocations(void)
{
	return live;
}

void
faults_cap_waits(int64_t ms)
{
	cap_ms = ms;
}

int64_t
faults_waits_ms(void)
{
	return atomic_exchange(&waits_ms, 0);
}

static bool
fails_now(void)
{
	size_t n = ++count;

	if (!first_failing || n < first_failing || n > last_failing)
		return false;
	hit = true;
	return true;
}

static void *
counted(void *memory)
{
	if (memory)
		live++;
	return memory;
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : counted(malloc(size));
}

void *
__wrap_calloc(size_t members, size_t size)
{
	return fails_now() ? NULL : counted(calloc(members, size));
}

void *
__wrap_realloc(void *memory, size_t size)
{
	void *moved = fails_now() ? NULL : realloc(memory, size);

	return memory ? moved : counted(moved);
}

void
__wrap_free(void *memory)
{
	if (memory)
		live--;
	free(memory);
}

struct deadline
__wrap_deadline_in_ms(int64_t ms)
{
	waits_ms += ms;
	return deadline_in_ms(cap_ms && ms > cap_ms ? cap_ms : ms);
}
