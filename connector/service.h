/* SPDX-License-Identifier: ISC */
/*
 * The running connector: receives and sends when it is time, when somebody asks
 * on the control socket, and when the token helper says that an account works
 * again; ends on SIGTERM and SIGINT.
 *
 * The loop itself never waits for a mail server: each of the two jobs runs in a
 * thread of its own, one at a time, so that neither server delays the other.
 */
#ifndef MT_CONNECTOR_SERVICE_H
#define MT_CONNECTOR_SERVICE_H

#include "base/status.h"
#include "token_helper.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct service_job {
	const char *name; /* in the log: "IMAP poll" failed */
	int64_t interval_ms;
	/* Does the work once, in a thread of its own; may block for minutes.
	 * *ret_report, if it is filled, is the answer to who asked for it. */
	enum mt_status (*run)(void *context, struct json_object **ret_report,
	    struct mt_error *err);
};

/* What to do, given by main. */
struct service_settings {
	const char *control_path;
	struct token_helper *helper; /* NULL: no events to follow */
	void *context;
	struct service_job receive;
	struct service_job send;
	int64_t grace_ms; /* for what is under way at the end */
	/* Makes both end soon; from another thread. */
	void (*stop)(void *context);
};

/* Holds the signals that end the service back in this thread and those that it
 * starts: from main's beginning until service_run takes them.  From its return
 * on they are held back again: one end is enough. */
void service_hold_signals(bool hold);

/*
 * Serves until a signal asks it to end; MT_OK then.  What is under way gets
 * grace_ms to end.  *ret_left tells that it did not and still runs: the
 * process must end without releasing anything that it uses, which harms no more
 * than a crash does: nothing is lost.
 */
enum mt_status service_run(const struct service_settings *settings,
    bool *ret_left, struct mt_error *err) MT_MUST_CHECK;

#endif
