/* SPDX-License-Identifier: ISC */
/* Logs a person in: with a browser, here or on another machine, or by a code. */
#include "command.h"

#include "browser.h"
#include "emit_file.h"
#include "login.h"

#include "base/log.h"
#include "tokensock/token_admin.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOGIN_MS (10 * 60 * 1000)

struct login_options {
	const char *emit;
	const char *redirect_host; /* NULL: as the account says */
	long port;                 /* 0: as the account says, or any */
	bool no_browser;
	bool device;
	const char *token_file; /* "-": standard input */
};

struct redirect {
	char host[64];
	long port; /* 0: any */
};

static enum mt_status
check_redirect_host(const char *host, struct mt_error *err)
{
	if (strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0)
		return MT_OK;
	return mt_fail(
	    err, MT_USAGE, "--redirect-host takes localhost or 127.0.0.1");
}

/* A code comes without a listener of ours, a token without a login at all. */
static enum mt_status
check_options(const struct invocation *in, const struct login_options *options,
    struct mt_error *err)
{
	if (options->device && (options->port || options->redirect_host))
		return mt_fail(err, MT_USAGE,
		    "%s: --device goes without --port and --redirect-host",
		    in->argv[0]);
	if (options->token_file &&
	    (options->device || options->emit || options->no_browser ||
		options->port || options->redirect_host))
		return mt_fail(err, MT_USAGE,
		    "%s: --refresh-token-file goes without any other option",
		    in->argv[0]);
	return MT_OK;
}

