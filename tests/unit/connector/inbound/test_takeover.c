/* SPDX-License-Identifier: ISC */
#include "inbound/takeover.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE "agents/email/state"

/* Makes INBOX/<name> for each name in the list, with a message.json or not. */
static void
make_dirs(struct bench *b, const char *names, bool complete)
{
	char list[128], path[160];
	char *rest = list, *name;

	snprintf(list, sizeof(list), "%s", names ? names : "");
	while ((name = strsep(&rest, " ")) && *name) {
		snprintf(path, sizeof(path), INBOX "/%s", name);
		scratch_mkdir(b->workspace, path);
		if (!complete)
			continue;
		snprintf(path, sizeof(path), INBOX "/%s/message.json", name);
		scratch_write(b->workspace, path, "{}");
	}
}

static void
make_gateway_files(struct bench *b, const char *last_uid, const char *complete,
    const char *incomplete)
{
	scratch_mkdir(b->workspace, "agents");
	scratch_mkdir(b->workspace, "agents/email");
	scratch_mkdir(b->workspace, INBOX);
	scratch_mkdir(b->workspace, STATE);
	if (last_uid)
		scratch_write(b->workspace, STATE "/last_uid", last_uid);
	make_dirs(b, complete, true);
	make_dirs(b, incomplete, false);
}

static void
fill_mailbox(struct bench *b, int count)
{
	for (int i = 0; i < count; i++)
		fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
}

static void
only_what_the_gateway_has_not_delivered_is(void **state)
{
	static const struct {
		const char *name, *last_uid, *complete, *incomplete;
		const char *delivered;
	} cases[] = {
	    {"nothing there", NULL, NULL, NULL, "1 2 3 4 5 6 "},
	    {"last_uid", "4", NULL, NULL, "5 6 "},
	    {"with a line end", "4\n", NULL, NULL, "5 6 "},
	    {"everything", "6", "5 6", NULL, ""},
	    {"beyond the end", "4294967295", NULL, NULL, ""},
	    {"last_uid and a later directory", "2", "1 5", NULL, "3 4 6 "},
	    {"no last_uid", NULL, "2 4", NULL, "5 6 "},
	    {"unreadable last_uid", "four", "2 4", NULL, "5 6 "},
	    {"negative last_uid", "-4", "2 4", NULL, "5 6 "},
	    {"too large a last_uid", "4294967296", "2", NULL, "3 4 5 6 "},
	    {"last_uid 0", "0", "2", NULL, "1 3 4 5 6 "},
	    {"directory left by a crash", NULL, "2", "4", "3 7-4 5 6 "},
	    {"names that are no UIDs", NULL, "02 4x 0x4 7-4 .4 +3", "4",
		"1 2 3 7-4-2 5 6 "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bench *b;

		if (i > 0) {
			bench_teardown(state);
			bench_setup(state);
		}
		b = *state;
		make_gateway_files(b, cases[i].last_uid, cases[i].complete,
		    cases[i].incomplete);
		fill_mailbox(b, 6);
		assert_int_equal(bench_poll(b), MT_OK);
		if (strcmp(buf_text(&b->delivered), cases[i].delivered) != 0)
			fail_msg(
			    "%s: %s", cases[i].name, buf_text(&b->delivered));
		bench_restart(b);
		bench_expect(b, "");
	}
}

static void
takeover_happens_once(void **state)
{
	struct bench *b = *state;

	make_gateway_files(b, "2", NULL, NULL);
	fill_mailbox(b, 3);
	bench_expect(b, "3 ");
	assert_non_null(strstr(buf_text(&b->notices), "taking over INBOX"));
	/* the state alone decides from now on */
	scratch_write(b->workspace, STATE "/last_uid", "100");
	make_dirs(b, "4", true);
	fill_mailbox(b, 1);
	bench_restart(b);
	bench_expect(b, "7-4 ");
}

static void
links_are_not_followed(void **state)
{
	struct bench *b = *state;

	make_gateway_files(b, NULL, NULL, NULL);
	scratch_write(b->workspace, "other", "2");
	scratch_mkdir(b->workspace, "dir");
	scratch_write(b->workspace, "dir/message.json", "{}");
	assert_int_equal(symlink("../../../other",
			     scratch_path(b->workspace, STATE "/last_uid")),
	    0);
	assert_int_equal(
	    symlink("../../../dir", scratch_path(b->workspace, INBOX "/3")), 0);
	fill_mailbox(b, 3);
	bench_expect(b, "1 2 7-3 ");
}

static void
mailbox_that_the_gateway_never_followed_is_not_taken_over(void **state)
{
	struct bench *b = *state;

	make_gateway_files(b, "2", "3", NULL);
	b->in.gateway_state = NULL;
	fill_mailbox(b, 3);
	bench_expect(b, "1 2 7-3 ");
	assert_int_equal(b->notices.len, 0);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(only_what_the_gateway_has_not_delivered_is),
	    CASE(takeover_happens_once),
	    CASE(links_are_not_followed),
	    CASE(mailbox_that_the_gateway_never_followed_is_not_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
