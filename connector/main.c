/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-connector: options, settings, one operation (mailtoken-connector
 * (8)).  Messages for people go to standard error; each operation but `run`
 * prints one JSON line on standard output.
 */
#include "accounts.h"
#include "announce.h"
#include "base/log.h"
#include "base/secret.h"
#include "config.h"
#include "control.h"
#include "operations.h"
#include "outbound/send.h"
#include "places.h"
#include "report.h"
#include "resources.h"
#include "run.h"
#include "service.h"
#include "state/state.h"

#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_ARENA_SIZE (1024 * 1024)
#define POLL_WAIT_MS 600000 /* for a poll of the running connector */
#define POLL_LOCK_MS 60000  /* for who has the lock and does not listen */
#define POLL_LOOK_MS 20
#define HAND_ON_MS 60000 /* for what a single poll has received */
#define GRACE_MS 5000    /* for what is then under way */

struct invocation;

struct command {
	const char *name;
	const char *arguments; /* for people */
	const char *help;
	const char *type; /* of its answer; NULL: it has none */
	int (*run)(struct invocation *in);
};

/* What each command gets: everything up to the settings is done. */
struct invocation {
	const struct command *command;
	struct config config;
	char control_path[PATH_MAX];
	char **arguments; /* ended by NULL */
	struct secret_arena *arena;
	bool secrets_locked;
	struct resources resources;
	struct accounts *accounts;
};

static const char not_configured[] =
    "email not configured (TRI_ONYX_IMAP_HOST not set)";

