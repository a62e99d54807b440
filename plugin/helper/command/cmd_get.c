/* SPDX-License-Identifier: ISC */
/*
 * Prints an access token: one line on standard output, or nothing at all,
 * because mutt and msmtp take the first line for the token and do not look at
 * the exit code.
 */
#include "command.h"

#include "base/fs.h"

#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#define MIN_TTL_S 60
#define MIN_TTL_MAX_S 86400
#define WAIT_S 20
#define WAIT_MAX_S 60

struct get_options {
	long min_ttl_s;
	long wait_s;
};

static enum mt_status
read_options(
    struct invocation *in, struct get_options *options, struct mt_error *err)
{
	static const struct option known[] = {
	    {"min-ttl", required_argument, NULL, 't'},
	    {"wait", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_status status = MT_OK;
	int c;

	while (status == MT_OK &&
	       (c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			status = command_number("--min-ttl", optarg, 0,
			    MIN_TTL_MAX_S, &options->min_ttl_s, err);
			break;
		case 'w':
			status = command_number("--wait", optarg, 1, WAIT_MAX_S,
			    &options->wait_s, err);
			break;
		default:
			return command_bad_option(in, err);
		}
	}
	return status == MT_OK ? command_take_account(in, err) : status;
}

static enum mt_status
print_token(struct secret *token, struct mt_error *err)
{
	if (!command_is_token(secret_expose(token)))
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer is no token");
	secret_add(token, "\n", 1);
	if (!secret_ok(token))
		return mt_fail(err, MT_NO_MEMORY, "no memory for a token");
	/* not by stdio, whose buffer would keep it */
	if (fs_write_all(STDOUT_FILENO, secret_expose(token), token->len))
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot write to standard output");
	return MT_OK;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct get_options options = {MIN_TTL_S, WAIT_S};
	struct token_query query = {0};
	struct token_answer answer = {.token = SECRET_INIT};
	struct deadline deadline;
	enum mt_status status = read_options(in, &options, err);

	if (status != MT_OK)
		return status;
	deadline = deadline_in_ms(options.wait_s * 1000);
	query.account = in->account;
	status = helper_find(&in->helper, in->account, deadline, err);
	if (status == MT_OK)
		status = token_client_get(&in->helper.client, &query,
		    options.min_ttl_s, &answer, deadline, err);
	if (status == MT_OK)
		status = print_token(&answer.token, err);
	secret_done(&answer.token);
	return status;
}

const struct command cmd_get = {
    .name = "get",
    .arguments = "ACCOUNT [--min-ttl SECONDS] [--wait SECONDS]",
    .help = "print an access token",
    .run = run,
};
