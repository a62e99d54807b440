/* SPDX-License-Identifier: ISC */
/*
 * What is asked on the control sockets: which request is about which account,
 * what is called for it, and what is answered.  On the loop.
 */
#ifndef MT_CONNECTOR_REQUESTS_H
#define MT_CONNECTOR_REQUESTS_H

#include "base/status.h"
#include "pool.h"
#include "request_jobs.h"
#include "sender.h"
#include "watcher.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct requests;
struct request_account; /* one that requests may be about */

struct requests_settings {
	const char *control_path; /* our own socket */
	const char *shared_path;  /* the gateway's; NULL: none */
	const uid_t *allowed;     /* there, beside root and our own user */
	size_t allowed_count;
	int64_t patience_ms; /* of who asks */
};

/* An account, as far as requests are about it. */
struct requested_account {
	void *context;
	const char *agent;  /* whose it is */
	bool is_default;    /* it is meant where no agent is named */
	const char *server; /* of IMAP, for the pool */
	/* As in request_jobs.h. */
	void (*perform)(void *context, const struct request *request,
	    struct request_outcome *ret_outcome);
};

/* Listens from now on.  `settings` are copied; what they point to must outlive
 * it.  Fails as control_open. */
enum mt_status requests_open(struct requests **ret_requests, uv_loop_t *loop,
    struct pool *pool, const struct requests_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* From now on all that is asked is refused. */
void requests_end(struct requests *requests);

/* Listens no more; there must be no account.  The loop must run once more for
 * the memory to be released. */
void requests_close(struct requests **requests);

/* From now on requests may be about this account, which is copied. */
enum mt_status requests_add(struct request_account **ret_account,
    struct requests *requests, const struct requested_account *account,
    struct watcher *watcher, struct sender *sender,
    struct mt_error *err) MT_MUST_CHECK;

/* Nothing further is asked of it, and it is in no status: its watcher and its
 * sender may go.  The account itself is used until `stopped` is called, as by
 * request_jobs_stop. */
void requests_leave(struct request_account *account,
    void (*stopped)(void *context), void *context);

/* It has stopped, and is not there any more. */
void requests_remove(struct request_account **account);

/* The account has been visited; `report` (borrowed) may be NULL. */
void requests_note_visit(struct request_account *account, uint64_t number,
    struct json_object *report);

#endif
