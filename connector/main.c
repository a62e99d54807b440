/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-connector: options, settings, one operation (mailtoken-connector
 * (8)).  Messages for people go to standard error; each operation but `run`
 * prints one JSON line on standard output.
 */
#include "base/log.h"
#include "base/secret.h"
#include "command.h"
#include "control_line.h"
#include "places.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SECRET_ARENA_SIZE (1024 * 1024)

static const char not_configured[] =
    "email not configured (TRI_ONYX_IMAP_HOST not set)";

static const struct command commands[] = {
    {"run", "", "receive and send until SIGTERM", NULL, 0, 0, 0, command_run},
    {"poll", " --once", "receive and send once", "poll_response", COMMAND_ONCE,
	0, 0, command_poll},
    {"send", " [-a ACCOUNT] [--request-id ID] FILE|-",
	"queue a draft and send it", "send_email_response",
	COMMAND_ACCOUNT | COMMAND_REQUEST_ID, 1, 1, command_send},
    {"save-draft", " [-a ACCOUNT] [--request-id ID] FILE|-",
	"file a draft in the server's Drafts", "save_draft_response",
	COMMAND_ACCOUNT | COMMAND_REQUEST_ID, 1, 1, command_save_draft},
    {"move", " [-a ACCOUNT] UID FROM TO", "move a message to another folder",
	"move_email_response", COMMAND_ACCOUNT, 3, 3, command_move},
    {"create-folder", " [-a ACCOUNT] NAME", "make a folder",
	"create_folder_response", COMMAND_ACCOUNT, 1, 1, command_create_folder},
    {"queue", " [-a ACCOUNT] [--json] [list | show ID | retry ID | drop ID]",
	"what was sent and what waits", "queue_response",
	COMMAND_ACCOUNT | COMMAND_JSON, 0, 2, command_queue},
    {"status", "", "ask the running connector how it is", "status_response", 0,
	0, 0, command_status},
    {"check", "", "verify the settings and log in to both servers",
	"check_response", 0, 0, 0, command_check},
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

/* The value of an option, which is left at *arguments. */
static bool
take_value(char ***arguments, const char **ret_value)
{
	if (*ret_value || !(*arguments)[1])
		return false;
	*ret_value = *++*arguments;
	return true;
}

/* One of those that the command takes. */
static bool
take_option(struct invocation *in, char ***arguments)
{
	unsigned allowed = in->command->options;
	const char *option = **arguments;

	if (allowed & COMMAND_ACCOUNT && strcmp(option, "-a") == 0)
		return take_value(arguments, &in->account);
	if (allowed & COMMAND_REQUEST_ID && strcmp(option, "--request-id") == 0)
		return take_value(arguments, &in->request_id) &&
		       control_is_request_id(in->request_id);
	if (allowed & COMMAND_JSON && strcmp(option, "--json") == 0)
		return in->json = true;
	if (allowed & COMMAND_ONCE && strcmp(option, "--once") == 0)
		return in->once = true;
	return false;
}

/* Each takes what its line in the table says. */
static bool
take_arguments(struct invocation *in, char **arguments)
{
	const struct command *command = in->command;

	for (; *arguments && **arguments == '-' && (*arguments)[1];
	     arguments++) {
		if (strcmp(*arguments, "--") == 0) {
			arguments++;
			break;
		}
		if (!take_option(in, &arguments))
			return false;
	}
	in->arguments = arguments;
	while (arguments[in->argument_count])
		in->argument_count++;
	return in->argument_count >= command->arguments_min &&
	       in->argument_count <= command->arguments_max &&
	       (in->once || !(command->options & COMMAND_ONCE)) &&
	       (command->run != command_queue || command_queue_fits(in));
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
		return command_fail(in, &err);
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
	if (!in.command || !take_arguments(&in, arguments + 1)) {
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
