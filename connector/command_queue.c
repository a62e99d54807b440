/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "base/settings.h"
#include "control_client.h"
#include "operations.h"
#include "queue_table.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAKE_MS 5000

typedef enum mt_status (*entry_call)(struct operations *operations,
    int64_t entry, struct json_object **ret_report, struct mt_error *err);

static entry_call
find_call(const char *action)
{
	static const struct {
		const char *action;
		entry_call call;
	} calls[] = {
	    {"show", operations_queue_show},
	    {"retry", operations_queue_retry},
	    {"drop", operations_queue_drop},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].action, action) == 0)
			return calls[i].call;
	return NULL;
}

static bool
is_listing(const struct invocation *in)
{
	return !in->argument_count ||
	       (in->argument_count == 1 &&
		   strcmp(in->arguments[0], "list") == 0);
}

bool
command_queue_fits(const struct invocation *in)
{
	long entry;

	return is_listing(in) ||
	       (in->argument_count == 2 && find_call(in->arguments[0]) &&
		   settings_number(in->arguments[1], 1, LONG_MAX, &entry));
}

/* Whoever sends looks at it at once, and not in a minute. */
static void
wake_sender(const struct invocation *in)
{
	struct buf reply = BUF_INIT(4096);
	struct mt_error err;

	/* nobody may be there */
	(void)!control_ask(in->control_path, "{\"type\":\"outbox_request\"}",
	    &reply, deadline_in_ms(WAKE_MS), &err);
	buf_done(&reply);
}

static enum mt_status
act(struct invocation *in, struct operations *operations,
    struct json_object **ret_report, struct mt_error *err)
{
	const char *action = in->arguments[0];
	long entry = 0;
	enum mt_status status;

	if (is_listing(in))
		return operations_queue_list(operations, ret_report, err);
	(void)settings_number(in->arguments[1], 1, LONG_MAX, &entry);
	status = find_call(action)(operations, entry, ret_report, err);
	if (status == MT_OK && strcmp(action, "retry") == 0)
		wake_sender(in);
	return status;
}

/* People read a table, programs JSON. */
static void
print(const struct invocation *in, struct json_object *report)
{
	if (in->json || !is_listing(in) || !isatty(STDOUT_FILENO)) {
		command_print(report);
		return;
	}
	queue_table_print(report, stdout);
	json_object_put(report);
}

int
command_queue(struct invocation *in)
{
	return command_operate(in, act, print);
}
