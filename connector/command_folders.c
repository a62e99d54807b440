/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "operations.h"

static enum mt_status
move(struct invocation *in, struct operations *operations,
    struct json_object **ret_report, struct mt_error *err)
{
	return operations_move(operations, in->arguments[0], in->arguments[1],
	    in->arguments[2], ret_report, err);
}

int
command_move(struct invocation *in)
{
	return command_operate(in, move, NULL);
}

static enum mt_status
create_folder(struct invocation *in, struct operations *operations,
    struct json_object **ret_report, struct mt_error *err)
{
	return operations_create_folder(
	    operations, in->arguments[0], ret_report, err);
}

int
command_create_folder(struct invocation *in)
{
	return command_operate(in, create_folder, NULL);
}
