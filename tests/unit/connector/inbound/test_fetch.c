/* SPDX-License-Identifier: ISC */
#include "inbound/fetch.h"

#include "delivery/publish.h"
#include "state/inbound_state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_UID "agents/email/state/last_uid"

static const char hello[] = "From: Ann <ann@example.org>\r\n"
			    "To: bob@example.org\r\n"
			    "Subject: Hello\r\n"
			    "Date: Tue, 17 Feb 2026 10:00:00 +0000\r\n"
			    "Message-ID: <1@example.org>\r\n"
			    "MIME-Version: 1.0\r\n"
			    "\r\n"
			    "Hello Bob\r\n";

static void
assert_last_uid(struct bench *b, const char *expected)
{
	char *text = scratch_read(b->workspace, LAST_UID);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void
new_mail_is_delivered_once(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 2 ");
	assert_non_null(strstr(buf_text(&b->reports),
	    "2|Ann <ann@example.org>|Hello|" INBOX "/2/message.json\n"));
	bench_assert_json(b, "2", "uid", "2");
	bench_assert_json(b, "2", "imap_uid", "2");
	bench_assert_json(b, "2", "uidvalidity", "7");
	bench_assert_json(b, "2", "subject", "Hello");
	bench_assert_json(b, "2", "defects", "[ ]");
	assert_false(bench_has(b, "2/raw.eml"));
	assert_last_uid(b, "2");

	assert_int_equal(chmod(scratch_path(b->workspace, LAST_UID), 0600), 0);
	bench_expect(b, "");
	assert_int_equal(b->server.listed_from, 3);
	bench_restart(b);
	bench_expect(b, "");
	/* nothing new, nothing written */
	assert_int_equal(scratch_mode(b->workspace, LAST_UID), 0600);
	fake_imap_add(&b->server, hello);
	bench_expect(b, "3 ");
	assert_int_equal(b->server.fetched, 3);
	assert_last_uid(b, "3");
}

static void
empty_mailbox_is_no_event(void **state)
{
	struct bench *b = *state;

	bench_expect(b, "");
	assert_int_equal(b->server.examined, 1);
	assert_int_equal(b->notices.len, 0);
}

static void
poll_that_had_its_share_leaves_the_rest_to_the_next(void **state)
{
	struct bench *b = *state;
	const struct deadline over = deadline_in_ms(0);
	struct inbound_counts counts = {0};

	for (int i = 0; i < 300; i++)
		fake_imap_add(&b->server, hello);
	b->in.share = &over;
	b->in.counts = &counts;
	assert_int_equal(bench_poll(b), MT_OK);
	assert_int_equal(b->server.fetches, 1);
	assert_int_equal(scratch_count(b->workspace, INBOX) + counts.left, 300);
	assert_true(counts.left > 0);
	while (counts.left) {
		counts.left = 0;
		assert_int_equal(bench_poll(b), MT_OK);
	}
	assert_int_equal(scratch_count(b->workspace, INBOX), 300);
	assert_int_equal(b->server.fetched, 300);
	assert_last_uid(b, "300");
}

static void
large_mailbox_is_fetched_in_bounded_commands(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 150; i++)
		fake_imap_add(&b->server, hello);
	b->server.messages[100].filler = 5 * 1024 * 1024;
	assert_int_equal(bench_poll(b), MT_OK);
	assert_int_equal(scratch_count(b->workspace, INBOX), 150);
	assert_true(b->server.largest_fetch <= 256);
	/* 100, the large one, 49 */
	assert_int_equal(b->server.fetches, 3);
	assert_last_uid(b, "150");
}

struct shown {
	struct bench *bench;
	size_t count;
	size_t first_total;
	size_t tried, total; /* the last */
};

static struct shown shown;

static void
keep_progress(void *context, size_t tried, size_t total)
{
	(void)context;
	if (!shown.count++)
		shown.first_total = total;
	/* what was listed before is delivered before more is listed */
	assert_true(shown.bench->server.fetched_when_listed <=
		    scratch_count(shown.bench->workspace, INBOX));
	shown.tried = tried;
	shown.total = total;
}

