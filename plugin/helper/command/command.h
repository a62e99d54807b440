/* SPDX-License-Identifier: ISC */
/*
 * A sub-command of mailtoken: its table entry, what it is given, and the few
 * lines that all of them need for their arguments.  Each lives in a file of
 * its own, cmd_<name>.c; main.c has the table.
 */
#ifndef MT_COMMAND_COMMAND_H
#define MT_COMMAND_COMMAND_H

#include "base/status.h"
#include "helper.h"

struct invocation {
	struct helper helper; /* not yet connected */
	int argc;
	char **argv;         /* the command's own, argv[0] is its name */
	const char *account; /* set by the command, for the error text */
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	/* Prints its result on standard output, and nothing there when it
	 * fails, unless what it finds is the failure.  The error is main's to
	 * report. */
	enum mt_status (*run)(struct invocation *in, struct mt_error *err);
};

extern const struct command cmd_doctor;
extern const struct command cmd_get;
extern const struct command cmd_list;
extern const struct command cmd_login;
extern const struct command cmd_logout;
extern const struct command cmd_providers;
extern const struct command cmd_refresh;
extern const struct command cmd_reject;
extern const struct command cmd_reload;
extern const struct command cmd_status;
extern const struct command cmd_test;
extern const struct command cmd_unlock;

/* Not one of mailtoken's: the program's other name.  Its run is given the
 * operation as argv[0]. */
#define GIT_HELPER_NAME "git-credential-mailtoken"
extern const struct command git_helper;

/* MT_USAGE for what getopt_long(3) did not take. */
enum mt_status command_bad_option(
    const struct invocation *in, struct mt_error *err);

/* Takes the one argument that is left as the account. */
enum mt_status command_take_account(
    struct invocation *in, struct mt_error *err) MT_MUST_CHECK;

/* A token is visible ASCII (RFC 6750 section 2.1); anything else would be more
 * than one line, or could not be sent. */
bool command_is_token(const char *token);

/* Reads an option's value, a whole number within [min, max]. */
enum mt_status command_number(const char *option, const char *text, long min,
    long max, long *ret_number, struct mt_error *err) MT_MUST_CHECK;

/* MT_USAGE if there are options or arguments. */
enum mt_status command_take_nothing(
    struct invocation *in, struct mt_error *err) MT_MUST_CHECK;

/* Ends the request that was begun in the client's frame and sends it to the
 * connected helper, which has so long for its reply; see token_admin_call(). */
enum mt_status command_call(struct invocation *in, long wait_ms,
    struct token_wire_message *ret_reply, struct mt_error *err) MT_MUST_CHECK;

/* What the helper answers in the same two ways, as fields or as JSON. */
struct question {
	const char *verb;
	const char *field; /* the name of what it is about ... */
	const char *of;    /* ... and which; NULL: all of them */
	bool json;
};

enum mt_status command_ask(struct invocation *in,
    const struct question *question, struct token_wire_message *ret_reply,
    struct mt_error *err) MT_MUST_CHECK;

/* Asks the connected helper for the status of `account`. */
enum mt_status command_ask_status(struct invocation *in, const char *account,
    bool json, struct token_wire_message *ret_reply,
    struct mt_error *err) MT_MUST_CHECK;

#endif
