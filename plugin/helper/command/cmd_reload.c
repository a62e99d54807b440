/* SPDX-License-Identifier: ISC */
/* Tells a running helper to read its settings again. */
#include "command.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>

static enum mt_status
ask(struct invocation *in, struct token_wire_message *reply,
    struct mt_error *err)
{
	struct secret *frame = &in->helper.client.frame;

	token_wire_begin(frame, "reload");
	return command_call(in, HELPER_CALL_MS, reply, err);
}

/* The first helper that obeys this user. */
static enum mt_status
ask_helpers(struct invocation *in, struct token_wire_message *reply,
    struct mt_error *err)
{
	struct mt_error refusal = {0};
	enum mt_status status;

	in->helper.only_running = true;
	while ((status = helper_next(&in->helper,
		    deadline_in_ms(HELPER_CALL_MS), err)) == MT_OK) {
		status = ask(in, reply, err);
		if (status == MT_NO_ACCOUNT)
			status = mt_fail(err, MT_REFUSED,
			    "only root, or the user that the token helper runs "
			    "as, may have it read its settings again");
		if (status != MT_REFUSED)
			return status;
		refusal = *err;
	}
	if (refusal.status == MT_REFUSED)
		*err = refusal;
	return err->status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status = command_take_nothing(in, err);
	long accounts, left_out;

	if (status == MT_OK)
		status = ask_helpers(in, &reply, err);
	if (status != MT_OK)
		return status;
	accounts = token_wire_number(&reply, "accounts", LONG_MAX, 0);
	left_out = token_wire_number(&reply, "left_out", LONG_MAX, 0);
	printf("settings read again: %ld account%s\n", accounts,
	    accounts == 1 ? "" : "s");
	if (left_out)
		log_warning("left out, for what is wrong in them: %ld file%s "
			    "in accounts.d; the log of mailtokend says which "
			    "and why",
		    left_out, left_out == 1 ? "" : "s");
	return MT_OK;
}

const struct command cmd_reload = {
    .name = "reload",
    .arguments = "",
    .help = "have the helper read its settings again",
    .run = run,
};
