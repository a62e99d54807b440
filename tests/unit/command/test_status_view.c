/* SPDX-License-Identifier: ISC */
#include "helper/command/status_view.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static struct status_row
row_of(const char *account, const char *reply_line)
{
	char *line = strdup(reply_line);
	struct token_wire_message reply;
	struct status_row row;
	struct mt_error err = {0};

	assert_non_null(line);
	assert_true(token_wire_parse(line, strlen(line), &reply));
	assert_int_equal(status_row_read(&row, account, &reply, &err), MT_OK);
	free(line);
	return row;
}

static void
durations_are_short(void **state)
{
	static const struct {
		long s;
		const char *text;
	} cases[] = {{-1, "-"}, {0, "-"}, {1, "1 s"}, {59, "59 s"},
	    {60, "1 min"}, {3180, "53 min"}, {3600, "60 min"},
	    {7199, "119 min"}, {7200, "2 h"}, {172799, "47 h"}, {172800, "2 d"},
	    {__LONG_MAX__, "106751991167300 d"}};
	char text[STATUS_VIEW_DURATION_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		status_view_duration(text, cases[i].s);
		assert_string_equal(text, cases[i].text);
	}
}

static void
table_is_aligned(void **state)
{
	struct status_row rows[] = {
	    row_of("work", "1\tok\tstate=ok\tuser=anna@example.test\t"
			   "expires_in=3180\ttext=\talarm=\n"),
	    row_of("a-longer-name",
		"1\tok\tstate=needs-login\tuser=\ttext=the grant was revoked, "
		"run: mailtoken login a-longer-name\n"),
	    row_of("third", "1\tok\tstate=degraded\tuser=b@example.test\t"
			    "expires_in=0\ttext=the token endpoint does not "
			    "answer\talarm=the new refresh token is not on "
			    "disk yet; make room on the disk\n"),
	};
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_table(&out, rows, 3);
	assert_string_equal(buf_text(&out),
	    "ACCOUNT        STATE        USER               EXPIRES IN\n"
	    "work           ok           anna@example.test  53 min\n"
	    "a-longer-name  needs-login                     -\n"
	    "    error: the grant was revoked, run: mailtoken login "
	    "a-longer-name\n"
	    "third          degraded     b@example.test     -\n"
	    "    error: the token endpoint does not answer\n"
	    "    alarm: the new refresh token is not on disk yet; make room "
	    "on the disk\n");
	buf_done(&out);
	for (size_t i = 0; i < 3; i++)
		status_row_done(&rows[i]);
}

static void
assert_fits(const char *text, size_t width)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > width)
			fail_msg("%zu columns: %.*s", len, (int)len, text);
		text += len + 1;
	}
}

static void
long_values_stay_within_the_screen(void **state)
{
	struct status_row row = row_of("an-account-with-a-rather-long-name",
	    "1\tok\tstate=broken-config\t"
	    "user=someone.with.a.very.long.name@department.example.test\t"
	    "expires_in=3180\ttext=a sentence that is so long that it does not "
	    "fit on one line of eighty columns and has to be continued on "
	    "another, where it starts beneath itself\n");
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_table(&out, &row, 1);
	assert_fits(buf_text(&out), 80);
	assert_non_null(strstr(buf_text(&out), "  someone.w"));
	assert_non_null(strstr(buf_text(&out), "...  53 min\n"));
	assert_non_null(strstr(buf_text(&out), "\n           "));
	buf_reset(&out);
	status_view_detail(&out, &row);
	assert_fits(buf_text(&out), 80);
	/* here the user is shown whole */
	assert_non_null(strstr(buf_text(&out),
	    "someone.with.a.very.long.name@department.example.test\n"));
	buf_done(&out);
	status_row_done(&row);
}

static void
detail_leaves_out_what_is_not_known(void **state)
{
	struct status_row row = row_of("work",
	    "1\tok\tstate=needs-login\tprovider=generic\tserial=0\t"
	    "text=nobody has logged in yet\n");
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_detail(&out, &row);
	assert_string_equal(buf_text(&out),
	    "work\n"
	    "  state         needs-login\n"
	    "  provider      generic\n"
	    "  expires in    -\n"
	    "  error         nobody has logged in yet\n");
	buf_done(&out);
	status_row_done(&row);
}

static void
detail_tells_what_happens_next(void **state)
{
	struct status_row rows[] = {
	    row_of("work",
		"1\tok\tstate=degraded\tuser=u\tprovider=microsoft\tserial=7\t"
		"expires_in=700\tlogin_at=2026-01-02T03:04:05Z\t"
		"refreshed_at=2026-11-24T20:00:00Z\tin_use=1\t"
		"next_refresh_s=90\tnext_attempt_s=90\tserver_failures=4\t"
		"server_trial_s=42\ttext=HTTP 503\n"),
	    row_of("idle", "1\tok\tstate=ok\tin_use=0\tserver_failures=1\t"
			   "next_refresh_s=518400\n"),
	};
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_detail(&out, &rows[0]);
	assert_string_equal(buf_text(&out),
	    "work\n"
	    "  state         degraded\n"
	    "  user          u\n"
	    "  provider      microsoft\n"
	    "  expires in    11 min\n"
	    "  token number  7\n"
	    "  logged in at  2026-01-02T03:04:05Z\n"
	    "  logged in as  not known, the server did not say\n"
	    "  refreshed at  2026-11-24T20:00:00Z\n"
	    "  next refresh  in 1 min, for it is in use\n"
	    "  next attempt  1 min\n"
	    "  server        4 failures in a row, tried again in 42 s\n"
	    "  error         HTTP 503\n");
	buf_reset(&out);
	status_view_detail(&out, &rows[1]);
	assert_non_null(strstr(buf_text(&out),
	    "  next refresh  in 6 d, to keep the login alive (not in use)\n"));
	assert_non_null(
	    strstr(buf_text(&out), "  server        1 failure in a row\n"));
	buf_done(&out);
	status_row_done(&rows[0]);
	status_row_done(&rows[1]);
}

static void
control_characters_do_not_reach_the_terminal(void **state)
{
	struct status_row row = row_of(
	    "work", "1\tok\tstate=ok\x1b[2J\tuser=a\\nb\ttext=x\x1b]0;y\x07\n");
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_table(&out, &row, 1);
	status_view_detail(&out, &row);
	assert_null(strpbrk(buf_text(&out), "\x1b\x07"));
	assert_non_null(strstr(buf_text(&out), "a?b"));
	buf_done(&out);
	status_row_done(&row);
}

static void
umlauts_count_as_one_column(void **state)
{
	struct status_row rows[] = {
	    row_of("b\xc3\xbcro", "1\tok\tstate=ok\tuser=u\n"),
	    row_of("work", "1\tok\tstate=ok\tuser=u\n"),
	};
	struct buf out = BUF_INIT(65536);

	(void)state;
	status_view_table(&out, rows, 2);
	assert_non_null(strstr(buf_text(&out), "b\xc3\xbcro     ok"));
	assert_non_null(strstr(buf_text(&out), "work     ok"));
	buf_done(&out);
	status_row_done(&rows[0]);
	status_row_done(&rows[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_short),
	    cmocka_unit_test(table_is_aligned),
	    cmocka_unit_test(long_values_stay_within_the_screen),
	    cmocka_unit_test(detail_leaves_out_what_is_not_known),
	    cmocka_unit_test(detail_tells_what_happens_next),
	    cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	    cmocka_unit_test(umlauts_count_as_one_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
