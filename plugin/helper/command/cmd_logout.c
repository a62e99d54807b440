/* SPDX-License-Identifier: ISC */
/* Ends a login: at the server, if it can be told, and in the helper's store. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static enum mt_status
read_options(struct invocation *in, bool *ret_local, struct mt_error *err)
{
	static const struct option known[] = {
	    {"local", no_argument, NULL, 'l'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c != 'l')
			return command_bad_option(in, err);
		*ret_local = true;
	}
	return command_take_account(in, err);
}

static enum mt_status
ask(struct invocation *in, bool local, struct token_wire_message *ret_reply,
    struct mt_error *err)
{
	struct secret *frame = &in->helper.client.frame;

	token_wire_begin(frame, "logout");
	token_wire_add(frame, "account", in->account);
	if (local)
		token_wire_add_number(frame, "local", 1);
	return command_call(in, HELPER_NETWORK_MS, ret_reply, err);
}

static const char *
describe(const struct token_wire_message *reply)
{
	static const struct {
		const char *word, *sentence;
	} known[] = {
	    {"yes", "logged out; the server has ended the login"},
	    {"no", "logged out here; the server was not told, so the login "
		   "is good there until it expires"},
	    {"unsupported",
		"logged out here; the provider cannot be told, so the login "
		"is good there until it expires or is ended on the "
		"provider's own pages"},
	    {"nothing", "there was no login"},
	};
	const char *revoked = token_wire_get(reply, "revoked");

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (revoked && strcmp(revoked, known[i].word) == 0)
			return known[i].sentence;
	return "logged out";
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct token_wire_message reply;
	bool local = false;
	enum mt_status status = read_options(in, &local, err);

	if (status == MT_OK)
		status = helper_find(&in->helper, in->account,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK)
		status = ask(in, local, &reply, err);
	if (status == MT_OK)
		printf("%s: %s\n", in->account, describe(&reply));
	return status;
}

const struct command cmd_logout = {
    .name = "logout",
    .arguments = "ACCOUNT [--local]",
    .help = "end the login, at the server too",
    .run = run,
};
