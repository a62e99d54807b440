/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "operations.h"
#include "outbound/send.h"

static struct send_request
request_of(const struct invocation *in)
{
	return (struct send_request){
	    .request_id = in->request_id,
	    .draft = {.path = in->arguments[0], .agent_dir = -1},
	};
}

static enum mt_status
send(struct invocation *in, struct operations *operations,
    struct json_object **ret_report, struct mt_error *err)
{
	const struct send_request request = request_of(in);

	return operations_send(
	    operations, &request, in->control_path, ret_report, err);
}

int
command_send(struct invocation *in)
{
	return command_operate(in, send, NULL);
}

static enum mt_status
save_draft(struct invocation *in, struct operations *operations,
    struct json_object **ret_report, struct mt_error *err)
{
	const struct send_request request = request_of(in);

	return operations_save_draft(operations, &request, ret_report, err);
}

int
command_save_draft(struct invocation *in)
{
	return command_operate(in, save_draft, NULL);
}