static void
large_mailbox_is_listed_in_pieces_each_delivered_before_the_next(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 250; i++)
		fake_imap_add(&b->server, hello);
	b->server.messages[249].uid = UINT32_MAX - 1;
	b->server.piece = 40;
	b->in.progress = keep_progress;
	shown = (struct shown){.bench = b};
	assert_int_equal(bench_poll(b), MT_OK);
	assert_int_equal(scratch_count(b->workspace, INBOX), 250);
	assert_int_equal(b->server.listed, 7);
	assert_int_equal(b->server.longest_list, 40);
	assert_int_equal(b->server.fetched, 250);
	assert_in_range(shown.first_total, 240, 260);
	assert_int_equal(shown.tried, 250);
	assert_int_equal(shown.total, 250);
	assert_last_uid(b, "4294967294");
	b->in.progress = NULL;

	/* pieces of which all is known */
	b->in.reconcile = true;
	b->server.messages[100].uid = 101;
	bench_expect(b, "");
	assert_int_equal(b->server.all_uids, 7);
	assert_int_equal(b->server.longest_list, 40);
}

static void
suspects_of_all_pieces_come_after_the_last_one(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 9; i++)
		fake_imap_add(&b->server, hello);
	b->server.piece = 3;
	fake_imap_find(&b->server, 2)->breaks = true;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "1 ");
	/* the first that came not is suspect, and the one after it too */
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "4 5 6 7 8 9 3 ");
	assert_last_uid(b, "1");
	fake_imap_find(&b->server, 2)->breaks = false;
	bench_expect(b, "2 ");
	assert_last_uid(b, "9");
	bench_expect(b, "");
	assert_int_equal(b->server.listed_from, 10);
	assert_int_equal(b->server.fetched, 11);
}

static void
mail_that_cannot_be_parsed_is_delivered_raw(void **state)
{
	struct bench *b = *state;
	char *raw, *defects;

	fake_imap_add(&b->server, hello);
	fake_imap_add(&b->server,
	    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
	    "no boundary ever comes");
	fake_imap_add(&b->server, "");
	bench_expect(b, "1 2 3 ");
	raw = scratch_read(b->workspace, INBOX "/2/raw.eml");
	assert_non_null(raw);
	assert_non_null(strstr(raw, "no boundary ever comes"));
	free(raw);
	for (int i = 2; i <= 3; i++) {
		defects = bench_json(b, i == 2 ? "2" : "3", "defects");
		assert_string_not_equal(defects, "[ ]");
		free(defects);
	}
}

static void
raw_message_is_kept_on_request(void **state)
{
	struct bench *b = *state;
	char *raw;

	b->in.keep_raw = true;
	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	raw = scratch_read(b->workspace, INBOX "/1/raw.eml");
	assert_non_null(raw);
	assert_string_equal(raw, hello);
	free(raw);
}

static void
message_that_vanished_is_passed_when_it_is_not_listed(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 3; i++)
		fake_imap_add(&b->server, hello);
	fake_imap_find(&b->server, 2)->vanishes = true;
	bench_expect(b, "1 3 ");
	assert_last_uid(b, "1");
	bench_expect(b, "");
	assert_int_equal(b->server.listed_from, 2);
	fake_imap_remove(&b->server, 2);
	bench_expect(b, "");
	assert_last_uid(b, "3");
	bench_expect(b, "");
	assert_int_equal(b->server.listed_from, 4);
}

static void
message_that_breaks_the_fetch_keeps_back_no_other(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 6; i++)
		fake_imap_add(&b->server, hello);
	fake_imap_find(&b->server, 2)->breaks = true;
	fake_imap_find(&b->server, 4)->breaks = true;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_non_null(strstr(b->err.text, "the connection has ended"));
	assert_string_equal(buf_text(&b->delivered), "1 ");
	bench_restart(b);
	for (int i = 0; i < 3; i++) /* one break in each poll */
		assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	for (int i = 1; i <= 6; i++) {
		char name[8];
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(bench_has(b, name), i != 2 && i != 4);
	}
	/* new mail comes before what is known to break */
	fake_imap_add(&b->server, hello);
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "7 ");
	assert_last_uid(b, "1");

	fake_imap_find(&b->server, 2)->breaks = false;
	fake_imap_find(&b->server, 4)->breaks = false;
	bench_poll(b);
	assert_string_equal(buf_text(&b->delivered), "4 2 ");
	assert_last_uid(b, "7");
	bench_expect(b, "");
}

