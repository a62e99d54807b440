/* SPDX-License-Identifier: ISC */
/* Lists the names of all accounts, one a line, for scripts. */
#include "account_walk.h"

#include "base/buf.h"

#include <stdio.h>

#define OUTPUT_MAX (4 * 1024 * 1024)

static enum mt_status
add_name(struct invocation *in, const char *account, void *context,
    struct mt_error *err)
{
	struct buf *names = context;

	(void)in;
	(void)err;
	buf_add_format(names, "%s\n", account);
	return MT_OK;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct buf names = BUF_INIT(OUTPUT_MAX);
	enum mt_status status = command_take_nothing(in, err);

	if (status == MT_OK)
		status = account_walk(in, add_name, &names, err);
	if (status == MT_OK && !buf_ok(&names))
		status = mt_fail(err, MT_NO_MEMORY, "too many accounts");
	if (status == MT_OK)
		fputs(buf_text(&names), stdout);
	buf_done(&names);
	return status;
}

const struct command cmd_list = {
    .name = "list",
    .arguments = "",
    .help = "print the names of all accounts, one a line",
    .run = run,
};