static void
print_report(struct json_object *report)
{
	if (puts(json_object_to_json_string_ext(report,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 ||
	    fflush(stdout))
		log_error("cannot write the answer to standard output");
	json_object_put(report);
}

/* The answer of a command that did not get as far as an operation. */
static int
fail(const struct invocation *in, const struct mt_error *err)
{
	struct json_object *report = json_object_new_object();

	log_error("%s", err->text);
	report_add_text(report, "type", in->command->type);
	report_add_outcome(report, err->status, err, "");
	print_report(report);
	return mt_exit_code(err->status);
}

/* Everything that operations need; close_all() in any case. */
static enum mt_status
open_all(struct invocation *in, struct mt_error *err)
{
	enum mt_status status =
	    resources_open(&in->resources, &in->config, err);

	if (status == MT_OK)
		status = accounts_open(
		    &in->accounts, &in->config, &in->resources, in->arena, err);
	return status;
}

/* Of the deliverer, before close_all; ends the process where a thread cannot be
 * ended. */
static void
end_handing_on(struct invocation *in, int code)
{
	if (!announcer_close(&in->resources.announcer, GRACE_MS))
		_exit(code);
}

static void
close_all(struct invocation *in)
{
	accounts_close(&in->accounts);
	resources_close(&in->resources);
}

/* Becomes the one process that delivers, and finishes what the last one left. */
static enum mt_status
become_deliverer(struct invocation *in, struct mt_error *err)
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

/* The account that sends and answers alone: the environment's. */
static enum mt_status
find_operations(const struct invocation *in, struct operations **ret_operations,
    struct mt_error *err)
{
	if (!in->config.imap_host)
		return mt_fail(err, MT_BAD_CONFIG, "%s", not_configured);
	*ret_operations = account_operations(accounts_next(in->accounts, NULL));
	return MT_OK;
}

/* ---- run ---- */

static int
command_run(struct invocation *in)
{
	struct run_settings run = {
	    .config = &in->config,
	    .resources = &in->resources,
	    .control_path = in->control_path,
	};
	struct mt_error err;
	enum mt_status status;
	bool left = false;

	service_hold_signals(true);
	if (!in->secrets_locked)
		log_info("secrets are kept out of core dumps but may be "
			 "swapped out: RLIMIT_MEMLOCK is too low");
	status = open_all(in, &err);
	if (status == MT_OK)
		status = become_deliverer(in, &err);
	run.accounts = in->accounts;
	if (status == MT_OK)
		status = run_service(&run, &left, &err);
	if (status == MT_OK)
		status = announcer_trouble(in->resources.announcer, &err);
	if (left) {
		log_warning("ending in the middle of something that takes too "
			    "long; nothing is lost by it");
		_exit(mt_exit_code(status));
	}
	end_handing_on(in, mt_exit_code(status));
	close_all(in);
	if (status != MT_OK)
		log_error("%s", err.text);
	return mt_exit_code(status);
}

/* ---- poll ---- */

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
	print_report(report);
	if (!code && announcer_trouble(in->resources.announcer, &err) != MT_OK)
		code = mt_exit_code(err.status);
	return code;
}

/* Has the running connector answer; the answer is printed. */
static enum mt_status
ask_running(const struct invocation *in, const char *request, int *ret_code,
    struct mt_error *err)
{
	struct buf reply = BUF_INIT(CONTROL_REPLY_MAX);
	struct json_object *report = NULL, *code;
	enum mt_status status = control_ask(in->control_path, request, &reply,
	    deadline_in_ms(POLL_WAIT_MS), err);

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
		print_report(report);
	else
		json_object_put(report);
	return status;
}

/*
 * Polls, or has it done by the process that delivers from this state.  Who has
 * the lock without listening is about to begin or to end, or polls once itself:
 * then it is our turn soon.
 */
static enum mt_status
poll_or_ask(struct invocation *in, int *ret_code, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(POLL_LOCK_MS);
	struct mt_error why;
	enum mt_status status;

	for (;;) {
		status = become_deliverer(in, err);
		if (status == MT_OK)
			*ret_code = poll_now(in);
		if (status != MT_RETRY_LATER)
			return status;
		status = ask_running(
		    in, "{\"type\":\"poll_request\"}", ret_code, &why);
		if (status == MT_OK)
			return MT_OK;
		if (status != MT_UNREACHABLE) {
			*err = why;
			return status;
		}
		if (deadline_passed(deadline))
			return MT_RETRY_LATER; /* says who has the lock */
		poll(NULL, 0, POLL_LOOK_MS);
	}
}

static int
command_poll(struct invocation *in)
{
	struct mt_error err;
	int code = 0;
	enum mt_status status = open_all(in, &err);

	if (status == MT_OK)
		status = poll_or_ask(in, &code, &err);
	end_handing_on(in, status == MT_OK ? code : mt_exit_code(status));
	close_all(in);
	return status == MT_OK ? code : fail(in, &err);
}

/* ---- the others ---- */

static int
command_status(struct invocation *in)
{
	struct mt_error err;
	int code = 0;
	enum mt_status status =
	    ask_running(in, "{\"type\":\"status_request\"}", &code, &err);

	return status == MT_OK ? code : fail(in, &err);
}

static int
command_send(struct invocation *in)
{
	const struct send_request request = {
	    .draft = {.path = in->arguments[0], .agent_dir = -1},
	};
	struct operations *operations = NULL;
	struct json_object *report = NULL;
	struct mt_error err;
	enum mt_status status = open_all(in, &err);

	if (status == MT_OK)
		status = find_operations(in, &operations, &err);
	if (status != MT_OK) {
		close_all(in);
		return fail(in, &err);
	}
	status = operations_send(
	    operations, &request, in->control_path, &report, &err);
	close_all(in);
	if (status != MT_OK)
		log_error("%s", err.text);
	print_report(report);
	return mt_exit_code(status);
}

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
		print_report(json_object_get(report));
	} else {
		all = json_object_new_object();
		report_add_text(all, "type", in->command->type);
		json_object_object_add(
		    all, "success", json_object_new_boolean(worst == MT_OK));
		json_object_object_add(
		    all, "accounts", json_object_get(reports));
		print_report(all);
	}
	json_object_put(reports);
	return mt_exit_code(worst);
}

static int
command_check(struct invocation *in)
{
	struct mt_error err;
	enum mt_status status = open_all(in, &err);
	int code = status == MT_OK ? check_accounts(in) : fail(in, &err);

	close_all(in);
	return code;
}

/* ---- the program ------------------------------------------------------------ */

