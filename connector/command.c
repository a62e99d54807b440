/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "announce.h"
#include "base/buf.h"
#include "base/log.h"
#include "control.h"
#include "control_client.h"
#include "operations.h"
#include "report.h"
#include "state/state.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS 600000 /* for a poll of the running connector */
#define GRACE_MS 5000 /* for what is under way at the end */

void
command_print(struct json_object *report)
{
	if (puts(json_object_to_json_string_ext(report,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 ||
	    fflush(stdout))
		log_error("cannot write the answer to standard output");
	json_object_put(report);
}

int
command_fail(const struct invocation *in, const struct mt_error *err)
{
	struct json_object *report = json_object_new_object();

	log_error("%s", err->text);
	report_add_text(report, "type", in->command->type);
	report_add_outcome(report, err->status, err, "");
	if (in->command->run == command_send)
		report_add_text(report, "state", "not_queued");
	command_print(report);
	return mt_exit_code(err->status);
}

enum mt_status
command_open(struct invocation *in, struct mt_error *err)
{
	enum mt_status status =
	    resources_open(&in->resources, &in->config, err);

	if (status == MT_OK)
		status = accounts_open(
		    &in->accounts, &in->config, &in->resources, in->arena, err);
	return status;
}

void
command_close(struct invocation *in)
{
	accounts_close(&in->accounts);
	resources_close(&in->resources);
}

enum mt_status
command_deliver(struct invocation *in, struct mt_error *err)
{
	enum mt_status status = state_lock_deliverer(in->resources.state, err);

	if (status == MT_OK && !in->resources.announcer)
		status = announcer_open(&in->resources.announcer, &in->config,
		    in->resources.state, err);
	if (status == MT_OK)
		status = operations_recover(
		    account_operations(accounts_next(in->accounts, NULL)), err);
	return status;
}

void
command_end_delivery(struct invocation *in, int code)
{
	if (!announcer_close(&in->resources.announcer, GRACE_MS))
		_exit(code);
}

enum mt_status
command_find_account(const struct invocation *in,
    struct operations **ret_operations, struct mt_error *err)
{
	const char *name = in->account ? in->account : in->config.name;
	struct account *account = NULL;

	while (name && (account = accounts_next(in->accounts, account))) {
		struct operations *o = account_operations(account);
		if (strcmp(operations_config(o)->name, name) == 0) {
			*ret_operations = o;
			return MT_OK;
		}
	}
	if (in->account)
		return mt_fail(err, MT_NO_ACCOUNT, "there is no account %.200s",
		    in->account);
	return mt_fail(err, MT_BAD_CONFIG,
	    "email not configured (TRI_ONYX_IMAP_HOST not set); -a names an "
	    "account of a file");
}

enum mt_status
command_ask_running(const struct invocation *in, const char *request,
    int *ret_code, struct mt_error *err)
{
	struct buf reply = BUF_INIT(CONTROL_REPLY_MAX);
	struct json_object *report = NULL, *code;
	enum mt_status status = control_ask(
	    in->control_path, request, &reply, deadline_in_ms(ASK_MS), err);

	if (status == MT_OK) {
		report = json_tokener_parse(buf_text(&reply));
		if (json_object_object_get_ex(report, "exit_code", &code))
			*ret_code = json_object_get_int(code);
		else
			status = mt_fail(err, MT_RETRY_LATER,
			    "the running connector gave no answer that makes "
			    "sense");
	}
	buf_done(&reply);
	if (status == MT_OK)
		command_print(report);
	else
		json_object_put(report);
	return status;
}

int
command_operate(struct invocation *in, command_call call,
    void (*print)(const struct invocation *in, struct json_object *report))
{
	struct operations *operations = NULL;
	struct json_object *report = NULL;
	struct mt_error err = {0};
	enum mt_status status = command_open(in, &err);

	if (status == MT_OK)
		status = command_find_account(in, &operations, &err);
	if (status != MT_OK) {
		command_close(in);
		return command_fail(in, &err);
	}
	status = call(in, operations, &report, &err);
	command_close(in);
	if (status != MT_OK)
		log_error("%s", err.text);
	if (print && status == MT_OK)
		print(in, report);
	else
		command_print(report);
	return mt_exit_code(status);
}
