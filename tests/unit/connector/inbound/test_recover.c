/* SPDX-License-Identifier: ISC */
#include "inbound/recover.h"

#include "delivery/publish.h"
#include "state/inbound_state.h"
#include "state/mailbox_state.h"
#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* How far a delivery got before the crash. */
enum point {
	STAGED,    /* step 3: complete, in no record */
	RECORDED,  /* step 4 */
	PUBLISHED, /* step 5 */
};

static struct publish_stage
stage(struct bench *b, const char *json_uid)
{
	struct publish_stage s;
	int fd;

	OK(publish_stage_new(b->in.publisher, &s, &err));
	fd = openat(s.fd, "message.json", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_true(
	    dprintf(fd, "{ \"uid\": \"%s\", \"size\": 5 }", json_uid) > 0);
	close(fd);
	publish_stage_close(&s);
	return s;
}

static void
record(struct bench *b, const char *account, const char *staged,
    const char *handle)
{
	const struct inbound_start start = {.uidvalidity = 7};
	struct inbound_mailbox box;
	bool known;
	struct inbound_message message = {
	    .uid = 1,
	    .folder = INBOX,
	    .handle = handle,
	    .staged = staged,
	    .sender = "Ann",
	    .subject = "Hello",
	};

	OK(mailbox_state_add(
	    b->in.state, account, "INBOX", &start, &box, &err));
	OK(inbound_state_stage(b->in.state, box.id, &message, 1, &known, &err));
}

static void
publish(struct bench *b, const char *staged, const char *handle)
{
	struct publish_folder folder;
	enum publish_result result;

	OK(publish_folder_open(b->in.publisher, INBOX, &folder, &err));
	OK(publish_rename(
	    b->in.publisher, staged, &folder, handle, &result, &err));
	assert_int_equal(result, PUBLISH_DONE);
	publish_folder_close(&folder);
}

/* Message 1 of the mailbox is on the server, and this far. */
static void
crash_at(struct bench *b, enum point point)
{
	struct publish_stage s = stage(b, "1");

	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	if (point >= RECORDED)
		record(b, b->in.account, s.name, "1");
	if (point >= PUBLISHED)
		publish(b, s.name, "1");
}

static void
what_no_record_knows_is_swept_and_fetched_again(void **state)
{
	struct bench *b = *state;

	crash_at(b, STAGED);
	assert_int_equal(bench_staged(b), 1);
	bench_restart(b);
	assert_int_equal(bench_staged(b), 0);
	assert_string_equal(buf_text(&b->delivered), "");
	bench_expect(b, "1 ");
	assert_int_equal(b->server.fetched, 1);
}

static void
what_is_recorded_is_published_without_the_server(void **state)
{
	struct bench *b = *state;

	crash_at(b, RECORDED);
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "1 ");
	assert_string_equal(
	    buf_text(&b->reports), "1|Ann|Hello|" INBOX "/1/message.json\n");
	bench_assert_json(b, "1", "uid", "1");
	assert_int_equal(bench_staged(b), 0);
	bench_expect(b, "");
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "");
	assert_int_equal(b->server.fetched, 0);
	bench_expect(b, "");
}

static void
what_is_published_is_reported_and_no_more(void **state)
{
	struct bench *b = *state;

	crash_at(b, PUBLISHED);
	/* an agent may have moved it by now */
	scratch_remove(b->workspace, INBOX "/1");
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "1 ");
	assert_false(bench_has(b, "1"));
	bench_expect(b, "");
	assert_int_equal(b->server.fetched, 0);
}

static void
poll_finishes_what_an_earlier_one_could_not_publish(void **state)
{
	struct bench *b = *state;

	crash_at(b, RECORDED);
	fake_imap_add(&b->server, "From: b@example.org\r\n\r\nx\r\n");
	bench_expect(b, "1 2 ");
	assert_int_equal(b->server.fetched, 1);
	bench_expect(b, "");
}

