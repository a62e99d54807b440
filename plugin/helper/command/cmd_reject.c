/* SPDX-License-Identifier: ISC */
/* Tells the helper that a mail server refused a token: the one with the serial
 * number given, or the one that the helper has now. */
#include "command.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

static enum mt_status
read_options(struct invocation *in, long *ret_serial, struct mt_error *err)
{
	static const struct option known[] = {
	    {"serial", required_argument, NULL, 's'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_status status = MT_OK;
	int c;

	while (status == MT_OK &&
	       (c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c != 's')
			return command_bad_option(in, err);
		status = command_number(
		    "--serial", optarg, 1, LONG_MAX, ret_serial, err);
	}
	return status == MT_OK ? command_take_account(in, err) : status;
}

static enum mt_status
find_serial(struct invocation *in, long *ret_serial, struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status =
	    command_ask_status(in, in->account, false, &reply, err);

	if (status == MT_OK)
		*ret_serial = token_wire_number(&reply, "serial", LONG_MAX, 0);
	return status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	long serial = 0;
	enum mt_status status = read_options(in, &serial, err);

	if (status == MT_OK)
		status = helper_find(&in->helper, in->account,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK && serial == 0)
		status = find_serial(in, &serial, err);
	if (status == MT_OK && serial != 0)
		status = token_client_reject(&in->helper.client, in->account,
		    serial, deadline_in_ms(HELPER_CALL_MS), err);
	if (status != MT_OK)
		return status;
	if (serial)
		printf("%s: token number %ld is rejected; the next request "
		       "gets a new one\n",
		    in->account, serial);
	else
		printf("%s: there is no token to reject\n", in->account);
	return MT_OK;
}

const struct command cmd_reject = {
    .name = "reject",
    .arguments = "ACCOUNT [--serial NUMBER]",
    .help = "say that a mail server refused the token",
    .run = run,
};