static const struct command commands[] = {
    {"run", "", "receive and send until SIGTERM", NULL, command_run},
    {"poll", " --once", "receive and send once", "poll_response", command_poll},
    {"send", " FILE|-", "queue a draft and send it", "send_email_response",
	command_send},
    {"status", "", "ask the running connector how it is", "status_response",
	command_status},
    {"check", "", "verify the settings and log in to both servers",
	"check_response", command_check},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static void
print_usage(FILE *out)
{
	fputs("usage: mailtoken-connector [-v] COMMAND\n\nCommands:\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %s%s\n      %s\n", commands[i].name,
		    commands[i].arguments, commands[i].help);
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Each takes what its line in the table says: nothing, "--once", or one. */
static bool
arguments_fit(const struct invocation *in)
{
	const char *first = in->arguments[0];

	if (!*in->command->arguments || !first)
		return !*in->command->arguments && !first;
	if (in->arguments[1])
		return false;
	return in->command->run != command_poll || strcmp(first, "--once") == 0;
}

static enum mt_status
prepare(struct invocation *in, struct mt_error *err)
{
	enum mt_status status;

	if (!in->config.imap_host && !in->config.accounts_dir)
		return mt_fail(err, MT_BAD_CONFIG, "%s", not_configured);
	status = places_prepare(&in->config, err);
	if (status == MT_OK &&
	    snprintf(in->control_path, sizeof(in->control_path), "%s/control",
		in->config.state_dir) >= (int)sizeof(in->control_path))
		status = mt_fail(err, MT_BAD_CONFIG, "path too long: %s",
		    in->config.state_dir);
	return status;
}

static int
run_command(struct invocation *in)
{
	struct mt_error err;
	enum mt_status status = config_read(&in->config, &err);
	bool has_answer = in->command->type != NULL;

	if (status == MT_OK && !in->config.imap_host &&
	    !in->config.accounts_dir && !has_answer) {
		log_info("%s", not_configured);
		return mt_exit_code(MT_OK);
	}
	if (status == MT_OK)
		status = prepare(in, &err);
	if (status == MT_OK) {
		if (in->config.imap_host)
			config_log_warnings(&in->config);
		return in->command->run(in);
	}
	if (has_answer)
		return fail(in, &err);
	log_error("%s", err.text);
	return mt_exit_code(status);
}

/* Options; the command's arguments are left at *arguments.  -1: go on. */
static int
take_options(char **arguments[], bool *ret_verbose)
{
	for (; **arguments && ***arguments == '-'; ++*arguments) {
		const char *option = **arguments;

		if (strcmp(option, "-v") == 0) {
			*ret_verbose = true;
		} else if (strcmp(option, "--help") == 0) {
			print_usage(stdout);
			puts("\nEnvironment:");
			config_print_help(stdout);
			return mt_exit_code(MT_OK);
		} else if (strcmp(option, "--version") == 0) {
			puts("mailtoken-connector " MT_VERSION);
			return mt_exit_code(MT_OK);
		} else {
			print_usage(stderr);
			return mt_exit_code(MT_USAGE);
		}
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct invocation in = {0};
	bool verbose = false;
	char **arguments = argv + (argc > 0);
	int code = take_options(&arguments, &verbose);

	if (code >= 0)
		return code;
	in.command = *arguments ? find_command(*arguments) : NULL;
	in.arguments = arguments + 1;
	if (!in.command || !arguments_fit(&in)) {
		print_usage(stderr);
		return mt_exit_code(MT_USAGE);
	}
	log_init("mailtoken-connector", verbose);
	secret_protect_process();
	signal(SIGPIPE, SIG_IGN);
	in.arena = secret_arena_new(SECRET_ARENA_SIZE, &in.secrets_locked);
	if (!in.arena) {
		log_error("no memory for secrets");
		return mt_exit_code(MT_NO_MEMORY);
	}
	config_init(&in.config, in.arena);
	code = run_command(&in);
	config_done(&in.config);
	secret_arena_free(&in.arena);
	return code;
}
