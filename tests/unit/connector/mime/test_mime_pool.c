/* SPDX-License-Identifier: ISC */
#include "mime/mime_pool.h"

#include "base/fs.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/mime/bad_worker.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 60000
#define THREADS 8
#define MESSAGES 40 /* of a thread */

/* A thread that takes messages apart. */
struct user {
	pthread_t thread;
	struct mime_pool *pool;
	int number;
	int dir_fd;
	int raw_fd; /* of the one message of a staller */
	size_t right;
};

static int
message_fd(const char *raw)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd >= 0 && fs_write_all(fd, raw, strlen(raw)))
		return -1;
	return fd;
}

/* Parses a message, whose subject is `*ret_subject` of 64 bytes then. */
static enum mt_status
parse(struct mime_pool *pool, int raw_fd, int dir_fd, char *ret_subject,
    int64_t wait_ms)
{
	struct mime_message m;
	enum mt_status status = mime_pool_parse(pool, raw_fd, dir_fd,
	    &mime_limits_default, &m, LONG_MS, deadline_in_ms(wait_ms), NULL);

	if (status != MT_OK)
		return status;
	snprintf(ret_subject, 64, "%s", m.subject);
	for (size_t i = 0; i < m.attachment_count; i++)
		unlinkat(dir_fd, m.attachments[i].file_name, 0);
	mime_message_done(&m);
	return status;
}

static void *
use(void *context)
{
	struct user *user = context;
	char raw[100], subject[64], wanted[64];

	for (int i = 0; i < MESSAGES; i++) {
		int raw_fd;

		snprintf(wanted, sizeof(wanted), "%d of %d", i, user->number);
		snprintf(raw, sizeof(raw), "Subject: %s\n\nbody", wanted);
		raw_fd = message_fd(raw);
		if (parse(user->pool, raw_fd, user->dir_fd, subject, LONG_MS) ==
			MT_OK &&
		    strcmp(subject, wanted) == 0)
			user->right++;
		close(raw_fd);
	}
	return NULL;
}

static void
many_threads_share_few_workers(void **state)
{
	struct mime_pool *pool = mime_pool_new(MIME_WORKER, 3);
	struct user users[THREADS];
	int dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < THREADS; i++) {
		users[i] =
		    (struct user){.pool = pool, .number = i, .dir_fd = dir_fd};
		assert_int_equal(
		    pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_int_equal(users[i].right, MESSAGES);
	}
	mime_pool_free(&pool);
	close(dir_fd);
}

static size_t
count_children(void)
{
	char path[64], list[4096] = "";
	size_t count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (!f)
		return SIZE_MAX;
	if (fgets(list, sizeof(list), f))
		for (const char *p = list; *p; p++)
			count += *p == ' ';
	fclose(f);
	return count;
}

static void
workers_start_when_they_are_needed_and_end(void **state)
{
	struct mime_pool *pool = mime_pool_new(MIME_WORKER, 3);
	int dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int raw_fd = message_fd("Subject: x\n\n");
	char subject[64];

	assert_int_equal(count_children(), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    parse(pool, raw_fd, dir_fd, subject, LONG_MS), MT_OK);
	assert_int_equal(count_children(), 1);
	mime_pool_free(&pool);
	assert_null(pool);
	assert_int_equal(count_children(), 0);
	mime_pool_free(&pool);
	close(raw_fd);
	close(dir_fd);
}

static void *
stall(void *context)
{
	struct user *user = context;
	char subject[64];

	if (parse(user->pool, user->raw_fd, user->dir_fd, subject, LONG_MS) ==
		MT_OK &&
	    strcmp(subject, "half") == 0)
		user->right = 1;
	return NULL;
}

/* Begins a message that holds its worker until end_stall. */
static void
begin_stall(struct user *user, struct mime_pool *pool, const char *dir)
{
	char stalled = 0;

	*user = (struct user){.pool = pool};
	user->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	user->raw_fd = message_fd("stall until told\n");
	assert_int_equal(ftruncate(user->raw_fd, GO_ON_AT + 1), 0);
	assert_int_equal(pthread_create(&user->thread, NULL, stall, user), 0);
	while (stalled != '!') {
		usleep(1000);
		assert_int_equal(
		    pread(user->raw_fd, &stalled, 1, STALLED_AT), 1);
	}
}

static void
end_stall(struct user *user)
{
	assert_int_equal(pwrite(user->raw_fd, "!", 1, GO_ON_AT), 1);
	pthread_join(user->thread, NULL);
	assert_int_equal(user->right, 1);
	close(user->raw_fd);
	close(user->dir_fd);
}

static void
stalled_message_delays_no_other(void **state)
{
	struct mime_pool *pool = mime_pool_new(BAD_WORKER, 2);
	int raw_fd = message_fd("describe\n");
	struct user user;
	int dir_fd;
	char subject[64];

	begin_stall(&user, pool, *state);
	dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    parse(pool, raw_fd, dir_fd, subject, LONG_MS), MT_OK);
	end_stall(&user);
	mime_pool_free(&pool);
	close(raw_fd);
	close(dir_fd);
}

static void
no_free_worker_until_the_deadline_is_told(void **state)
{
	struct mime_pool *pool = mime_pool_new(BAD_WORKER, 1);
	int dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int raw_fd = message_fd("describe\n");
	struct user user;
	char subject[64];

	begin_stall(&user, pool, *state);
	assert_int_equal(
	    parse(pool, raw_fd, dir_fd, subject, 20), MT_RETRY_LATER);
	end_stall(&user);
	assert_int_equal(parse(pool, raw_fd, dir_fd, subject, LONG_MS), MT_OK);
	mime_pool_free(&pool);
	close(raw_fd);
	close(dir_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	    TEST(many_threads_share_few_workers),
	    TEST(workers_start_when_they_are_needed_and_end),
	    TEST(stalled_message_delays_no_other),
	    TEST(no_free_worker_until_the_deadline_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
