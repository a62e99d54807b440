/* SPDX-License-Identifier: ISC */
/*
 * mailtoken: the command of people and scripts.  It finds the token helper,
 * asks it, and shows the answer; it holds no refresh token and no client
 * secret, and speaks no HTTP but with the browser of a login.  Under its other
 * name it is a credential helper of git.
 */
#include "base/log.h"
#include "command.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {&cmd_doctor, &cmd_get,
    &cmd_list, &cmd_login, &cmd_logout, &cmd_providers, &cmd_refresh,
    &cmd_reject, &cmd_reload, &cmd_status, &cmd_test, &cmd_unlock};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

struct global_options {
	const char *socket;
	const char *config;
	bool verbose;
	bool help;
	bool version;
};

static void
print_help(const struct command *only)
{
	if (only) {
		printf("usage: %s [-v] [--socket PATH] [--config FILE] %s\n",
		    only->name, only->arguments);
		return;
	}
	printf("usage: mailtoken [-v] [--socket PATH] [--config FILE] "
	       "COMMAND ...\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %s %s\n      %s\n", commands[i]->name,
		    commands[i]->arguments, commands[i]->help);
	printf(
	    "\n"
	    "  -v, --verbose   say which helpers are asked\n"
	    "  --socket PATH   ask the helper that listens there\n"
	    "  --config FILE   settings for a helper that has to be started\n"
	    "  --help, --version\n");
}

static enum mt_status
read_options(
    int argc, char **argv, struct global_options *options, struct mt_error *err)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"socket", required_argument, NULL, 's'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	/* '+': what follows the command is the command's */
	while ((c = getopt_long(argc, argv, "+hv", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 'h':
			options->help = true;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			options->version = true;
			break;
		default:
			return mt_fail(err, MT_USAGE,
			    "unknown option, or one that lacks its value: %s",
			    argv[optind - 1]);
		}
	}
	return MT_OK;
}

/* The name that the program was called by decides, if it is that of one. */
static const struct command *
other_program(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, git_helper.name) == 0
		   ? &git_helper
		   : NULL;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* The one place that says what went wrong. */
static int
report(const struct mt_error *err, const struct command *command,
    const char *account)
{
	struct buf line = BUF_INIT(REPORT_MAX);

	report_write(&line, err, account);
	log_error("%s", buf_text(&line));
	buf_done(&line);
	if (err->status == MT_USAGE && command == &git_helper)
		log_info("usage: %s %s", command->name, command->arguments);
	else if (err->status == MT_USAGE && command)
		log_info("usage: mailtoken %s %s", command->name,
		    command->arguments);
	else if (err->status == MT_USAGE)
		log_info("for the list of commands, run: mailtoken --help");
	return mt_exit_code(err->status);
}

static int
run_command(const struct command *command, int argc, char **argv,
    const struct global_options *options)
{
	struct invocation in = {.argc = argc, .argv = argv};
	struct mt_error err = {0};
	enum mt_status status;

	helper_init(&in.helper, options->socket, options->config);
	optind = 0; /* starts getopt_long(3) afresh */
	status = command->run(&in, &err);
	status = helper_done(&in.helper, status, &err);
	if (status == MT_OK && fflush(stdout))
		status = mt_fail_errno(&err, MT_RETRY_LATER, errno,
		    "cannot write to standard output");
	return status == MT_OK ? mt_exit_code(status)
			       : report(&err, command, in.account);
}

/* A descriptor that is opened later must not become one of these. */
static void
open_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(mt_exit_code(MT_RETRY_LATER));
}

int
main(int argc, char **argv)
{
	struct global_options options = {0};
	const struct command *command = argc ? other_program(argv[0]) : NULL;
	const char *name = command ? command->name : "mailtoken";
	struct mt_error err = {0};

	open_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	secret_protect_process();
	opterr = 0;
	if (read_options(argc, argv, &options, &err) != MT_OK)
		return report(&err, command, NULL);
	log_init(name, options.verbose);
	if (options.help) {
		print_help(command);
		return mt_exit_code(MT_OK);
	}
	if (options.version) {
		printf("%s %s\n", name, MT_VERSION);
		return mt_exit_code(MT_OK);
	}
	if (optind == argc) {
		mt_fail(&err, MT_USAGE, "which command?");
		return report(&err, command, NULL);
	}
	if (!command)
		command = find_command(argv[optind]);
	if (!command) {
		mt_fail(
		    &err, MT_USAGE, "there is no command '%s'", argv[optind]);
		return report(&err, NULL, NULL);
	}
	return run_command(command, argc - optind, argv + optind, &options);
}
