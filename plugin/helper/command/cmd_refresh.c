/* SPDX-License-Identifier: ISC */
/* Makes the helper get a new access token now. */
#include "command.h"

#include "status_view.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

static enum mt_status
ask(struct invocation *in, struct token_wire_message *reply,
    struct mt_error *err)
{
	struct secret *frame = &in->helper.client.frame;

	token_wire_begin(frame, "refresh");
	token_wire_add(frame, "account", in->account);
	token_wire_add_number(frame, "wait_ms", HELPER_NETWORK_MS - 5000);
	return command_call(in, HELPER_NETWORK_MS, reply, err);
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	static const struct option known[] = {{NULL, 0, NULL, 0}};
	struct token_wire_message reply;
	char left[STATUS_VIEW_DURATION_MAX];
	enum mt_status status;

	if (getopt_long(in->argc, in->argv, "", known, NULL) != -1)
		return command_bad_option(in, err);
	status = command_take_account(in, err);
	if (status == MT_OK)
		status = helper_find(&in->helper, in->account,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK)
		status = ask(in, &reply, err);
	if (status != MT_OK)
		return status;
	status_view_duration(
	    left, token_wire_number(&reply, "expires_in", LONG_MAX, -1));
	printf("%s: new access token, number %ld, expires in %s\n", in->account,
	    token_wire_number(&reply, "serial", LONG_MAX, 0), left);
	return MT_OK;
}

const struct command cmd_refresh = {
    .name = "refresh",
    .arguments = "ACCOUNT",
    .help = "get a new access token now",
    .run = run,
};
