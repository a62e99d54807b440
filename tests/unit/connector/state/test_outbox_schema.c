/* SPDX-License-Identifier: ISC */
/* What an older version has left in the outbox. */
#include "outbox_bench.h"

#include "state/state_db.h"

/* A database in which that version has left three entries, and this one has
 * found them. */
static void
make_old(const char *dir)
{
	static const char sql[] = "DROP TABLE outbox_bytes; DROP TABLE outbox;";
	static const char rows[] =
	    "INSERT INTO outbox (message_id, date, mail_from, rcpt_to, bytes,"
	    " state, doubtful, attempts, created, changed, next_attempt, reply)"
	    " VALUES"
	    " ('<1@x>', 1800000000, 'a@x', 'b@x\n', x'41', 'queued', 0, 2,"
	    "  1800000000, 1800000000, 1800000020, 'later'),"
	    " ('<2@x>', 1800000000, 'a@x', 'b@x\nc@x\n', x'4242', 'sent', 0, 1,"
	    "  1800000000, 1800000000, NULL, 'ok'),"
	    " ('<3@x>', 1800000000, 'a@x', 'b@x\n', x'43', 'uncertain', 1, 1,"
	    "  1800000000, 1800000000, 1800000005, 'lost');";
	struct state *state = open_state(dir);
	sqlite3 *db = NULL;

	state_close(&state);
	assert_int_equal(
	    sqlite3_open(scratch_path(dir, "state.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, outbox_schema_1, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, outbox_schema_2, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
old_entries_become_the_environments_accounts(void **dir)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state *state;
	bool found = true;

	make_old(*dir);
	state = open_state(*dir);
	OK(outbox_find(state, ACCOUNT, 1, &entry, &found, &err));
	assert_false(found);
	OK(outbox_adopt(state, ACCOUNT, &err));
	assert_entry(state, 1, OUTBOX_QUEUED, 2, NOW + 20);
	assert_entry(state, 2, OUTBOX_SENT, 1, 0);
	assert_entry(state, 3, OUTBOX_UNCERTAIN, 1, NOW + 5);
	entry = get(state, 2);
	assert_int_equal(entry.len, 2);
	assert_string_equal(entry.rcpt_to[1], "c@x");
	assert_int_equal(entry.copy, OUTBOX_COPY_NONE);
	outbox_entry_done(&entry);
	/* it goes on where it was */
	assert_true(claim(state, &retry, NOW + 20, &entry));
	assert_int_equal(entry.id, 1);
	assert_int_equal(entry.len, 1);
	assert_memory_equal(entry.bytes, "A", 1);
	outbox_entry_done(&entry);
	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	assert_int_equal(entry.id, 3);
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
old_uncertain_entry_is_looked_for_where_that_decides(void **dir)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state *state;
	bool found = false;

	make_old(*dir);
	state = open_state(*dir);
	OK(outbox_adopt(state, ACCOUNT, &err));
	assert_int_equal(plan(state, &filed_by_server, NOW + 5).send_s, 15);
	OK(outbox_take_look(
	    state, &filed_by_server, NOW + 5, &entry, &found, &err));
	assert_true(found);
	assert_int_equal(entry.id, 3);
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
bytes_leave_with_their_entry(void **dir)
{
	struct state *state = open_state(*dir);
	struct state_statement s;
	int64_t id = add(state, "<1@x>");
	bool row = false;

	attempt(state, id, OUTBOX_ACCEPTED, NOW);
	OK(outbox_tidy(state, &retry, NOW + 8 * DAY, &err));
	OK(state_db_begin(state, &err));
	state_db_prepare(&s, state, "SELECT count(*) FROM outbox_bytes");
	OK(state_db_step(&s, &row, &err));
	assert_int_equal(state_db_number(&s, 0), 0);
	state_db_finish(&s);
	OK(state_db_end(state, MT_OK, &err));
	state_close(&state);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(old_entries_become_the_environments_accounts),
	    TEST(old_uncertain_entry_is_looked_for_where_that_decides),
	    TEST(bytes_leave_with_their_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