static void
name_that_was_taken_meanwhile_is_replaced(void **state)
{
	struct bench *b = *state;

	crash_at(b, RECORDED);
	scratch_mkdir(b->workspace, "agents");
	scratch_mkdir(b->workspace, "agents/email");
	scratch_mkdir(b->workspace, INBOX);
	scratch_mkdir(b->workspace, INBOX "/1");
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "7-1 ");
	bench_assert_json(b, "7-1", "uid", "7-1");
	bench_assert_json(b, "7-1", "size", "5");
	assert_int_equal(scratch_count(b->workspace, INBOX "/7-1"), 1);
	assert_int_equal(scratch_count(b->workspace, INBOX "/1"), 0);
	bench_expect(b, "");
}

static void
crash_while_the_name_is_replaced_leaves_one_name(void **state)
{
	struct bench *b = *state;
	struct publish_stage s = stage(b, "1");

	record(b, b->in.account, s.name, "7-1");
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "7-1 ");
	bench_assert_json(b, "7-1", "uid", "7-1");
}

static void
start_finishes_all_mailboxes(void **state)
{
	struct bench *b = *state;
	struct publish_stage one = stage(b, "1"), other = stage(b, "7-1");

	record(b, "a@example.org", one.name, "1");
	record(b, "gone@example.org", other.name, "7-1");
	bench_restart(b);
	assert_string_equal(buf_text(&b->delivered), "1 7-1 ");
	assert_int_equal(bench_staged(b), 0);
}

static void
expect_all_delivered_once(struct bench *b, int count)
{
	char name[16];

	for (int i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_true(bench_has(b, name));
		bench_assert_json(b, name, "uid", name);
	}
	assert_int_equal(scratch_count(b->workspace, INBOX), (size_t)count);
	assert_int_equal(bench_staged(b), 0);
}

/* Polls with little space; then there is more. */
static void
run_on_small_disk(struct bench *b, int kilobytes)
{
	char options[64];
	bool full;

	snprintf(options, sizeof(options), "size=%dk,mode=0755", kilobytes);
	assert_true(scratch_mount(b->dir, options));
	scratch_mkdir(b->dir, "ws");
	bench_restart(b);
	full = bench_poll(b) != MT_OK;
	if (full && (b->err.status != MT_RETRY_LATER ||
			(!strstr(b->err.text, "No space") &&
			    !strstr(b->err.text, "is full"))))
		fail_msg("%d kB: %s", kilobytes, b->err.text);
	assert_int_equal(
	    mount("none", b->dir, "none", MS_REMOUNT, "size=8m"), 0);
	if (kilobytes % 8 == 0)
		bench_restart(b);
	assert_int_equal(bench_poll(b), MT_OK);
	expect_all_delivered_once(b, 4);
	bench_teardown(&(void *){b});
	_exit(full ? 10 : 11);
}

static void
full_disk_loses_nothing_whenever_it_comes(void **state)
{
	struct bench *b = *state;
	unsigned full = 0, fitted = 0;

	for (int i = 0; i < 4; i++)
		fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n")
		    ->filler = 10000;
	for (int kilobytes = 188; kilobytes < 288; kilobytes += 4) {
		int status;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			run_on_small_disk(b, kilobytes);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		full += WEXITSTATUS(status) == 10;
		fitted += WEXITSTATUS(status) == 11;
	}
	assert_int_equal(full + fitted, 25);
	/* it came while receiving, writing, committing, and not at all */
	assert_true(full > 10);
	assert_true(fitted > 0);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(what_no_record_knows_is_swept_and_fetched_again),
	    CASE(what_is_recorded_is_published_without_the_server),
	    CASE(what_is_published_is_reported_and_no_more),
	    CASE(poll_finishes_what_an_earlier_one_could_not_publish),
	    CASE(name_that_was_taken_meanwhile_is_replaced),
	    CASE(crash_while_the_name_is_replaced_leaves_one_name),
	    CASE(start_finishes_all_mailboxes),
	    CASE(full_disk_loses_nothing_whenever_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
