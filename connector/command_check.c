/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "operations.h"
#include "report.h"

#include <json-c/json.h>

/* Each account by itself; the answer of one alone is as it always was. */
static int
check_accounts(struct invocation *in)
{
	struct json_object *reports = json_object_new_array();
	struct json_object *report = NULL, *all;
	struct account *account = NULL;
	enum mt_status worst = MT_OK;

	while ((account = accounts_next(in->accounts, account))) {
		struct mt_error err;
		/* which logs what it finds, server by server */
		enum mt_status status = operations_check(
		    account_operations(account), &report, &err);
		json_object_array_add(reports, report);
		if (mt_exit_code(status) > mt_exit_code(worst))
			worst = status;
	}
	if (json_object_array_length(reports) == 1) {
		command_print(json_object_get(report));
	} else {
		all = json_object_new_object();
		report_add_text(all, "type", in->command->type);
		json_object_object_add(
		    all, "success", json_object_new_boolean(worst == MT_OK));
		json_object_object_add(
		    all, "accounts", json_object_get(reports));
		command_print(all);
	}
	json_object_put(reports);
	return mt_exit_code(worst);
}

int
command_check(struct invocation *in)
{
	struct mt_error err;
	enum mt_status status = command_open(in, &err);
	int code =
	    status == MT_OK ? check_accounts(in) : command_fail(in, &err);

	command_close(in);
	return code;
}

int
command_status(struct invocation *in)
{
	struct mt_error err;
	int code = 0;
	enum mt_status status = command_ask_running(
	    in, "{\"type\":\"status_request\"}", &code, &err);

	return status == MT_OK ? code : command_fail(in, &err);
}
