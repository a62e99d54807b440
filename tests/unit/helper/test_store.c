/* SPDX-License-Identifier: ISC */
/*
 * The journal, killed between any two of its steps.  The system calls that
 * change the disk are wrapped here: each counts down to the moment at which the
 * process ends, or fails as a full or broken disk would.
 */
#include "records.h"
#include "seal.h"
#include "store.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* space, sync; length, bytes, sync of the intent; sync of the directory */
#define STEPS_BEFORE_REQUEST 6
/* length, bytes, sync; rename; end of the intent; sync of the directory */
#define STEPS (STEPS_BEFORE_REQUEST + 6)

enum fate { LIVE, DIE, FAIL };

static struct {
	enum fate fate;
	int steps_left; /* until it happens */
	int steps_done;
} world;

/* True if this step fails. */
static bool
step(void)
{
	world.steps_done++;
	if (world.fate == LIVE || world.steps_left-- > 0)
		return false;
	if (world.fate == DIE)
		_exit(0);
	errno = ENOSPC;
	return true;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	if (fd > STDERR_FILENO && step())
		return -1;
	return syscall(SYS_write, fd, data, len);
}

int
fsync(int fd)
{
	return step() ? -1 : (int)syscall(SYS_fsync, fd);
}

int
ftruncate(int fd, off_t len)
{
	return step() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int
posix_fallocate(int fd, off_t from, off_t len)
{
	if (step())
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, from, len) ? errno : 0;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return step()
		   ? -1
		   : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int
unlinkat(int dir, const char *name, int flags)
{
	return step() ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* The same for all stores. */
static const struct seal_key *
test_key(void)
{
	static struct seal_key key;

	if (!key.bytes.len) {
		secret_add(&key.bytes, "0123456789abcdef0123456789abcdef", 32);
		seal_key_identify(&key);
	}
	return &key;
}

static struct store *
open_store(const char *dir)
{
	struct store *store = NULL;

	OK(store_open(scratch_path(dir, "state"), &store, &err));
	store_use_key(store, test_key());
	return store;
}

static struct record *
load(struct store *store)
{
	struct record *record = NULL;

	OK(records_load(store, "a", NULL, &record, &err));
	return record;
}

static void
set_token(struct record *record, const char *token)
{
	secret_reset(&record->refresh_token);
	secret_add(&record->refresh_token, token, strlen(token));
}

static enum mt_status
begin(struct store *store, int64_t serial, struct mt_error *err)
{
	const struct store_intent intent = {1700000000 + serial, serial};

	return store_begin(store, "a", &intent, err);
}

/* A store with the record of serial 1, token "old". */
static struct store *
store_with_old(const char *dir)
{
	struct store *store = open_store(dir);
	struct record *record = load(store);

	record->serial = 1;
	set_token(record, "old");
	OK(records_save(store, "a", record, &err));
	record_free(&record);
	return store;
}

static enum mt_status
refresh(struct store *store, struct mt_error *err)
{
	struct record *record = NULL;
	enum mt_status status = begin(store, 1, err);

	if (status == MT_OK)
		status = records_load(store, "a", NULL, &record, err);
	if (status == MT_OK) {
		record->serial = 2;
		set_token(record, "new");
		status = records_commit(store, "a", record, err);
	}
	record_free(&record);
	return status;
}

static void
refresh_replaces_the_record_and_ends_the_intent(void **state)
{
	struct store *store = store_with_old(*state);
	struct store_intent intent;
	struct record *record;
	struct stat st;

	OK(begin(store, 1, &err));
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 1700000001);
	assert_int_equal(intent.serial, 1);
	assert_int_equal(stat(scratch_path(*state, "state/a.next"), &st), 0);
	assert_true((off_t)st.st_blocks * 512 >= SECRET_MAX);
	OK(refresh(store, &err));
	record = load(store);
	assert_string_equal(secret_expose(&record->refresh_token), "new");
	record_free(&record);
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 0);
	assert_false(scratch_exists(*state, "state/a.next"));
	assert_int_equal(scratch_mode(*state, "state/a.token") & 0777, 0600);
	assert_int_equal(scratch_mode(*state, "state") & 0777, 0700);
	store_free(&store);
}

static void
first_intent_without_an_answer_stays(void **state)
{
	struct store *store = store_with_old(*state);
	const struct store_intent later = {1800000000, 1};
	struct store_intent intent;

	OK(begin(store, 1, &err));
	store_abandon(store, "a", true);
	OK(store_begin(store, "a", &later, &err));
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 1700000001);
	/* but not one of an older record */
	OK(begin(store, 2, &err));
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 1700000002);
	store_abandon(store, "a", false);
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 0);
	store_free(&store);
}

