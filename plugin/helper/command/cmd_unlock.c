/* SPDX-License-Identifier: ISC */
/* Hands the passphrase of its store to a helper. */
#include "command.h"

#include "passphrase.h"

#include "tokensock/token_admin.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum mt_status
call(struct invocation *in, int fd, struct token_wire_message *reply,
    struct mt_error *err)
{
	struct token_client *client = &in->helper.client;

	token_wire_begin(&client->frame, "unlock");
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	return token_admin_call(
	    client, fd, reply, deadline_in_ms(HELPER_NETWORK_MS), err);
}

/* Whether the connected helper needs a passphrase, perhaps a new one. */
static enum mt_status
ask_need(struct invocation *in, bool *ret_needed, bool *ret_new,
    struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status = call(in, -1, &reply, err);
	const char *needs;

	if (status != MT_OK)
		return status;
	needs = token_wire_get(&reply, "needs");
	*ret_new = needs && strcmp(needs, "new") == 0;
	*ret_needed = *ret_new || (needs && strcmp(needs, "passphrase") == 0);
	return MT_OK;
}

/* Finds a helper that needs one; *ret_needed is false if no helper that we may
 * unlock does. */
static enum mt_status
find(struct invocation *in, bool *ret_needed, bool *ret_new,
    struct mt_error *err)
{
	struct mt_error refusal = {0};
	bool one_is_open = false;
	enum mt_status status;

	*ret_needed = false;
	in->helper.only_running = true;
	while ((status = helper_next(&in->helper,
		    deadline_in_ms(HELPER_CALL_MS), err)) == MT_OK) {
		status = ask_need(in, ret_needed, ret_new, err);
		if (status == MT_REFUSED)
			refusal = *err;
		else if (status != MT_OK && status != MT_NO_ACCOUNT)
			return status;
		if (*ret_needed)
			return MT_OK;
		one_is_open |= status == MT_OK;
	}
	if (one_is_open)
		return MT_OK;
	if (refusal.status == MT_REFUSED) {
		*err = refusal;
		return err->status;
	}
	if (status == MT_NO_ACCOUNT)
		return mt_fail(err, status,
		    "only root and the user that mailtokend runs as can "
		    "unlock it");
	return status;
}

/* A new one is asked for twice where nobody sees what they type. */
static enum mt_status
read_passphrase(bool is_new, struct secret *passphrase, struct mt_error *err)
{
	struct secret again = SECRET_INIT;
	enum mt_status status = passphrase_read(
	    is_new ? "New passphrase: " : "Passphrase: ", passphrase, err);

	if (status != MT_OK || !is_new || !passphrase_is_asked())
		return status;
	status = passphrase_read("Once more: ", &again, err);
	if (status == MT_OK && !secret_equal(passphrase, &again))
		status = mt_fail(err, MT_BAD_INPUT,
		    "the two are not the same; nothing was "
		    "changed");
	secret_done(&again);
	return status;
}

static enum mt_status
unlock(struct invocation *in, bool is_new, struct mt_error *err)
{
	struct secret passphrase = SECRET_INIT;
	struct token_wire_message reply;
	enum mt_status status = read_passphrase(is_new, &passphrase, err);
	int fd = -1;

	if (status == MT_OK)
		status = passphrase_open(&passphrase, &fd, err);
	secret_done(&passphrase);
	if (status != MT_OK)
		return status;
	status = call(in, fd, &reply, err);
	close(fd);
	if (status == MT_OK)
		puts(is_new ? "the passphrase is set" : "unlocked");
	return status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	static const struct option known[] = {{NULL, 0, NULL, 0}};
	bool needed, is_new = false;
	enum mt_status status;

	if (getopt_long(in->argc, in->argv, "", known, NULL) != -1)
		return command_bad_option(in, err);
	if (optind < in->argc)
		return mt_fail(err, MT_USAGE, "unlock takes no argument");
	status = find(in, &needed, &is_new, err);
	if (status != MT_OK)
		return status;
	if (needed)
		return unlock(in, is_new, err);
	puts("nothing is locked");
	return MT_OK;
}

const struct command cmd_unlock = {
    .name = "unlock",
    .arguments = "",
    .help = "give the helper the passphrase of its logins",
    .run = run,
};
