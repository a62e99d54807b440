/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void
released_secret_is_wiped_from_the_arena(void **state)
{
	bool locked;
	struct secret_arena *arena = secret_arena_new(65536, &locked);
	struct secret s;
	const char *where;

	(void)state;
	secret_init(&s, arena);
	secret_add(&s, "hunter2", 7);
	where = secret_expose(&s);
	assert_string_equal(where, "hunter2");
	secret_done(&s);
	for (int i = 0; i < 7; i++)
		assert_int_equal(where[i], 0);
	secret_arena_free(&arena);
	assert_null(arena);
}

static void
growth_leaves_no_copy_behind(void **state)
{
	bool locked;
	struct secret_arena *arena = secret_arena_new(65536, &locked);
	struct secret s;
	const char *before;
	char more[1000];

	(void)state;
	memset(more, 'x', sizeof(more));
	secret_init(&s, arena);
	secret_add(&s, "hunter2", 7);
	before = secret_expose(&s);
	secret_add(&s, more, sizeof(more));
	assert_ptr_not_equal(before, secret_expose(&s));
	assert_int_equal(before[0], 0);
	assert_memory_equal(secret_expose(&s), "hunter2xxx", 10);
	secret_done(&s);
	secret_arena_free(&arena);
}

static void
full_arena_grows_and_uses_again_what_comes_back(void **state)
{
	enum { MANY = 3000 };
	static struct secret s[MANY];
	const char *where;
	bool locked;
	struct secret_arena *arena = secret_arena_new(1 << 20, &locked);
	char data[2000], text[16];

	(void)state;
	memset(data, 'x', sizeof(data));
	for (int i = 0; i < MANY; i++) {
		secret_init(&s[i], arena);
		snprintf(text, sizeof(text), "%d", i);
		secret_add(&s[i], text, strlen(text));
		secret_add(&s[i], data, sizeof(data));
		assert_true(secret_ok(&s[i]));
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(strtol(secret_expose(&s[i]), NULL, 10), i);
	where = secret_expose(&s[7]);
	secret_done(&s[7]);
	assert_int_equal(where[0], 0);
	secret_add(&s[7], data, sizeof(data));
	assert_ptr_equal(secret_expose(&s[7]), where);
	for (int i = 0; i < MANY; i++)
		secret_done(&s[i]);
	secret_arena_free(&arena);
}

static void
largest_secret_fits_into_the_smallest_arena(void **state)
{
	bool locked;
	struct secret_arena *arena = secret_arena_new(1, &locked);
	char *data = calloc(1, SECRET_MAX);
	struct secret s;

	(void)state;
	secret_init(&s, arena);
	secret_add(&s, data, SECRET_MAX);
	assert_true(secret_ok(&s));
	secret_done(&s);
	secret_arena_free(&arena);
	free(data);
}

static void
many_secrets_come_and_go_without_loss(void **state)
{
	bool locked;
	struct secret_arena *arena = secret_arena_new(1 << 20, &locked);
	struct secret s[64];
	char text[600];

	(void)state;
	for (int i = 0; i < 64; i++)
		secret_init(&s[i], arena);
	for (int round = 0; round < 2000; round++) {
		struct secret *one = &s[round * 7 % 64];
		size_t len = (size_t)(round * 31 % (int)sizeof(text));

		if (one->len)
			assert_int_equal(secret_expose(one)[0], (char)one->len);
		secret_reset(one);
		if (round % 3 == 0)
			secret_done(one);
		memset(text, (int)len, sizeof(text));
		secret_add(one, text, len);
		assert_true(secret_ok(one));
	}
	for (int i = 0; i < 64; i++)
		secret_done(&s[i]);
	secret_add(&s[0], text, sizeof(text));
	assert_true(secret_ok(&s[0]));
	secret_done(&s[0]);
	secret_arena_free(&arena);
}

static void
too_long_secret_fails_and_sticks(void **state)
{
	struct secret s = SECRET_INIT;
	char *data = calloc(1, SECRET_MAX);

	(void)state;
	secret_add(&s, data, SECRET_MAX);
	assert_true(secret_ok(&s));
	secret_add(&s, "x", 1);
	assert_false(secret_ok(&s));
	secret_add(&s, "x", 1);
	assert_int_equal(s.len, 0);
	free(data);
	secret_done(&s);
}

static void
moved_and_copied_secrets_are_equal(void **state)
{
	struct secret a = SECRET_INIT, b = SECRET_INIT;

	(void)state;
	secret_add(&a, "token", 5);
	secret_copy(&b, &a);
	assert_true(secret_equal(&a, &b));
	secret_add(&b, "2", 1);
	assert_false(secret_equal(&a, &b));
	secret_move(&a, &b);
	assert_string_equal(secret_expose(&a), "token2");
	assert_int_equal(b.len, 0);
	secret_copy(&a, &b);
	assert_string_equal(secret_expose(&a), "");
	secret_done(&a);
	secret_done(&b);
}

static void
file_gives_its_one_line(void **state)
{
	static const struct {
		const char *contents;
		size_t len;
		const char *secret; /* NULL: refused */
	} cases[] = {
	    {"s3cret", 6, "s3cret"},
	    {"s3cret\n", 7, "s3cret"},
	    {"s3cret\r\n", 8, "s3cret"},
	    {" two words ", 11, " two words "},
	    {"", 0, NULL},
	    {"\n", 1, NULL},
	    {"a\0b", 3, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char path[] = "/tmp/test_secret.XXXXXX";
		int fd = mkstemp(path);
		struct secret s = SECRET_INIT;
		enum mt_status status;

		assert_int_equal(
		    write(fd, cases[i].contents, cases[i].len), cases[i].len);
		close(fd);
		status = secret_read_file(&s, path, NULL);
		unlink(path);
		assert_int_equal(
		    status, cases[i].secret ? MT_OK : MT_BAD_CONFIG);
		if (cases[i].secret)
			assert_string_equal(secret_expose(&s), cases[i].secret);
		secret_done(&s);
	}
}

/* The invariant's words: copied, overwritten in place and unset. */
static void
secret_variable_is_overwritten_and_unset(void **state)
{
	struct secret s = SECRET_INIT;
	char *value;

	(void)state;
	setenv("TEST_SECRET", "hunter2", 1);
	value = getenv("TEST_SECRET");
	assert_true(secret_take_env(&s, "TEST_SECRET"));
	assert_string_equal(secret_expose(&s), "hunter2");
	for (int i = 0; i < 7; i++)
		assert_int_equal(value[i], 0);
	assert_null(getenv("TEST_SECRET"));
	assert_false(secret_take_env(&s, "TEST_SECRET"));
	setenv("TEST_SECRET", "", 1);
	assert_false(secret_take_env(&s, "TEST_SECRET"));
	secret_done(&s);
}

/* Makes and releases secrets of several sizes; NULL: each stayed its own. */
static void *
use_arena(void *arena)
{
	enum { AT_ONCE = 4, ROUNDS = 100000 };
	struct secret s[AT_ONCE];
	char own[600];
	void *wrong = NULL;

	/* the stack of each is elsewhere */
	memset(own, (int)('a' + ((uintptr_t)own >> 12) % 26), sizeof(own));
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < AT_ONCE; i++) {
			secret_init(&s[i], arena);
			secret_add(&s[i], own, 10 + i * 100);
		}
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (!secret_ok(&s[i]) ||
			    memcmp(secret_expose(&s[i]), own, s[i].len) != 0)
				wrong = arena;
			secret_done(&s[i]);
		}
	}
	return wrong;
}

static void
threads_share_an_arena(void **state)
{
	bool locked;
	struct secret_arena *arena = secret_arena_new(65536, &locked);
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, use_arena, arena), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	secret_arena_free(&arena);
}

static void
protected_process_leaves_no_core(void **state)
{
	struct rlimit core;

	(void)state;
	secret_protect_process();
	getrlimit(RLIMIT_CORE, &core);
	assert_int_equal(core.rlim_cur, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(released_secret_is_wiped_from_the_arena),
	    cmocka_unit_test(growth_leaves_no_copy_behind),
	    cmocka_unit_test(full_arena_grows_and_uses_again_what_comes_back),
	    cmocka_unit_test(largest_secret_fits_into_the_smallest_arena),
	    cmocka_unit_test(many_secrets_come_and_go_without_loss),
	    cmocka_unit_test(too_long_secret_fails_and_sticks),
	    cmocka_unit_test(moved_and_copied_secrets_are_equal),
	    cmocka_unit_test(file_gives_its_one_line),
	    cmocka_unit_test(secret_variable_is_overwritten_and_unset),
	    cmocka_unit_test(threads_share_an_arena),
	    cmocka_unit_test(protected_process_leaves_no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
