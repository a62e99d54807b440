/* SPDX-License-Identifier: ISC */
/*
 * Follows one account on the loop: visits it in a thread of the pool when
 * inbound/watch.h says so, and listens to its idle session in between.
 */
#ifndef MT_CONNECTOR_WATCHER_H
#define MT_CONNECTOR_WATCHER_H

#include "base/status.h"
#include "inbound/watch.h"
#include "pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct json_object;
struct token_helper;

/* An account, as far as it is followed.  It is used by one thread at a time: by
 * enter() and visit() in the pool's, by the others on the loop between visits. */
struct watched_account {
	void *context;
	const char *name;   /* for people */
	const char *server; /* for the pool */
	struct watch_settings settings;

	/* Enters the server, unless its session stands; may block for a minute.
	 * Fills *ret_report only if it fails; if not, visit() follows. */
	enum mt_status (*enter)(void *context, const struct watch_visit *visit,
	    struct watch_result *ret_result, struct json_object **ret_report,
	    struct mt_error *err);

	/* Brings its mailboxes up to date; may block for minutes.  Leaves an
	 * idle session behind, if it can.  *ret_report, if it is filled, is for
	 * who asked. */
	enum mt_status (*visit)(void *context, const struct watch_visit *visit,
	    struct watch_result *ret_result, struct json_object **ret_report,
	    struct mt_error *err);

	/* The idle session: its descriptor, ... */
	int (*descriptor)(void *context);
	/* ... what it has brought, without waiting (a failure: it is over), ... */
	enum mt_status (*listen)(
	    void *context, bool *ret_news, struct mt_error *err);
	/* ... and its end, without waiting. */
	void (*leave)(void *context);

	/* Whether its token is that account's of that helper; never during a
	 * visit. */
	bool (*has_token)(
	    void *context, const struct token_helper *helper, const char *name);

	/* Adds what it knows of itself to a status; never during a visit. */
	void (*describe)(void *context, struct json_object *status);
};

struct watcher;

/* A visit has ended, this watcher's `number`th.  `report` may be NULL; it is
 * theirs to put. */
typedef void (*watcher_visited)(void *context, struct watcher *watcher,
    uint64_t number, struct json_object *report);

/* `account` is copied; what it points to must outlive the watcher.  The first
 * visit begins at once. */
enum mt_status watcher_new(struct watcher **ret_watcher, uv_loop_t *loop,
    struct pool *pool, const struct watched_account *account,
    watcher_visited visited, void *context, struct mt_error *err) MT_MUST_CHECK;

/* Asks for a visit; returns the number of the one that will see all that is
 * there now. */
uint64_t watcher_ask(struct watcher *watcher);

/* Tells of a token account of a helper: in which state it is, as the protocol
 * words it.  True if that ends what has kept this account from working. */
bool watcher_hear_token(struct watcher *watcher,
    const struct token_helper *helper, const char *name, const char *state);

/* A helper is there: whoever missed one goes on. */
void watcher_hear_helper(struct watcher *watcher);

/* True if the server has been silent for longer than any renewal allows: that
 * cannot be, and something is broken here. */
bool watcher_is_stuck(const struct watcher *watcher);

/* Its state as JSON; the caller's to put, NULL without memory. */
struct json_object *watcher_status(const struct watcher *watcher);

void *watcher_context(const struct watcher *watcher);

/*
 * Begins nothing further.  After the visit under way, if there is one, which
 * reports as ever, the session is left, and `stopped` called, on the loop;
 * that may be at once.  Then, but not before, watcher_free.
 */
void watcher_stop(struct watcher *watcher,
    void (*stopped)(void *context, struct watcher *watcher));

/* The loop must run once more for the memory of the handles. */
void watcher_free(struct watcher **watcher);

#endif