static enum mt_status
read_options(
    struct invocation *in, struct login_options *options, struct mt_error *err)
{
	static const struct option known[] = {
	    {"device", no_argument, NULL, 'd'},
	    {"emit", required_argument, NULL, 'e'},
	    {"no-browser", no_argument, NULL, 'n'},
	    {"port", required_argument, NULL, 'p'},
	    {"redirect-host", required_argument, NULL, 'r'},
	    {"refresh-token-file", required_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_status status = MT_OK;
	int c;

	while (status == MT_OK &&
	       (c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'd':
			options->device = true;
			break;
		case 'e':
			options->emit = optarg;
			break;
		case 'n':
			options->no_browser = true;
			break;
		case 'p':
			status = command_number(
			    "--port", optarg, 1, 65535, &options->port, err);
			break;
		case 'r':
			options->redirect_host = optarg;
			status = check_redirect_host(optarg, err);
			break;
		case 't':
			options->token_file = optarg;
			break;
		default:
			return command_bad_option(in, err);
		}
	}
	if (status == MT_OK)
		status = check_options(in, options, err);
	return status == MT_OK ? command_take_account(in, err) : status;
}

/* What the options leave open is as the application was registered: the spelling
 * of the redirect host, and the port. */
static enum mt_status
find_redirect(struct invocation *in, const struct login_options *options,
    struct redirect *ret_redirect, struct mt_error *err)
{
	struct token_wire_message reply;
	const char *host;
	enum mt_status status =
	    command_ask_status(in, in->account, false, &reply, err);

	if (status != MT_OK)
		return status;
	host = options->redirect_host ? options->redirect_host
				      : token_wire_get(&reply, "redirect_host");
	snprintf(ret_redirect->host, sizeof(ret_redirect->host), "%s",
	    host && *host ? host : "127.0.0.1");
	ret_redirect->port = options->port;
	if (!options->port)
		ret_redirect->port =
		    token_wire_number(&reply, "redirect_port", 65535, 0);
	return MT_OK;
}

/* The address goes to standard output, alone on its line, for scripts as well;
 * the words for the person go to standard error. */
static void
announce(const struct login *login, const struct login_options *options)
{
	char machine[256] = "";
	long port = listener_port(login->listener);

	fprintf(stderr,
	    !options->no_browser && browser_open(login->url)
		? "Log in to %s in the browser that has been opened, or at "
		  "this address:\n\n"
		: "To log in to %s, open this address in a browser:\n\n",
	    login->account);
	printf("%s\n", login->url);
	fflush(stdout);
	gethostname(machine, sizeof(machine) - 1);
	fprintf(stderr,
	    "\nIf the browser is on another machine, either run this there "
	    "first,\n\n"
	    "  ssh -N -L %ld:localhost:%ld %s\n\n"
	    "or log in, and paste here the address at which the browser ends "
	    "with an error\n(it begins with http:// and has code= in it).\n\n",
	    port, port, machine);
}

/* As announce(): what a script needs is on lines of its own. */
static void
announce_code(const struct login *login)
{
	fprintf(stderr,
	    "To log in to %s, open this address in a browser on any machine\n"
	    "within %ld minutes:\n\n",
	    login->account, (login->lifetime_s + 59) / 60);
	printf("%s\n", login->url);
	fflush(stdout);
	fprintf(stderr, "\nand enter this code there:\n\n");
	printf("%s\n", login->code);
	fflush(stdout);
	if (login->whole_url) {
		fprintf(stderr, "\nor open this one, which has the code in "
				"it:\n\n");
		printf("%s\n", login->whole_url);
		fflush(stdout);
	}
	fprintf(stderr, "\n");
}

static enum mt_status
log_in_by_code(struct login *login, struct mt_error *err)
{
	enum mt_status status = login_begin_device(login, err);

	if (status != MT_OK)
		return status;
	announce_code(login);
	return login_wait_device(login, err);
}

static enum mt_status
log_in(struct invocation *in, struct login *login,
    const struct login_options *options, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(LOGIN_MS);
	struct redirect redirect;
	enum mt_status status = helper_find(
	    &in->helper, in->account, deadline_in_ms(HELPER_CALL_MS), err);

	if (status == MT_OK && options->device)
		return log_in_by_code(login, err);
	if (status == MT_OK)
		status = find_redirect(in, options, &redirect, err);
	if (status == MT_OK)
		status = login_begin(login, redirect.host, redirect.port, err);
	if (status != MT_OK)
		return status;
	announce(login, options);
	return login_wait(login, deadline, err);
}

/* What is in the file is the helper's to read. */
static enum mt_status
give_token(struct invocation *in, int fd, struct mt_error *err)
{
	struct token_client *client = &in->helper.client;
	struct token_wire_message reply;
	const char *user;
	enum mt_status status = helper_find(
	    &in->helper, in->account, deadline_in_ms(HELPER_CALL_MS), err);

	if (status != MT_OK)
		return status;
	token_wire_begin(&client->frame, "seed");
	token_wire_add(&client->frame, "account", in->account);
	token_wire_add(&client->frame, "prove", "1");
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	status = token_admin_call(
	    client, fd, &reply, deadline_in_ms(2 * HELPER_NETWORK_MS), err);
	if (status != MT_OK)
		return status;
	user = token_wire_get(&reply, "user");
	log_info("%s: the server takes the refresh token; logged in, for the "
		 "user %s",
	    in->account, user ? user : "");
	return MT_OK;
}

static enum mt_status
log_in_by_token(struct invocation *in, const char *path, struct mt_error *err)
{
	enum mt_status status;
	int fd;

	if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
		return mt_fail(err, MT_USAGE,
		    "the refresh token would be seen on the terminal; give it "
		    "by a pipe or a file");
	if (strcmp(path, "-") == 0)
		return give_token(in, STDIN_FILENO, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_INPUT, errno, "cannot open %s", path);
	status = give_token(in, fd, err);
	close(fd);
	return status;
}

static enum mt_status
log_in_by_person(struct invocation *in, const struct login_options *options,
    struct mt_error *err)
{
	struct emit_file emit = EMIT_FILE_NONE;
	struct login login;
	enum mt_status status;

	status = login_init(&login, &in->helper, in->account, err);
	if (status == MT_OK && options->emit)
		status = emit_file_create(&emit, options->emit, err);
	login.emit_fd = emit.fd;
	if (status == MT_OK)
		status = log_in(in, &login, options, err);
	login_done(&login);
	if (status == MT_OK && options->emit)
		status = emit_file_keep(&emit, err);
	emit_file_remove(&emit);
	return status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct login_options options = {0};
	enum mt_status status = read_options(in, &options, err);

	if (status != MT_OK)
		return status;
	return options.token_file ? log_in_by_token(in, options.token_file, err)
				  : log_in_by_person(in, &options, err);
}

const struct command cmd_login = {
    .name = "login",
    .arguments = "ACCOUNT [--device] [--emit FILE] [--no-browser] "
		 "[--redirect-host HOST] [--port PORT], or "
		 "ACCOUNT --refresh-token-file FILE",
    .help = "log in with a browser, or by a code in a browser elsewhere",
    .run = run,
};
