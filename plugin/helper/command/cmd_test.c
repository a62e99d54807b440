/* SPDX-License-Identifier: ISC */
/* Logs in at the account's mail servers and says what came of it, a line for
 * each. */
#include "mail_test.h"

#include <stdio.h>

static enum mt_status
read_options(struct mail_test *test, struct mt_error *err)
{
	static const struct option known[] = {
	    MAIL_TEST_OPTIONS,
	    {NULL, 0, NULL, 0},
	};
	struct invocation *in = test->in;
	int c;

	while ((c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (!mail_test_take_option(test, c, optarg, err))
			return command_bad_option(in, err);
		if (err->status != MT_OK)
			return err->status;
	}
	return command_take_account(in, err);
}

static enum mt_status
test_server(struct mail_test *test, enum mail_test_server which)
{
	const struct mail_server *server = &test->servers[which];
	struct buf line = BUF_INIT(MAIL_TEST_TEXT_MAX);
	struct buf remedy = BUF_INIT(MAIL_TEST_TEXT_MAX);
	struct buf shown = BUF_INIT(2 * MAIL_TEST_TEXT_MAX);
	struct mt_error err = {0};
	enum mt_status status =
	    mail_test_try(test, which, &line, &remedy, &err);

	buf_add_printable(&shown, buf_text(&line), line.len, line.len);
	buf_add_text(&shown, remedy.len ? "; " : "");
	buf_add_printable(&shown, buf_text(&remedy), remedy.len, remedy.len);
	if (line.len)
		puts(buf_text(&shown));
	else
		printf("%s %s:%ld: not tried: %s\n", server->service,
		    server->host, server->port, err.text);
	buf_done(&line);
	buf_done(&remedy);
	buf_done(&shown);
	return status;
}

static enum mt_status
test_servers(struct mail_test *test, struct mt_error *err)
{
	enum mt_status first = MT_OK;
	int failed = 0, count = 0;

	for (int i = 0; i < MAIL_TEST_SERVERS; i++) {
		enum mt_status status;

		if (!*test->servers[i].host)
			continue;
		status = test_server(test, (enum mail_test_server)i);
		count++;
		failed += status != MT_OK;
		if (first == MT_OK)
			first = status;
	}
	fflush(stdout);
	if (!count)
		return mt_fail(err, MT_BAD_CONFIG,
		    "account %s names no imap_host and no smtp_host",
		    test->in->account);
	if (first == MT_OK)
		return MT_OK;
	return mt_fail(
	    err, first, "%d of %d servers failed the test", failed, count);
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct mail_test test;
	enum mt_status status;

	mail_test_init(&test, in);
	status = read_options(&test, err);
	if (status == MT_OK)
		status = helper_find(&in->helper, in->account,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK)
		status = mail_test_find_servers(&test, err);
	return status == MT_OK ? test_servers(&test, err) : status;
}

const struct command cmd_test = {
    .name = "test",
    .arguments = "ACCOUNT " MAIL_TEST_ARGUMENTS,
    .help = "log in at the mail servers and say what came of it",
    .run = run,
};
