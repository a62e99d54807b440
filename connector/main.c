/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-connector: options, settings, one operation (mailtoken-connector
 * (8)).  Messages for people go to standard error; each operation but `run`
 * prints one JSON line on standard output.
 */
#include "base/log.h"
#include "base/secret.h"
#include "config.h"
#include "control.h"
#include "operations.h"
#include "places.h"
#include "service.h"

#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_ARENA_SIZE (1024 * 1024)
#define POLL_WAIT_MS 600000 /* for a poll of the running connector */

/* What each command gets: everything up to the settings is done. */
struct invocation {
	struct config config;
	char control_path[PATH_MAX];
	char **arguments; /* ended by NULL */
	bool secrets_locked;
};

static const char not_configured[] =
    "email not configured (TRI_ONYX_IMAP_HOST not set)";

static void
print_report(struct json_object *report)
{
	puts(json_object_to_json_string_ext(
	    report, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(report);
}

/* The answer of an operation that did not get as far as giving one. */
static struct json_object *
failure_report(const struct mt_error *err)
{
	struct json_object *report = json_object_new_object();

	json_object_object_add(report, "success", json_object_new_boolean(0));
	json_object_object_add(
	    report, "detail", json_object_new_string(err->text));
	return report;
}

/* Prints and logs the outcome of a command; its exit code. */
static int
finish(enum mt_status status, struct json_object *report,
    const struct mt_error *err)
{
	if (status != MT_OK)
		log_error("%s", err->text);
	print_report(report ? report : failure_report(err));
	return mt_exit_code(status);
}

/* ---- run ------------------------------------------------------------------ */

static enum mt_status
poll_for_service(
    void *context, struct json_object **ret_report, struct mt_error *err)
{
	return operations_poll(context, ret_report, err);
}

static void
abort_for_service(void *context)
{
	operations_abort(context);
}

static enum mt_status
serve(const struct invocation *in, struct operations *operations,
    struct mt_error *err)
{
	const struct service_settings settings = {
	    .control_path = in->control_path,
	    .poll_interval_ms = in->config.poll_interval_ms,
	    .helper = operations_helper(operations),
	};
	const struct service_work work = {
	    .context = operations,
	    .poll = poll_for_service,
	    .abort = abort_for_service,
	};
	enum mt_status status = operations_lock(operations, err);

	return status == MT_OK ? service_run(&settings, &work, err) : status;
}

static int
command_run(struct invocation *in)
{
	struct operations *operations = NULL;
	struct mt_error err;
	enum mt_status status;

	config_log_warnings(&in->config);
	if (!in->secrets_locked)
		log_info("secrets are kept out of core dumps but may be "
			 "swapped out: RLIMIT_MEMLOCK is too low");
	status = operations_open(&operations, &in->config, &err);
	if (status == MT_OK)
		status = serve(in, operations, &err);
	operations_close(&operations);
	if (status != MT_OK)
		log_error("%s", err.text);
	return mt_exit_code(status);
}

/* ---- poll ----------------------------------------------------------------- */

/* Another process delivers from this state: it shall poll. */
static int
ask_running(const struct invocation *in)
{
	struct buf reply = BUF_INIT(CONTROL_LINE_MAX);
	struct mt_error err;
	struct json_object *report = NULL, *exit_code;
	int code;
	enum mt_status status =
	    control_ask(in->control_path, "{\"type\":\"poll_request\"}", &reply,
		deadline_in_ms(POLL_WAIT_MS), &err);

	if (status == MT_OK) {
		report = json_tokener_parse(buf_text(&reply));
		if (!json_object_object_get_ex(report, "exit_code", &exit_code))
			status = mt_fail(&err, MT_RETRY_LATER,
			    "the running connector gave no answer that makes "
			    "sense");
	}
	buf_done(&reply);
	if (status != MT_OK) {
		json_object_put(report);
		return finish(status, NULL, &err);
	}
	code = json_object_get_int(exit_code);
	print_report(report);
	return code;
}

static int
command_poll(struct invocation *in)
{
	struct operations *operations = NULL;
	struct json_object *report = NULL;
	struct mt_error err;
	enum mt_status status;

	if (!in->arguments[0] || strcmp(in->arguments[0], "--once") != 0 ||
	    in->arguments[1]) {
		fputs("usage: mailtoken-connector poll --once\n", stderr);
		return mt_exit_code(MT_USAGE);
	}
	status = operations_open(&operations, &in->config, &err);
	if (status == MT_OK) {
		status = operations_lock(operations, &err);
		if (status == MT_RETRY_LATER) {
			operations_close(&operations);
			return ask_running(in);
		}
	}
	if (status == MT_OK)
		status = operations_poll(operations, &report, &err);
	operations_close(&operations);
	return finish(status, report, &err);
}

/* ---- send and check --------------------------------------------------------- */

static int
command_send(struct invocation *in)
{
	struct operations *operations = NULL;
	struct json_object *report = NULL;
	struct mt_error err;
	enum mt_status status;

	if (!in->arguments[0] || in->arguments[1]) {
		fputs("usage: mailtoken-connector send FILE|-\n", stderr);
		return mt_exit_code(MT_USAGE);
	}
	status = operations_open(&operations, &in->config, &err);
	if (status == MT_OK)
		status = operations_send(
		    operations, in->arguments[0], &report, &err);
	operations_close(&operations);
	return finish(status, report, &err);
}

static int
command_check(struct invocation *in)
{
	struct operations *operations = NULL;
	struct json_object *report = NULL;
	struct mt_error err;
	enum mt_status status;

	config_log_warnings(&in->config);
	status = operations_open(&operations, &in->config, &err);
	if (status != MT_OK)
		return finish(status, NULL, &err);
	/* which logs what it finds, server by server */
	status = operations_check(operations, &report, &err);
	operations_close(&operations);
	print_report(report);
	return mt_exit_code(status);
}

/* ---- the program ------------------------------------------------------------ */

static const struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(struct invocation *in);
	bool idle_without_host; /* not configured is no failure */
} commands[] = {
    {"run", "", "receive and send until SIGTERM", command_run, true},
    {"poll", " --once", "receive and send once", command_poll, false},
    {"send", " FILE|-", "queue a draft and send it", command_send, false},
    {"check", "", "verify the settings and log in to both servers",
	command_check, false},
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

static int
run_command(const struct command *command, struct invocation *in)
{
	struct mt_error err;
	enum mt_status status = config_read(&in->config, &err);

	if (status == MT_OK && !in->config.imap_host) {
		if (command->idle_without_host) {
			log_info("%s", not_configured);
			return mt_exit_code(MT_OK);
		}
		status = mt_fail(&err, MT_BAD_CONFIG, "%s", not_configured);
	}
	if (status == MT_OK)
		status = places_prepare(&in->config, &err);
	if (status == MT_OK &&
	    snprintf(in->control_path, sizeof(in->control_path), "%s/control",
		in->config.state_dir) >= (int)sizeof(in->control_path))
		status = mt_fail(&err, MT_BAD_CONFIG, "path too long: %s",
		    in->config.state_dir);
	if (status == MT_OK)
		return command->run(in);
	if (!command->idle_without_host)
		return finish(status, NULL, &err);
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
	const struct command *command;
	struct secret_arena *arena;
	bool verbose = false;
	char **arguments = argv + (argc > 0);
	int code = take_options(&arguments, &verbose);

	if (code >= 0)
		return code;
	command = *arguments ? find_command(*arguments++) : NULL;
	if (!command) {
		print_usage(stderr);
		return mt_exit_code(MT_USAGE);
	}
	log_init("mailtoken-connector", verbose);
	secret_protect_process();
	signal(SIGPIPE, SIG_IGN);
	arena = secret_arena_new(SECRET_ARENA_SIZE, &in.secrets_locked);
	if (!arena) {
		log_error("no memory for secrets");
		return mt_exit_code(MT_NO_MEMORY);
	}
	config_init(&in.config, arena);
	in.arguments = arguments;
	code = run_command(command, &in);
	config_done(&in.config);
	secret_arena_free(&arena);
	return code;
}
