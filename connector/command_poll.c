/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "announce.h"
#include "base/deadline.h"
#include "base/log.h"
#include "operations.h"
#include "report.h"

#include <json-c/json.h>
#include <poll.h>

#define LOCK_MS 60000 /* for who has the lock and does not listen */
#define LOOK_MS 20
#define HAND_ON_MS 60000 /* for what a single poll has received */

static enum mt_status
poll_account(struct account *account, struct json_object *reports)
{
	struct json_object *report = NULL;
	struct mt_error err;
	struct operations *operations = account_operations(account);
	enum mt_status status;

	operations_show_bar(operations);
	status = operations_receive(operations, &report, &err);
	if (status != MT_OK)
		log_error("IMAP poll failed: %s", err.text);
	json_object_array_add(reports, report);
	return status;
}

static int
poll_now(struct invocation *in)
{
	struct json_object *reports = json_object_new_array();
	struct json_object *report;
	struct account *account = NULL;
	struct mt_error err;
	int code;

	while ((account = accounts_next(in->accounts, account)))
		(void)!poll_account(account, reports);
	/* whose failure is not the poll's, and was logged */
	while ((account = accounts_next(in->accounts, account)))
		(void)!operations_work_outbox(
		    account_operations(account), &err);
	report = report_join_polls(reports, &code);
	json_object_put(reports);
	announcer_drain(in->resources.announcer, HAND_ON_MS, report);
	command_print(report);
	if (!code && announcer_trouble(in->resources.announcer, &err) != MT_OK)
		code = mt_exit_code(err.status);
	return code;
}

/*
 * Polls, or has it done by the process that delivers from this state.  Who has
 * the lock without listening is about to begin or to end, or polls once itself:
 * then it is our turn soon.
 */
static enum mt_status
poll_or_ask(struct invocation *in, int *ret_code, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(LOCK_MS);
	struct mt_error why;
	enum mt_status status;

	for (;;) {
		status = command_deliver(in, err);
		if (status == MT_OK)
			*ret_code = poll_now(in);
		if (status != MT_RETRY_LATER)
			return status;
		status = command_ask_running(
		    in, "{\"type\":\"poll_request\"}", ret_code, &why);
		if (status == MT_OK)
			return MT_OK;
		if (status != MT_UNREACHABLE) {
			*err = why;
			return status;
		}
		if (deadline_passed(deadline))
			return MT_RETRY_LATER; /* says who has the lock */
		poll(NULL, 0, LOOK_MS);
	}
}

int
command_poll(struct invocation *in)
{
	struct mt_error err;
	int code = 0;
	enum mt_status status = command_open(in, &err);

	if (status == MT_OK)
		status = poll_or_ask(in, &code, &err);
	command_end_delivery(in, status == MT_OK ? code : mt_exit_code(status));
	command_close(in);
	return status == MT_OK ? code : command_fail(in, &err);
}
