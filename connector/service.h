/* SPDX-License-Identifier: ISC */
/*
 * The running connector: follows its accounts, sends when it is time, serves
 * the control socket, hears what token helpers tell; reads its settings again
 * on SIGHUP and ends on SIGTERM and SIGINT.
 *
 * The loop itself never waits for a mail server: what does is done by threads
 * of a pool, so that no server delays what concerns another.
 */
#ifndef MT_CONNECTOR_SERVICE_H
#define MT_CONNECTOR_SERVICE_H

#include "base/status.h"
#include "pool.h"
#include "sender.h"
#include "token_helper.h"
#include "watcher.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_HELPERS_MAX 2

struct json_object;
struct service;

/* What to do, given by main. */
struct service_settings {
	const char *control_path;
	struct pool_limits limits;
	int64_t grace_ms; /* for what is under way at the end */
	void *context;
	/* to follow; NULL: none */
	struct token_helper *helpers[SERVICE_HELPERS_MAX];

	/* Adds the accounts, at the beginning and, with what has changed, when
	 * somebody asks for it. */
	void (*load)(void *context, struct service *service);
	/* An account that was removed is not used any more. */
	void (*removed)(void *context, void *account);
	/* Makes what is under way end soon. */
	void (*stop)(void *context);
};

/* For load(): follows an account from now on, and sends what waits in its
 * outbox.  `account` and `sending` are copied. */
enum mt_status service_add(struct service *service,
    const struct watched_account *account,
    const struct sender_settings *sending, struct mt_error *err) MT_MUST_CHECK;

/* For load(): ends following the account with this context.  removed() follows,
 * when what is under way with it has ended. */
void service_remove(struct service *service, void *account);

/* Holds the signals that the service listens to back in this thread and those
 * that it starts: from main's beginning until service_run takes them.  From its
 * return on they are held back again: one end is enough. */
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
