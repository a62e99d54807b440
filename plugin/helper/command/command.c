/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "base/settings.h"
#include "tokensock/token_admin.h"

#include <getopt.h>
#include <string.h>

enum mt_status
command_bad_option(const struct invocation *in, struct mt_error *err)
{
	return mt_fail(err, MT_USAGE,
	    "%s: unknown option, or one that lacks its value: %s", in->argv[0],
	    in->argv[optind - 1]);
}

enum mt_status
command_take_account(struct invocation *in, struct mt_error *err)
{
	const char *account = in->argv[optind];

	if (in->argc != optind + 1 || !*account)
		return mt_fail(err, MT_USAGE,
		    "%s needs the name of one account", in->argv[0]);
	if (strlen(account) >= TOKEN_ACCOUNT_MAX)
		return mt_fail(err, MT_USAGE,
		    "an account's name has at most %d bytes",
		    TOKEN_ACCOUNT_MAX - 1);
	in->account = account;
	return MT_OK;
}

enum mt_status
command_take_nothing(struct invocation *in, struct mt_error *err)
{
	static const struct option known[] = {{NULL, 0, NULL, 0}};

	if (getopt_long(in->argc, in->argv, "", known, NULL) != -1)
		return command_bad_option(in, err);
	return optind == in->argc ? MT_OK
				  : mt_fail(err, MT_USAGE,
					"%s takes no argument", in->argv[0]);
}

bool
command_is_token(const char *token)
{
	while (*token > ' ' && *token < 0x7f)
		token++;
	return *token == '\0';
}

enum mt_status
command_number(const char *option, const char *text, long min, long max,
    long *ret_number, struct mt_error *err)
{
	if (settings_number(text, min, max, ret_number))
		return MT_OK;
	return mt_fail(err, MT_USAGE, "%s takes a number from %ld to %ld",
	    option, min, max);
}

enum mt_status
command_call(struct invocation *in, long wait_ms,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	struct token_client *client = &in->helper.client;

	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	return token_admin_call(
	    client, -1, ret_reply, deadline_in_ms(wait_ms), err);
}

enum mt_status
command_ask(struct invocation *in, const struct question *question,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	struct secret *frame = &in->helper.client.frame;

	token_wire_begin(frame, question->verb);
	if (question->of)
		token_wire_add(frame, question->field, question->of);
	if (question->json)
		token_wire_add(frame, "format", "json");
	return command_call(in, HELPER_CALL_MS, ret_reply, err);
}

enum mt_status
command_ask_status(struct invocation *in, const char *account, bool json,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	const struct question status = {"status", "account", account, json};

	return command_ask(in, &status, ret_reply, err);
}