/* Runs a refresh in a child that ends at step `n`; false if it got through. */
static bool
killed_at(struct store *store, int n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct mt_error err = {0};
		world.fate = DIE;
		world.steps_left = n;
		_exit(refresh(store, &err) == MT_OK ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void
kill_between_any_two_steps_leaves_a_whole_record(void **state)
{
	int n;
	int recovered = 0;

	for (n = 0;; n++) {
		struct store *store = store_with_old(*state);
		struct store_intent intent;
		struct record *record;
		bool killed = killed_at(store, n), is_new;

		store_read_intent(store, "a", &intent);
		OK(records_recover(store, "a", NULL, &err));
		record = load(store);
		is_new = record->serial == 2;
		assert_string_equal(secret_expose(&record->refresh_token),
		    is_new ? "new" : "old");
		/* an answer that is not there is always noted, once the
		 * request can have gone out */
		if (!is_new && n >= STEPS_BEFORE_REQUEST)
			assert_int_equal(intent.serial, 1);
		recovered += killed && is_new;
		record_free(&record);
		store_free(&store);
		assert_false(scratch_exists(*state, "state/a.next"));
		scratch_remove(*state, "state");
		if (!killed) {
			assert_true(is_new);
			break;
		}
	}
	assert_int_equal(n, STEPS);
	/* whole as soon as the last byte is written, wherever it lies: only
	 * setting the length and writing come before */
	assert_int_equal(recovered, STEPS - STEPS_BEFORE_REQUEST - 2);
}

static void
failure_at_any_step_is_reported_and_harmless(void **state)
{
	for (int n = 0;; n++) {
		struct store *store = store_with_old(*state);
		struct record *record;
		struct mt_error why = {0};
		enum mt_status status;

		world.fate = FAIL;
		world.steps_left = n;
		status = refresh(store, &why);
		world.fate = LIVE;
		if (status != MT_OK) {
			assert_int_equal(status, MT_RETRY_LATER);
			assert_non_null(strstr(why.text, "No space left"));
		}
		record = load(store);
		assert_string_equal(secret_expose(&record->refresh_token),
		    record->serial == 2 ? "new" : "old");
		record_free(&record);
		/* and the next one succeeds */
		OK(refresh(store, &err));
		record = load(store);
		assert_int_equal(record->serial, 2);
		record_free(&record);
		store_free(&store);
		scratch_remove(*state, "state");
		if (world.steps_left >= 0)
			return;
	}
}

static void
full_disk_is_met_before_the_request(void **state)
{
	struct store *store = store_with_old(*state);
	const struct rlimit small = {4096, RLIM_INFINITY};
	const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
	struct mt_error err = {0};
	struct store_intent intent;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(begin(store, 1, &err), MT_RETRY_LATER);
	assert_int_equal(store_reserve(store, "a", &err), MT_RETRY_LATER);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &any), 0);
	store_read_intent(store, "a", &intent);
	assert_int_equal(intent.started_s, 0);
	assert_false(scratch_exists(*state, "state/a.next"));
	store_free(&store);
}

static void
torn_record_is_not_taken_over(void **state)
{
	struct store *store = store_with_old(*state);
	struct record *record;

	scratch_write(
	    *state, "state/a.next", "{\"schema\":1,\"account\":\"a\"");
	OK(records_recover(store, "a", NULL, &err));
	record = load(store);
	assert_string_equal(secret_expose(&record->refresh_token), "old");
	record_free(&record);
	assert_false(scratch_exists(*state, "state/a.next"));
	store_free(&store);
}

static void
older_record_is_not_taken_over(void **state)
{
	struct store *store = store_with_old(*state);
	struct record *record;
	struct secret bytes = SECRET_INIT;
	bool found;

	OK(store_read(store, "a", STORE_TOKEN, &bytes, &found, &err));
	OK(store_write_file(store, "a.next", &bytes, &err));
	secret_done(&bytes);
	OK(records_recover(store, "a", NULL, &err));
	record = load(store);
	assert_int_equal(record->serial, 1);
	record_free(&record);
	assert_false(scratch_exists(*state, "state/a.next"));
	store_free(&store);
}

static void
damaged_record_is_an_error_that_says_so(void **state)
{
	struct store *store = store_with_old(*state);
	struct record *record = NULL;
	struct mt_error err = {0};

	scratch_write(*state, "state/a.token", "{}");
	assert_int_equal(
	    records_load(store, "a", NULL, &record, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "state/a.token is no sealed record"));
	assert_non_null(strstr(err.text, "mailtoken login a"));
	assert_null(record);
	store_free(&store);
}

static void
second_lock_is_refused_and_names_the_lock(void **state)
{
	struct store *first = open_store(*state), *second = open_store(*state);
	struct mt_error why = {0};

	OK(store_lock(first, 0, &err));
	assert_int_equal(store_lock(second, 0, &why), MT_RETRY_LATER);
	assert_non_null(strstr(why.text, "state/lock"));
	assert_int_equal(store_lock(second, 1, &why), MT_RETRY_LATER);
	store_free(&second);
	store_free(&first);
	second = open_store(*state);
	OK(store_lock(second, 0, &err));
	store_free(&second);
}

static void
open_directory_is_closed_to_others(void **state)
{
	struct store *store;

	scratch_mkdir(*state, "state");
	assert_int_equal(chmod(scratch_path(*state, "state"), 0755), 0);
	store = open_store(*state);
	assert_int_equal(scratch_mode(*state, "state") & 0777, 0700);
	store_free(&store);
}

static void
root_leaves_files_to_the_owner_of_the_directory(void **state)
{
	struct store *store;
	struct stat st;

	if (geteuid() != 0)
		fail_msg("must be run as root");
	scratch_mkdir(*state, "state");
	assert_int_equal(chown(scratch_path(*state, "state"), 65534, 65534), 0);
	store = store_with_old(*state);
	OK(store_lock(store, 0, &err));
	OK(refresh(store, &err));
	assert_int_equal(stat(scratch_path(*state, "state/a.token"), &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(stat(scratch_path(*state, "state/lock"), &st), 0);
	assert_int_equal(st.st_uid, 65534);
	store_free(&store);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(refresh_replaces_the_record_and_ends_the_intent),
	    TEST(first_intent_without_an_answer_stays),
	    TEST(kill_between_any_two_steps_leaves_a_whole_record),
	    TEST(failure_at_any_step_is_reported_and_harmless),
	    TEST(full_disk_is_met_before_the_request),
	    TEST(torn_record_is_not_taken_over),
	    TEST(older_record_is_not_taken_over),
	    TEST(damaged_record_is_an_error_that_says_so),
	    TEST(second_lock_is_refused_and_names_the_lock),
	    TEST(open_directory_is_closed_to_others),
	    TEST(root_leaves_files_to_the_owner_of_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