static void
too_large_message_is_announced(void **state)
{
	struct bench *b = *state;
	char *defects;

	b->in.max_message_bytes = 2000;
	fake_imap_add(&b->server, hello);
	fake_imap_add(&b->server, hello)->filler = 3000;
	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 2 3 ");
	assert_int_equal(b->server.fetched, 2);
	assert_int_equal(scratch_count(b->workspace, INBOX "/2"), 1);
	defects = bench_json(b, "2", "defects");
	assert_non_null(strstr(defects, "beyond the maximum of 2000"));
	free(defects);
	bench_assert_json(b, "2", "truncated", "true");
	bench_expect(b, "");
}

static void
message_larger_than_it_was_said_to_be_is_announced_too(void **state)
{
	struct bench *b = *state;

	b->in.max_message_bytes = 2000;
	for (int i = 0; i < 3; i++)
		fake_imap_add(&b->server, hello);
	b->server.messages[1].filler = 3000;
	b->server.messages[1].announced = 100;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "1 ");
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	assert_string_equal(buf_text(&b->delivered), "3 2 ");
	assert_int_equal(scratch_count(b->workspace, INBOX "/2"), 1);
	bench_expect(b, "");
	assert_last_uid(b, "3");
}

static void
mailbox_without_uidvalidity_is_refused(void **state)
{
	struct bench *b = *state;

	b->server.uidvalidity = 0;
	assert_int_equal(bench_poll(b), MT_BAD_CONFIG);
	assert_non_null(strstr(b->err.text, "UIDVALIDITY"));
}

static void
accounts_may_share_a_folder(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	b->in.account = "b@example.org";
	b->in.gateway_state = NULL;
	bench_expect(b, "7-1 ");
	b->in.account = "c@example.org";
	bench_expect(b, "7-1-2 ");
	bench_assert_json(b, "7-1-2", "uid", "7-1-2");
	bench_expect(b, "");
}

static void
what_is_in_the_way_keeps_its_name(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	scratch_mkdir(b->workspace, INBOX "/2");
	scratch_write(b->workspace, INBOX "/7-2", "a file");
	fake_imap_add(&b->server, hello);
	bench_expect(b, "7-2-2 ");
	bench_assert_json(b, "7-2-2", "uid", "7-2-2");
	assert_int_equal(scratch_count(b->workspace, INBOX "/2"), 0);
}

static void
moved_or_deleted_directory_does_not_come_back(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	scratch_remove(b->workspace, INBOX "/1");
	bench_restart(b);
	bench_expect(b, "");
	assert_false(bench_has(b, "1"));
}

static void
report_has_no_control_characters(void **state)
{
	struct bench *b = *state;
	char text[2000];
	const char *line;

	snprintf(text, sizeof(text),
	    "From: =?utf-8?Q?a=0A=1B[2Jb?= <x@example.org>\r\n"
	    "Subject: %0900d\r\n\r\nbody\r\n",
	    1);
	fake_imap_add(&b->server, text);
	bench_expect(b, "1 ");
	line = buf_text(&b->reports);
	assert_int_equal(strcspn(line, "\n") + 1, strlen(line));
	assert_null(strchr(line, 0x1b));
	assert_true(strlen(line) < 700);
}

static void
disturbed_workspace_stops_the_poll_and_loses_nothing(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	fake_imap_add(&b->server, hello);
	assert_int_equal(rename(scratch_path(b->workspace, INBOX),
			     scratch_path(b->workspace, "aside")),
	    0);
	assert_int_equal(
	    symlink("../../aside", scratch_path(b->workspace, INBOX)), 0);
	assert_int_equal(bench_poll(b), MT_BAD_CONFIG);
	assert_non_null(strstr(b->err.text, "symbolic link"));
	assert_int_equal(scratch_count(b->workspace, "aside"), 1);
	assert_int_equal(unlink(scratch_path(b->workspace, INBOX)), 0);
	bench_expect(b, "2 ");
}

