/* SPDX-License-Identifier: ISC */
/* Shows accounts: all that the helpers know, or one in detail. */
#include "account_walk.h"

#include "base/log.h"
#include "status_view.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTPUT_MAX (64 * 1024 * 1024)

struct report {
	bool json;
	struct status_row *rows; /* without json */
	size_t count;
	struct buf text; /* with json: the members of the array */
};

static void
report_done(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		status_row_done(&report->rows[i]);
	free(report->rows);
	buf_done(&report->text);
}

static enum mt_status
add_json(struct report *report, const struct token_wire_message *reply,
    struct mt_error *err)
{
	const char *json = token_wire_get(reply, "json");

	if (!json)
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer lacks a field");
	buf_add_text(&report->text, report->text.len ? ",\n" : "");
	buf_add_text(&report->text, json);
	return MT_OK;
}

static enum mt_status
add_row(struct report *report, const char *account,
    const struct token_wire_message *reply, struct mt_error *err)
{
	struct status_row *rows =
	    reallocarray(report->rows, report->count + 1, sizeof(*rows));

	if (!rows)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a status");
	report->rows = rows;
	return status_row_read(&rows[report->count], account, reply, err) ==
		       MT_OK
		   ? (report->count++, MT_OK)
		   : MT_NO_MEMORY;
}

static enum mt_status
add_account(struct invocation *in, const char *account, void *context,
    struct mt_error *err)
{
	struct report *report = context;
	struct token_wire_message reply;
	enum mt_status status =
	    command_ask_status(in, account, report->json, &reply, err);

	if (status != MT_OK)
		return status;
	return report->json ? add_json(report, &reply, err)
			    : add_row(report, account, &reply, err);
}

static enum mt_status
add_all(struct invocation *in, struct report *report, struct mt_error *err)
{
	return account_walk(in, add_account, report, err);
}

static enum mt_status
add_one(struct invocation *in, struct report *report, struct mt_error *err)
{
	enum mt_status status = helper_find(
	    &in->helper, in->account, deadline_in_ms(HELPER_CALL_MS), err);

	return status == MT_OK ? add_account(in, in->account, report, err)
			       : status;
}

static enum mt_status
print(const struct invocation *in, struct report *report, struct mt_error *err)
{
	struct buf *text = &report->text;

	if (report->json) {
		if (buf_ok(text))
			printf("[%s]\n", buf_text(text));
	} else if (in->account) {
		status_view_detail(text, report->rows);
	} else if (report->count) {
		status_view_table(text, report->rows, report->count);
	} else {
		log_info("no account is configured that this user may manage; "
			 "mailtoken.conf(5) says how");
	}
	if (!buf_ok(text))
		return mt_fail(err, MT_NO_MEMORY, "too many accounts");
	if (!report->json)
		fputs(buf_text(text), stdout);
	return MT_OK;
}

static enum mt_status
read_options(struct invocation *in, bool *ret_json, struct mt_error *err)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c != 'j')
			return command_bad_option(in, err);
		*ret_json = true;
	}
	return optind == in->argc ? MT_OK : command_take_account(in, err);
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct report report = {.text = BUF_INIT(OUTPUT_MAX)};
	enum mt_status status = read_options(in, &report.json, err);

	if (status == MT_OK)
		status = in->account ? add_one(in, &report, err)
				     : add_all(in, &report, err);
	if (status == MT_OK)
		status = print(in, &report, err);
	report_done(&report);
	return status;
}

const struct command cmd_status = {
    .name = "status",
    .arguments = "[ACCOUNT] [--json]",
    .help = "show accounts and what ails them",
    .run = run,
};
