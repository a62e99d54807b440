/* SPDX-License-Identifier: ISC */
#include "state/state.h"

#include "state/state_db.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static struct state *
open_state(const char *dir)
{
	struct mt_error err = {0};
	struct state *state = NULL;

	if (state_open(&state, dir, &err) != MT_OK)
		fail_msg("%s", err.text);
	return state;
}

static void
assert_refused(const char *dir, enum mt_status expected, const char *words)
{
	struct mt_error err = {0};
	struct state *state = NULL;

	assert_int_equal(state_open(&state, dir, &err), expected);
	assert_null(state);
	if (!strstr(err.text, words))
		fail_msg("'%s' lacks '%s'", err.text, words);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
new_state_is_for_its_owner_only(void **scratch)
{
	const char *dir = scratch_path(*scratch, "new/state");
	mode_t old_umask = umask(0);
	struct state *state = open_state(dir);

	umask(old_umask);
	assert_int_equal(scratch_mode(*scratch, "new"), 0700);
	assert_int_equal(scratch_mode(dir, ""), 0700);
	assert_int_equal(scratch_mode(dir, "state.db"), 0600);
	assert_int_equal(scratch_mode(dir, "state.db-wal"), 0600);
	assert_int_equal(scratch_mode(dir, "state.db-shm"), 0600);
	state_close(&state);
	assert_null(state);
}

static void
id_stays_and_differs_between_states(void **scratch)
{
	const char *one = scratch_path(*scratch, "one");
	const char *two = scratch_path(*scratch, "two");
	struct state *state = open_state(one);
	char id[32];

	snprintf(id, sizeof(id), "%s", state_id(state));
	assert_int_equal(strlen(id), 16);
	assert_int_equal(strspn(id, "0123456789abcdef"), 16);
	state_close(&state);
	state = open_state(one);
	assert_string_equal(state_id(state), id);
	state_close(&state);
	state = open_state(two);
	assert_string_not_equal(state_id(state), id);
	state_close(&state);
}

static void
commits_reach_the_disk(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct state_statement s;
	struct mt_error err;
	bool row;

	state_db_prepare(&s, state,
	    "SELECT synchronous, journal_mode FROM pragma_synchronous,"
	    " pragma_journal_mode");
	assert_int_equal(state_db_step(&s, &row, &err), MT_OK);
	assert_int_equal(state_db_number(&s, 0), 2); /* FULL */
	assert_string_equal(state_db_text(&s, 1), "wal");
	state_db_finish(&s);
	state_close(&state);
}

static void
older_state_is_brought_up_to_date(void **scratch)
{
	struct state *state;
	struct state_statement s;
	struct mt_error err;
	bool row;

	run_sql(scratch_path(*scratch, "state.db"),
	    "CREATE TABLE about (id TEXT NOT NULL);"
	    "INSERT INTO about VALUES ('0123456789abcdef');"
	    "PRAGMA user_version = 1;");
	state = open_state(*scratch);
	assert_string_equal(state_id(state), "0123456789abcdef");
	state_db_prepare(&s, state, "SELECT count(*) FROM mailbox, message");
	assert_int_equal(state_db_step(&s, &row, &err), MT_OK);
	state_db_finish(&s);
	state_close(&state);
}

static void
unusable_state_is_refused(void **scratch)
{
	char junk[8192];

	memset(junk, 'x', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	scratch_mkdir(*scratch, "newer");
	run_sql(scratch_path(*scratch, "newer/state.db"),
	    "PRAGMA user_version = 1000000;");
	assert_refused(scratch_path(*scratch, "newer"), MT_BAD_CONFIG,
	    "use the newer program");

	scratch_mkdir(*scratch, "damaged");
	scratch_write(*scratch, "damaged/state.db", junk);
	assert_refused(
	    scratch_path(*scratch, "damaged"), MT_BAD_CONFIG, "not a database");

	scratch_mkdir(*scratch, "open");
	assert_int_equal(chmod(scratch_path(*scratch, "open"), 0770), 0);
	assert_refused(scratch_path(*scratch, "open"), MT_BAD_CONFIG, "go-w");

	scratch_write(*scratch, "file", "");
	assert_refused(
	    scratch_path(*scratch, "file"), MT_BAD_CONFIG, "not a directory");
	assert_refused(scratch_path(*scratch, "file/below"), MT_BAD_CONFIG,
	    "cannot make directory");
}

static void
second_deliverer_is_told_who_holds_the_lock(void **scratch)
{
	struct state *first = open_state(*scratch);
	struct state *second = open_state(*scratch);
	struct mt_error err = {0};
	char words[64];

	assert_int_equal(state_lock_deliverer(first, &err), MT_OK);
	assert_int_equal(state_lock_deliverer(first, &err), MT_OK);
	assert_int_equal(scratch_mode(*scratch, "deliverer.lock"), 0600);
	assert_int_equal(state_lock_deliverer(second, &err), MT_RETRY_LATER);
	snprintf(words, sizeof(words), "process %ld already", (long)getpid());
	assert_non_null(strstr(err.text, words));
	state_close(&first);
	assert_int_equal(state_lock_deliverer(second, &err), MT_OK);
	state_close(&second);
}

static void
lock_ends_with_its_process(void **scratch)
{
	struct state *state;
	struct mt_error err = {0};
	int ready[2], status;
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		state = NULL;
		if (state_open(&state, *scratch, NULL) == MT_OK &&
		    state_lock_deliverer(state, NULL) == MT_OK &&
		    write(ready[1], "y", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	state = open_state(*scratch);
	assert_int_equal(state_lock_deliverer(state, &err), MT_RETRY_LATER);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(state_lock_deliverer(state, &err), MT_OK);
	state_close(&state);
}

static int
open_and_close(const char *dir)
{
	struct mt_error err = {0};
	struct state *state;

	if (state_open(&state, dir, &err) != MT_OK) {
		print_error("%s\n", err.text);
		return 1;
	}
	state_close(&state);
	return 0;
}

static void
processes_may_make_the_state_at_once(void **scratch)
{
	const char *dir = scratch_path(*scratch, "shared");
	pid_t children[8];
	int gate[2], status;
	char byte;

	assert_int_equal(pipe(gate), 0);
	for (size_t i = 0; i < 8; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0)
				_exit(2);
			_exit(open_and_close(dir));
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
}

static void
failed_transaction_leaves_no_trace(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct state_statement s;
	struct mt_error err = {0};
	char id[32];

	snprintf(id, sizeof(id), "%s", state_id(state));
	assert_int_equal(state_db_begin(state, &err), MT_OK);
	state_db_prepare(&s, state, "UPDATE about SET id = ?");
	state_db_bind_text(&s, "fedcba9876543210");
	assert_int_equal(state_db_run(&s, &err), MT_OK);
	state_db_finish(&s);
	assert_int_equal(state_db_end(state, MT_REFUSED, &err), MT_REFUSED);
	state_close(&state);
	state = open_state(*scratch);
	assert_string_equal(state_id(state), id);

	assert_int_equal(state_db_begin(state, &err), MT_OK);
	state_db_prepare(&s, state, "SELECT nonsense");
	state_db_bind_number(&s, 1);
	assert_int_equal(state_db_run(&s, &err), MT_BUG);
	assert_non_null(strstr(err.text, "nonsense"));
	state_db_finish(&s);
	assert_int_equal(state_db_end(state, MT_BUG, &err), MT_BUG);
	state_close(&state);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(new_state_is_for_its_owner_only),
	    CASE(id_stays_and_differs_between_states),
	    CASE(commits_reach_the_disk),
	    CASE(older_state_is_brought_up_to_date),
	    CASE(unusable_state_is_refused),
	    CASE(second_deliverer_is_told_who_holds_the_lock),
	    CASE(lock_ends_with_its_process),
	    CASE(processes_may_make_the_state_at_once),
	    CASE(failed_transaction_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