static void
trouble_with_the_disk_blames_no_message(void **state)
{
	struct bench *b = *state;

	fake_imap_add(&b->server, hello);
	fake_imap_add(&b->server, hello);
	scratch_remove(b->workspace, ".tri-onyx");
	assert_int_equal(bench_poll(b), MT_BAD_CONFIG);
	bench_restart(b);
	bench_expect(b, "1 2 "); /* suspects would come the other way round */
}

static void
last_uid_that_cannot_be_kept_stops_no_mail(void **state)
{
	struct bench *b = *state;

	scratch_mkdir(b->workspace, "agents");
	scratch_mkdir(b->workspace, "agents/email");
	fake_imap_add(&b->server, hello);
	bench_expect(b, "1 ");
	scratch_remove(b->workspace, "agents/email/state");
	scratch_write(b->workspace, "agents/email/state", "a file");
	fake_imap_add(&b->server, hello);
	bench_expect(b, "2 ");
	assert_non_null(
	    strstr(buf_text(&b->notices), "last_uid is not kept: "));
	scratch_remove(b->workspace, "agents/email/state");
	bench_expect(b, "");
	assert_last_uid(b, "2");
}

static atomic_bool stop;

static void
stop_at_delivery(void *context, const struct inbound_delivery *delivery)
{
	(void)context;
	(void)delivery;
	atomic_store(&stop, true);
}

static void
stopped_poll_goes_on_where_it_was(void **state)
{
	struct bench *b = *state;
	struct inbound before = b->in;
	size_t delivered;
	char text[16];

	for (int i = 0; i < FAKE_MESSAGES_MAX; i++)
		fake_imap_add(&b->server, hello);
	b->in.stop = &stop;
	b->in.delivered = stop_at_delivery;
	assert_int_equal(bench_poll(b), MT_RETRY_LATER);
	/* one batch, or also the one that came in meanwhile; no third */
	delivered = scratch_count(b->workspace, INBOX);
	assert_int_equal(delivered % 256, 0);
	assert_in_range(delivered, 256, 512);
	snprintf(text, sizeof(text), "%zu", delivered);
	assert_last_uid(b, text);
	atomic_store(&stop, false);
	b->in.delivered = before.delivered;
	assert_int_equal(bench_poll(b), MT_OK);
	assert_int_equal(scratch_count(b->workspace, INBOX), FAKE_MESSAGES_MAX);
	assert_int_equal(b->server.fetched, FAKE_MESSAGES_MAX);
	assert_last_uid(b, "600");
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(new_mail_is_delivered_once),
	    CASE(empty_mailbox_is_no_event),
	    CASE(poll_that_had_its_share_leaves_the_rest_to_the_next),
	    CASE(large_mailbox_is_fetched_in_bounded_commands),
	    CASE(
		large_mailbox_is_listed_in_pieces_each_delivered_before_the_next),
	    CASE(suspects_of_all_pieces_come_after_the_last_one),
	    CASE(mail_that_cannot_be_parsed_is_delivered_raw),
	    CASE(raw_message_is_kept_on_request),
	    CASE(message_that_vanished_is_passed_when_it_is_not_listed),
	    CASE(message_that_breaks_the_fetch_keeps_back_no_other),
	    CASE(too_large_message_is_announced),
	    CASE(message_larger_than_it_was_said_to_be_is_announced_too),
	    CASE(mailbox_without_uidvalidity_is_refused),
	    CASE(accounts_may_share_a_folder),
	    CASE(what_is_in_the_way_keeps_its_name),
	    CASE(moved_or_deleted_directory_does_not_come_back),
	    CASE(report_has_no_control_characters),
	    CASE(disturbed_workspace_stops_the_poll_and_loses_nothing),
	    CASE(trouble_with_the_disk_blames_no_message),
	    CASE(last_uid_that_cannot_be_kept_stops_no_mail),
	    CASE(stopped_poll_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
