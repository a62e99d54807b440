/* SPDX-License-Identifier: ISC */
/* Which messages are delivered, whatever the server does with its numbers. */
#include "inbound/identity.h"

#include "mime/mime_client.h"
#include "state/state.h"
#include "state/state_db.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of messages that differ; each lives as long as the test. */
static const char *
text_of(struct bench *b, int number)
{
	static char texts[40][200];

	(void)b;
	snprintf(texts[number], sizeof(texts[number]),
	    "From: Ann <ann@example.org>\r\n"
	    "Subject: %d\r\n"
	    "Message-ID: <%d@example.org>\r\n"
	    "\r\n"
	    "This is message %d.\r\n",
	    number, number, number);
	return texts[number];
}

static struct fake_message *
add(struct bench *b, int number)
{
	struct fake_message *m = fake_imap_add(&b->server, text_of(b, number));

	m->date = 1700000000 + number;
	return m;
}

static void
reconcile(struct bench *b, const char *handles)
{
	b->in.reconcile = true;
	bench_expect(b, handles);
	b->in.reconcile = false;
}

static void
run_sql(struct bench *b, const char *sql)
{
	assert_int_equal(
	    sqlite3_exec(b->in.state->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int
count_suspects(struct bench *b)
{
	sqlite3_stmt *s;
	int count;

	assert_int_equal(sqlite3_prepare_v2(b->in.state->db,
			     "SELECT count(*) FROM suspect", -1, &s, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	count = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return count;
}

static void
expect_notice(struct bench *b, const char *words)
{
	if (!strstr(buf_text(&b->notices), words))
		fail_msg("'%s' lacks '%s'", buf_text(&b->notices), words);
	buf_reset(&b->notices);
}

/* ---- what becomes visible late ---- */

static void
late_mail_is_found_by_reconciliation(void **state)
{
	struct bench *b = *state;
	struct inbound_counts counts = {0};

	for (int i = 1; i <= 6; i++)
		add(b, i);
	fake_imap_find(&b->server, 1)->hidden = true;
	fake_imap_find(&b->server, 4)->hidden = true;
	b->in.counts = &counts;
	bench_expect(b, "2 3 5 6 ");
	fake_imap_find(&b->server, 1)->hidden = false;
	fake_imap_find(&b->server, 4)->hidden = false;
	bench_expect(b, ""); /* it looks above the cursor */
	add(b, 7);
	bench_restart(b);
	reconcile(b, "1 4 7 ");
	assert_int_equal(counts.delivered, 7);
	assert_int_equal(counts.found, 2);
	assert_int_equal(counts.gone, 0);
	bench_assert_json(b, "4", "subject", "4");
	reconcile(b, "");
	bench_expect(b, "");
	assert_int_equal(b->server.fetched, 7);
}

static void
reconciliation_asks_for_nothing_but_numbers(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	reconcile(b, "1 2 3 ");
	assert_int_equal(b->server.all_uids, 0); /* the cursor was 0 */
	reconcile(b, "");
	assert_int_equal(b->server.all_uids, 1);
	assert_int_equal(b->server.fetched, 3);
	assert_int_equal(b->server.listed_from, 4);
}

static void
what_is_listed_and_never_given_keeps_back_nothing(void **state)
{
	struct bench *b = *state;
	struct inbound_counts counts = {0};

	for (int i = 1; i <= 3; i++)
		add(b, i);
	fake_imap_find(&b->server, 2)->vanishes = true;
	b->in.counts = &counts;
	bench_expect(b, "1 3 ");
	for (int i = 0; i < 3; i++)
		bench_expect(b, "");
	assert_int_equal(counts.gone, 4);
	/* from now on it waits, and the cursor has passed it */
	bench_expect(b, "");
	assert_int_equal(counts.gone, 4);
	reconcile(b, "");
	assert_int_equal(counts.gone, 4);
	assert_int_equal(b->server.listed_from, 4);
	expect_notice(b,
	    "INBOX: messages that cannot be fetched and are tried again "
	    "later: 1 (UID 2)");
	/* it is there after all, and its time has come */
	fake_imap_find(&b->server, 2)->vanishes = false;
	run_sql(b, "UPDATE suspect SET retry_at = 1");
	bench_expect(b, "2 ");
	assert_int_equal(counts.found, 1);
	bench_expect(b, "");
}

static void
suspect_that_is_moved_away_is_forgotten(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 2; i++)
		add(b, i);
	fake_imap_find(&b->server, 1)->vanishes = true;
	bench_expect(b, "2 ");
	for (int i = 0; i < 4; i++)
		bench_expect(b, "");
	fake_imap_remove(&b->server, 1);
	run_sql(b, "UPDATE suspect SET retry_at = 1");
	assert_int_equal(count_suspects(b), 1);
	bench_expect(b, "");
	assert_int_equal(count_suspects(b), 0);
}

static void
message_given_as_nothing_is_not_delivered_as_nothing(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	fake_imap_find(&b->server, 2)->empties = true;
	bench_expect(b, "1 3 ");
	fake_imap_find(&b->server, 2)->empties = false;
	bench_expect(b, "2 ");
	bench_assert_json(b, "2", "subject", "2");
}

static void
message_that_always_breaks_the_connection_does_so_ever_less(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	fake_imap_find(&b->server, 2)->breaks = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	bench_expect(b, "");
	reconcile(b, "");
	add(b, 4);
	bench_expect(b, "4 ");
	run_sql(b, "UPDATE suspect SET retry_at = 1");
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	fake_imap_find(&b->server, 2)->breaks = false;
	run_sql(b, "UPDATE suspect SET retry_at = 1");
	bench_expect(b, "2 ");
}

static void
message_that_kills_every_worker_is_delivered_raw(void **state)
{
	struct bench *b = *state;
	char *defects, *raw;

	mime_client_free(&b->in.mime);
	b->in.mime = mime_client_new(BAD_WORKER);
	fake_imap_add(&b->server, "whole\n");
	fake_imap_add(&b->server, "segv\n");
	fake_imap_add(&b->server, "whole\n");
	bench_expect(b, "1 2 3 ");
	assert_false(bench_has(b, "1/raw.eml"));
	raw = scratch_read(b->workspace, INBOX "/2/raw.eml");
	assert_string_equal(raw, "segv\n");
	free(raw);
	defects = bench_json(b, "2", "defects");
	assert_string_not_equal(defects, "[ ]");
	free(defects);
	reconcile(b, "");
	assert_int_equal(count_suspects(b), 0);
}

static void
highest_uid_there_is(void **state)
{
	struct bench *b = *state;

	add(b, 1);
	add(b, 2)->uid = UINT32_MAX - 1;
	add(b, 3)->uid = UINT32_MAX;
	fake_imap_find(&b->server, UINT32_MAX - 1)->hidden = true;
	bench_expect(b, "1 4294967295 ");
	fake_imap_find(&b->server, UINT32_MAX - 1)->hidden = false;
	bench_expect(b, "");
	reconcile(b, "4294967294 ");
	reconcile(b, "");
}

static void
empty_mailbox_is_reconciled(void **state)
{
	struct bench *b = *state;

	reconcile(b, "");
	add(b, 1);
	bench_expect(b, "1 ");
	fake_imap_remove(&b->server, 1);
	reconcile(b, "");
	assert_int_equal(b->server.all_uids, 0);
}

/* ---- other numbers ---- */

/* The server begins anew: what is there gets the UIDs from `first` on. */
static void
renumber(struct bench *b, uint32_t uidvalidity, uint32_t first)
{
	b->server.uidvalidity = uidvalidity;
	for (size_t i = 0; i < b->server.count; i++)
		b->server.messages[i].uid = first + (uint32_t)i;
}

static void
known_mail_is_not_delivered_again_under_other_numbers(void **state)
{
	struct bench *b = *state;
	struct inbound_counts counts = {0};

	for (int i = 1; i <= 5; i++)
		add(b, i);
	bench_expect(b, "1 2 3 4 5 ");
	fake_imap_remove(&b->server, 2);
	add(b, 6);
	renumber(b, 8, 1);
	b->in.counts = &counts;
	bench_expect(b, "8-5 ");
	bench_assert_json(b, "8-5", "subject", "6");
	bench_assert_json(b, "8-5", "imap_uid", "5");
	bench_assert_json(b, "8-5", "uidvalidity", "8");
	assert_non_null(strstr(buf_text(&b->notices), "anew (UIDVALIDITY 8)"));
	expect_notice(b,
	    "mailbox_reset: INBOX was numbered anew (UIDVALIDITY 8); messages "
	    "known from before: 4, new and delivered: 1, older than wanted: 0");
	/* headers were enough */
	assert_int_equal(b->server.described, 5);
	assert_int_equal(b->server.fetched, 6);

	bench_restart(b);
	reconcile(b, "");
	add(b, 7);
	bench_expect(b, "6 ");
	assert_int_equal(b->notices.len, 0);
	assert_int_equal(b->server.described, 5);
}

static void
numbers_that_come_back_mean_nothing(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 2; i++)
		add(b, i);
	bench_expect(b, "1 2 ");
	renumber(b, 8, 10);
	add(b, 3);
	bench_expect(b, "12 ");
	/* a backup is restored: 7 again, where 2 is another message now */
	fake_imap_remove(&b->server, 11);
	add(b, 4);
	renumber(b, 7, 1);
	bench_expect(b, "3 ");
	bench_assert_json(b, "3", "subject", "4");
	expect_notice(b, "known from before: 2, new and delivered: 1");
	/* lower than ever */
	renumber(b, 3, 1);
	bench_expect(b, "");
	expect_notice(b, "known from before: 3, new and delivered: 0");
	bench_expect(b, "");
}

static void
uidnext_that_goes_back_is_another_numbering(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	b->server.uidnext = 4;
	bench_expect(b, "1 2 3 ");
	/* of a backup: 3 is lost, its UID is given to another */
	fake_imap_remove(&b->server, 3);
	b->server.uidnext = 3;
	bench_expect(b, "");
	expect_notice(b, "known from before: 2, new and delivered: 0");
	add(b, 4);
	b->server.uidnext = 4;
	bench_expect(b, "7-3 ");
	bench_assert_json(b, "7-3", "subject", "4");
}

static void
server_that_is_wrong_about_uidnext_is_not_believed(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	b->server.uidnext = 2;
	bench_expect(b, "1 2 3 ");
	for (int i = 0; i < 2; i++)
		bench_expect(b, "");
	add(b, 4);
	bench_expect(b, "4 ");
	assert_int_equal(b->server.described, 0);
	assert_int_equal(b->notices.len, 0);
}

static void
what_headers_do_not_tell_the_bytes_do(void **state)
{
	static const char one[] = "Subject: same\r\n\r\nbody 1\r\n";
	static const char two[] = "Subject: same\r\n\r\nbody 2\r\n";
	static const char id[] = "Message-ID: <x@y>\r\n\r\nbody 1\r\n";
	static const char same_id[] = "Message-ID: <x@y>\r\n\r\nbody 2\r\n";
	struct bench *b = *state;

	fake_imap_add(&b->server, one);
	fake_imap_add(&b->server, one); /* two copies are two messages */
	fake_imap_add(&b->server, id);
	fake_imap_add(&b->server, same_id);
	bench_expect(b, "1 2 3 4 ");
	fake_imap_remove(&b->server, 3);
	fake_imap_add(&b->server, one);
	fake_imap_add(&b->server, two);
	renumber(b, 8, 1);
	bench_expect(b, "8-4 5 ");
	assert_string_equal(b->server.messages[3].text, one);
	expect_notice(b, "known from before: 3, new and delivered: 2");
	reconcile(b, "");
}

static void
bytes_that_a_server_has_changed_do_not_matter(void **state)
{
	struct bench *b = *state;
	char changed[200];

	add(b, 1);
	bench_expect(b, "1 ");
	snprintf(changed, sizeof(changed), "%s", text_of(b, 1));
	*strchr(changed, '.') = '!';
	b->server.messages[0].text = changed;
	renumber(b, 8, 1);
	bench_expect(b, "");
	expect_notice(b, "known from before: 1, new and delivered: 0");
	/* without headers, too */
	b->server.refuses_headers = true;
	*strchr(changed, '!') = '?';
	renumber(b, 9, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	bench_expect(b, "");
	expect_notice(b, "known from before: 1, new and delivered: 0");
}

static void
server_without_header_fetch_is_compared_by_bytes(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 3; i++)
		add(b, i);
	bench_expect(b, "1 2 3 ");
	b->server.refuses_headers = true;
	add(b, 4);
	renumber(b, 8, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	bench_expect(b, "4 ");
	expect_notice(b, "known from before: 3, new and delivered: 1");
	assert_int_equal(b->server.described, 0);
}

static void
too_large_message_is_known_by_its_size(void **state)
{
	struct bench *b = *state;

	b->in.max_message_bytes = 2000;
	for (int i = 1; i <= 2; i++)
		add(b, i)->filler = 3000 * (size_t)i;
	bench_expect(b, "1 2 ");
	add(b, 3)->filler = 5000;
	renumber(b, 8, 1);
	bench_expect(b, "3 ");
	assert_int_equal(b->server.fetched, 0);
}

static void
comparison_goes_on_after_a_break(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 6; i++)
		add(b, i);
	bench_expect(b, "1 2 3 4 5 6 ");
	for (int i = 7; i <= 9; i++)
		add(b, i);
	renumber(b, 8, 1);
	fake_imap_find(&b->server, 8)->breaks = true;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "7 ");
	bench_restart(b);
	fake_imap_find(&b->server, 8)->breaks = false;
	bench_poll(b);
	assert_string_equal(buf_text(&b->delivered), "9 8 ");
	expect_notice(b, "known from before: 6, new and delivered: 3");
}

static void
digest_is_that_of_the_bytes(void **state)
{
	/* SHA-256 of "abc", FIPS 180-4 */
	static const uint8_t expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01,
	    0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
	    0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
	    0xf2, 0x00, 0x15, 0xad};
	struct identity_digest digest = {NULL};
	struct inbound_identity identity = {0};
	struct mt_error err;

	(void)state;
	assert_int_equal(identity_digest_begin(&digest, &err), MT_OK);
	identity_digest_add(&digest, "a", 1);
	identity_digest_add(&digest, "bc", 2);
	identity_digest_end(&digest, &identity);
	assert_true(identity.has_digest);
	assert_memory_equal(identity.digest, expected, sizeof(expected));
	identity_digest_end(&digest, NULL);
}

static void
message_id_is_the_same_however_it_is_written(void **state)
{
	static const struct {
		const char *one, *other;
		bool equal;
	} cases[] = {
	    {"<a@b>", " <a@b>", true},
	    {"<a@b>", "<a@b> (comment)", true},
	    {"<a@b>", "<a@b>\t", true},
	    {"<a@b>", "<A@b>", false},
	    {"<a@b>", "<a@bc>", false},
	};
	struct inbound_identity one, other;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		one = other = (struct inbound_identity){0};
		identity_set_message_id(&one, cases[i].one);
		identity_set_message_id(&other, cases[i].other);
		assert_true(one.has_message_id && other.has_message_id);
		assert_int_equal(
		    memcmp(&one, &other, sizeof(one)) == 0, cases[i].equal);
	}
	identity_set_message_id(&one, "");
	assert_false(one.has_message_id);
	identity_set_message_id(&one, "a@b");
	assert_false(one.has_message_id);
	identity_set_message_id(&one, "<a@b");
	assert_false(one.has_message_id);
}

