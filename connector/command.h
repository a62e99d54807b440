/* SPDX-License-Identifier: ISC */
/*
 * The commands of mailtoken-connector (8), one file each or for those that are
 * alike, and what they share.  Only main.c and command_*.c know of them.
 */
#ifndef MT_CONNECTOR_COMMAND_H
#define MT_CONNECTOR_COMMAND_H

#include "accounts.h"
#include "base/status.h"
#include "config.h"
#include "operations.h"
#include "resources.h"

#include <limits.h>
#include <stdbool.h>

struct invocation;
struct json_object;
struct secret_arena;

/* Options that a command may take behind its name. */
enum {
	COMMAND_ACCOUNT = 1 << 0,    /* -a ACCOUNT */
	COMMAND_REQUEST_ID = 1 << 1, /* --request-id ID */
	COMMAND_JSON = 1 << 2,       /* --json */
	COMMAND_ONCE = 1 << 3,       /* --once, which must be there */
};

struct command {
	const char *name;
	const char *arguments; /* for people */
	const char *help;
	const char *type; /* of its answer; NULL: it has none */
	unsigned options;
	int arguments_min;
	int arguments_max;
	int (*run)(struct invocation *in);
};

/* What each command gets: everything up to the settings is done. */
struct invocation {
	const struct command *command;
	struct config config;
	char control_path[PATH_MAX];
	char **arguments; /* ended by NULL */
	int argument_count;
	const char *account; /* as the options say; NULL: they do not */
	const char *request_id;
	bool json;
	bool once;
	struct secret_arena *arena;
	bool secrets_locked;
	struct resources resources;
	struct accounts *accounts;
};

int command_run(struct invocation *in);
int command_poll(struct invocation *in);
int command_send(struct invocation *in);
int command_save_draft(struct invocation *in);
int command_move(struct invocation *in);
int command_create_folder(struct invocation *in);
int command_queue(struct invocation *in);
int command_status(struct invocation *in);
int command_check(struct invocation *in);

/* Whether the arguments of `queue` are some of those that it takes. */
bool command_queue_fits(const struct invocation *in);

/* ---- what they share: command.c ---- */

/* Prints the one line of the answer; takes over the reference. */
void command_print(struct json_object *report);

/* The answer of a command that did not get as far as an operation; returns its
 * exit code. */
int command_fail(const struct invocation *in, const struct mt_error *err);

/* Everything that operations need; command_close in any case. */
enum mt_status command_open(
    struct invocation *in, struct mt_error *err) MT_MUST_CHECK;
void command_close(struct invocation *in);

/* Becomes the one process that delivers, and finishes what the last one left;
 * ended by command_end_delivery, before command_close. */
enum mt_status command_deliver(
    struct invocation *in, struct mt_error *err) MT_MUST_CHECK;

/* Ends the process with this code where a thread cannot be ended. */
void command_end_delivery(struct invocation *in, int code);

/* The account that is meant: that of -a, else the environment's. */
enum mt_status command_find_account(const struct invocation *in,
    struct operations **ret_operations, struct mt_error *err) MT_MUST_CHECK;

/* Has the running connector answer; the answer is printed. */
enum mt_status command_ask_running(const struct invocation *in,
    const char *request, int *ret_code, struct mt_error *err) MT_MUST_CHECK;

typedef enum mt_status (*command_call)(struct invocation *in,
    struct operations *operations, struct json_object **ret_report,
    struct mt_error *err);

/*
 * A command that is one call about one account: opens, calls, closes, prints
 * its answer (with `print`, which takes it over; NULL: as JSON), and returns
 * the exit code.
 */
int command_operate(struct invocation *in, command_call call,
    void (*print)(const struct invocation *in, struct json_object *report));

#endif
