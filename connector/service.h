/* SPDX-License-Identifier: ISC */
/*
 * The running connector: polls when it is time, when somebody asks on the
 * control socket, and when the token helper says that an account works again;
 * sends what waits in the outbox; ends on SIGTERM and SIGINT.
 *
 * The loop itself never waits for a mail server: one thread at a time does the
 * mail work (struct service_work), and tells the loop when it is done.
 */
#ifndef MT_CONNECTOR_SERVICE_H
#define MT_CONNECTOR_SERVICE_H

#include "base/status.h"
#include "token_helper.h"

#include <stdint.h>

struct json_object;

/* What to do, given by main. */
struct service_work {
	void *context;
	/*
	 * Receives and sends once.  Runs in a thread of its own, may block for
	 * minutes.  *ret_report (never NULL) is the answer to who asked.
	 */
	enum mt_status (*poll)(void *context, struct json_object **ret_report,
	    struct mt_error *err);
	/* Makes a poll that is under way end soon; from another thread. */
	void (*abort)(void *context);
};

struct service_settings {
	const char *control_path;
	int64_t poll_interval_ms;
	struct token_helper *helper; /* NULL: no events to follow */
};

/* Serves until a signal asks it to end.  MT_OK then. */
enum mt_status service_run(const struct service_settings *settings,
    const struct service_work *work, struct mt_error *err) MT_MUST_CHECK;

#endif
