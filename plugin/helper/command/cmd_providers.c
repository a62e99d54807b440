/* SPDX-License-Identifier: ISC */
/* Lists the providers that an account's settings can name. */
#include "command.h"

#include "base/buf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX (1024 * 1024)
#define COLUMNS 5

/* `name` NULL: the names of all. */
static enum mt_status
ask(struct invocation *in, const char *name, bool json,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	const struct question providers = {"providers", "provider", name, json};

	return command_ask(in, &providers, ret_reply, err);
}

static const char *
field(const struct token_wire_message *reply, const char *name)
{
	const char *value = token_wire_get(reply, name);

	return value ? value : "-";
}

static const char *
ways_to_log_in(const struct token_wire_message *reply)
{
	bool device = token_wire_get(reply, "device_authorization_endpoint");

	if (!token_wire_get(reply, "authorization_endpoint"))
		return device ? "device" : "-";
	return device ? "browser, device" : "browser";
}

static void
add_row(struct buf *out, const char *const cells[COLUMNS])
{
	static const int widths[COLUMNS] = {-16, -16, -22, -22, 0};

	for (size_t i = 0; i < COLUMNS; i++) {
		struct buf cell = BUF_INIT(OUTPUT_MAX);
		size_t len = strlen(cells[i]);

		buf_add_printable(&cell, cells[i], len, len);
		buf_add_format(out, "%*s%s", widths[i], buf_text(&cell),
		    i + 1 < COLUMNS ? " " : "\n");
		buf_done(&cell);
	}
}

static void
add_provider(struct buf *out, const char *name, bool json,
    const struct token_wire_message *reply)
{
	const char *const cells[COLUMNS] = {name, ways_to_log_in(reply),
	    field(reply, "imap_host"), field(reply, "smtp_host"),
	    field(reply, "mechanisms")};

	if (json)
		buf_add_format(
		    out, "%s%s", out->len ? ",\n" : "", field(reply, "json"));
	else
		add_row(out, cells);
}

static enum mt_status
add_all(struct invocation *in, bool json, struct buf *out, struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status = ask(in, NULL, false, &reply, err);
	char *names, *rest, *name;

	if (status != MT_OK)
		return status;
	/* the reply's memory is needed for the next */
	rest = names = strdup(field(&reply, "providers"));
	if (!names)
		return mt_fail(err, MT_NO_MEMORY, "no memory for names");
	while (status == MT_OK && (name = strsep(&rest, " "))) {
		status = ask(in, name, json, &reply, err);
		if (status == MT_OK)
			add_provider(out, name, json, &reply);
	}
	free(names);
	return status;
}

static enum mt_status
print_all(struct invocation *in, bool json, struct mt_error *err)
{
	static const char *const head[COLUMNS] = {
	    "PROVIDER", "LOGIN", "IMAP", "SMTP", "MECHANISMS"};
	struct buf out = BUF_INIT(OUTPUT_MAX);
	enum mt_status status;

	if (!json)
		add_row(&out, head);
	status = add_all(in, json, &out, err);
	if (status == MT_OK && !buf_ok(&out))
		status = mt_fail(err, MT_NO_MEMORY, "too many providers");
	if (status == MT_OK)
		printf(json ? "[%s]\n" : "%s", buf_text(&out));
	buf_done(&out);
	return status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0},
	};
	bool json = false;
	enum mt_status status;
	int c;

	while ((c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c != 'j')
			return command_bad_option(in, err);
		json = true;
	}
	if (optind != in->argc)
		return mt_fail(
		    err, MT_USAGE, "%s takes no argument", in->argv[0]);
	status = helper_next(&in->helper, deadline_in_ms(HELPER_CALL_MS), err);
	return status == MT_OK ? print_all(in, json, err) : status;
}

const struct command cmd_providers = {
    .name = "providers",
    .arguments = "[--json]",
    .help = "list the providers that settings can name",
    .run = run,
};
