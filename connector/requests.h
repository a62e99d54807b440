/* SPDX-License-Identifier: ISC */
/*
 * What is asked on the control socket: which request is about which account,
 * what is called for it, and what is answered.  On the loop.
 */
#ifndef MT_CONNECTOR_REQUESTS_H
#define MT_CONNECTOR_REQUESTS_H

#include "base/status.h"
#include "sender.h"
#include "watcher.h"

#include <stdint.h>
#include <uv.h>

struct requests;
struct request_account; /* one that requests may be about */

struct requests_settings {
	const char *control_path;
};

/* Listens from now on.  `settings` are copied; what they point to must outlive
 * it. */
enum mt_status requests_open(struct requests **ret_requests, uv_loop_t *loop,
    const struct requests_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* From now on all that is asked is refused. */
void requests_end(struct requests *requests);

/* Listens no more; there must be no account.  The loop must run once more for
 * the memory to be released. */
void requests_close(struct requests **requests);

/* From now on requests may be about the account of these two; NULL: no
 * memory. */
struct request_account *requests_add(
    struct requests *requests, struct watcher *watcher, struct sender *sender);

/* Nothing further is asked of it, and it is in no status: its watcher and its
 * sender may go. */
void requests_leave(struct request_account *account);

/* It is not there any more. */
void requests_remove(struct request_account **account);

/* The account has been visited; `report` (borrowed) may be NULL. */
void requests_note_visit(struct request_account *account, uint64_t number,
    struct json_object *report);

#endif