/* ---- an older state ---- */

/* Opens, instead of the bench's, a state as version 3 would have left it. */
static void
open_old_state(struct bench *b, const char *rows)
{
	struct buf sql = BUF_INIT(65536);
	sqlite3 *db;

	buf_add_format(&sql,
	    "CREATE TABLE about (id TEXT NOT NULL);"
	    "INSERT INTO about VALUES ('%s'); %s %s %s"
	    "PRAGMA user_version = 3;",
	    state_id(b->in.state), inbound_state_schema_1, outbox_schema_1,
	    rows);
	state_close(&b->in.state);
	scratch_remove(b->dir, "state/state.db");
	assert_int_equal(
	    sqlite3_open(scratch_path(b->dir, "state/state.db"), &db),
	    SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, buf_text(&sql), NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	buf_done(&sql);
	OK(state_open(&b->in.state, scratch_path(b->dir, "state"), &err));
	OK(state_lock_deliverer(b->in.state, &err));
}

static void
nothing_comes_again_after_an_upgrade(void **state)
{
	struct bench *b = *state;

	/* 3 is gone or was never seen, 5 is staged above the cursor, 6 done */
	open_old_state(b,
	    "INSERT INTO mailbox VALUES (1, 'a@example.org', 'INBOX', 6, 2),"
	    " (2, 'a@example.org', 'INBOX', 7, 4);"
	    "INSERT INTO message (mailbox, uid, folder, handle) VALUES"
	    " (1, 1, '" INBOX "', '1'), (1, 2, '" INBOX "', '2'),"
	    " (2, 1, '" INBOX "', '7-1'), (2, 2, '" INBOX "', '7-2'),"
	    " (2, 4, '" INBOX "', '4'), (2, 6, '" INBOX "', '6');"
	    "INSERT INTO suspect VALUES (2, 7, 1);");
	for (int i = 1; i <= 9; i++)
		add(b, i);
	bench_expect(b, "5 8 9 7 ");
	reconcile(b, "");
	bench_restart(b);
	reconcile(b, "");
	assert_int_equal(b->server.fetched, 4);

	/* of what was delivered before there is no digest, but its age */
	add(b, 10)->date = (time_t)INT32_MAX * 2;
	renumber(b, 8, 1);
	bench_expect(b, "10 ");
	expect_notice(b, "known from before: 4, new and delivered: 1, older "
			 "than wanted: 5");
	reconcile(b, "");
}

/* ---- the first start ---- */

static void
start_with_the_newest(struct bench *b, uint32_t newest)
{
	b->in.only_newest = true;
	b->in.newest = newest;
	for (int i = 1; i <= 6; i++)
		add(b, i);
	b->server.uidnext = 7;
}

static void
only_new_mail_is_delivered_on_request(void **state)
{
	struct bench *b = *state;

	start_with_the_newest(b, 0);
	fake_imap_find(&b->server, 4)->hidden = true; /* on its way */
	/* arrives after the mailbox was opened */
	add(b, 7);
	bench_expect(b, "7 ");
	fake_imap_find(&b->server, 4)->hidden = false;
	add(b, 8);
	b->server.uidnext = 9;
	bench_restart(b);
	b->in.only_newest = false; /* it is decided once */
	reconcile(b, "4 8 ");
	reconcile(b, "");
}

static void
newest_messages_are_delivered_on_request(void **state)
{
	static const struct {
		uint32_t newest;
		uint32_t uidnext;
		const char *delivered;
	} cases[] = {
	    {0, 7, ""},
	    {0, 0, ""}, /* a server that does not tell it */
	    {1, 7, "6 "},
	    {3, 0, "4 5 6 "},
	    {5, 7, "2 3 4 5 6 "},
	    {6, 7, "1 2 3 4 5 6 "},
	    {7, 7, "1 2 3 4 5 6 "},
	    {UINT32_MAX, 7, "1 2 3 4 5 6 "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bench *b;

		if (i > 0) {
			bench_teardown(state);
			bench_setup(state);
		}
		b = *state;
		start_with_the_newest(b, cases[i].newest);
		b->server.uidnext = cases[i].uidnext;
		bench_expect(b, cases[i].delivered);
		reconcile(b, "");
		b->server.uidnext = 8;
		add(b, 7);
		bench_expect(b, "7 ");
	}
}

static void
first_start_of_an_empty_mailbox_passes_nothing(void **state)
{
	struct bench *b = *state;

	b->in.only_newest = true;
	b->server.uidnext = 1;
	bench_expect(b, "");
	add(b, 1);
	b->server.uidnext = 2;
	bench_expect(b, "1 ");
}

static void
first_start_that_was_cut_short_goes_on(void **state)
{
	struct bench *b = *state;

	start_with_the_newest(b, 3);
	fake_imap_find(&b->server, 5)->breaks = true;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "4 ");
	bench_restart(b);
	fake_imap_find(&b->server, 5)->breaks = false;
	add(b, 7);
	b->server.uidnext = 8;
	bench_poll(b);
	assert_string_equal(buf_text(&b->delivered), "7 6 5 ");
	reconcile(b, "");
}

static void
old_mail_stays_unwanted_under_other_numbers(void **state)
{
	struct bench *b = *state;

	start_with_the_newest(b, 1);
	bench_expect(b, "6 ");
	add(b, 7); /* after the first start */
	renumber(b, 8, 1);
	b->server.uidnext = 8;
	bench_expect(b, "7 ");
	expect_notice(b,
	    "known from before: 1, new and delivered: 1, older than wanted: 5");
	/* what is moved into the mailbox later keeps its old date */
	add(b, 8);
	b->server.uidnext = 9;
	bench_expect(b, "8 ");
	assert_int_equal(b->server.fetched, 3);
}

static void
gateways_cursor_beyond_the_mailbox_hides_no_new_mail(void **state)
{
	struct bench *b = *state;

	scratch_mkdir(b->workspace, "agents");
	scratch_mkdir(b->workspace, "agents/email");
	scratch_mkdir(b->workspace, "agents/email/state");
	scratch_mkdir(b->workspace, INBOX);
	scratch_mkdir(b->workspace, INBOX "/4");
	scratch_write(b->workspace, INBOX "/4/message.json", "{}");
	scratch_write(b->workspace, "agents/email/state/last_uid", "100");
	b->in.only_newest = true; /* has no say here */
	b->in.newest = 1;
	for (int i = 1; i <= 2; i++)
		add(b, i);
	b->server.uidnext = 3;
	bench_expect(b, "");
	for (int i = 3; i <= 4; i++)
		add(b, i);
	b->server.uidnext = 5;
	bench_expect(b, "3 7-4 ");
	reconcile(b, "");
}

static void
on_progress(void *context, size_t tried, size_t total)
{
	struct bench *b = context;

	buf_add_format(&b->reports, "%zu/%zu ", tried, total);
}

static void
progress_is_told_batch_by_batch(void **state)
{
	struct bench *b = *state;

	for (int i = 1; i <= 130; i++)
		fake_imap_add(&b->server, "Subject: x\r\n\r\nx\r\n");
	assert_int_equal(bench_poll(b), MT_OK);
	b->in.progress = on_progress;
	buf_reset(&b->reports);
	bench_expect(b, "");
	assert_string_equal(buf_text(&b->reports), "0/0 ");
	for (int i = 1; i <= 70; i++)
		fake_imap_add(&b->server, "Subject: x\r\n\r\nx\r\n");
	assert_int_equal(bench_poll(b), MT_OK);
	assert_non_null(strstr(buf_text(&b->reports), "0/70 "));
	assert_non_null(strstr(buf_text(&b->reports), "64/70 "));
	assert_non_null(strstr(buf_text(&b->reports), "70/70 "));
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(late_mail_is_found_by_reconciliation),
	    CASE(reconciliation_asks_for_nothing_but_numbers),
	    CASE(what_is_listed_and_never_given_keeps_back_nothing),
	    CASE(suspect_that_is_moved_away_is_forgotten),
	    CASE(message_given_as_nothing_is_not_delivered_as_nothing),
	    CASE(message_that_always_breaks_the_connection_does_so_ever_less),
	    CASE(message_that_kills_every_worker_is_delivered_raw),
	    CASE(highest_uid_there_is),
	    CASE(empty_mailbox_is_reconciled),
	    CASE(known_mail_is_not_delivered_again_under_other_numbers),
	    CASE(numbers_that_come_back_mean_nothing),
	    CASE(uidnext_that_goes_back_is_another_numbering),
	    CASE(server_that_is_wrong_about_uidnext_is_not_believed),
	    CASE(what_headers_do_not_tell_the_bytes_do),
	    CASE(bytes_that_a_server_has_changed_do_not_matter),
	    CASE(server_without_header_fetch_is_compared_by_bytes),
	    CASE(too_large_message_is_known_by_its_size),
	    CASE(comparison_goes_on_after_a_break),
	    cmocka_unit_test(digest_is_that_of_the_bytes),
	    cmocka_unit_test(message_id_is_the_same_however_it_is_written),
	    CASE(nothing_comes_again_after_an_upgrade),
	    CASE(only_new_mail_is_delivered_on_request),
	    CASE(newest_messages_are_delivered_on_request),
	    CASE(first_start_of_an_empty_mailbox_passes_nothing),
	    CASE(first_start_that_was_cut_short_goes_on),
	    CASE(old_mail_stays_unwanted_under_other_numbers),
	    CASE(gateways_cursor_beyond_the_mailbox_hides_no_new_mail),
	    CASE(progress_is_told_batch_by_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
