/* SPDX-License-Identifier: ISC */
/*
 * What the program can do, each as one call that answers with one JSON object:
 * receive, send, check.  Commands print the object, the service hands it to
 * who asked.
 */
#ifndef MT_CONNECTOR_OPERATIONS_H
#define MT_CONNECTOR_OPERATIONS_H

#include "base/status.h"
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct operations;

/* Opens the state and everything that operations share, before the first
 * thread.  `config` must outlive it. */
enum mt_status operations_open(struct operations **ret_operations,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;
void operations_close(struct operations **operations);

/* Becomes the one process that delivers from this state (75 if another is), and
 * begins to hand on what is queued. */
enum mt_status operations_lock(
    struct operations *operations, struct mt_error *err) MT_MUST_CHECK;

/*
 * Hands on what is queued, for `wait_ms` at most, and tells in `report` what is
 * left: "queued" (a number) and "queues" (handon.h).
 */
void operations_hand_on(
    struct operations *operations, int64_t wait_ms, struct json_object *report);

/* Ends handing on.  False: something still runs, and the process must end
 * without operations_close. */
bool operations_end_handing_on(struct operations *operations, int64_t wait_ms);

/* MT_OK, or why there is no use in going on: nobody reads standard output any
 * more. */
enum mt_status operations_trouble(
    struct operations *operations, struct mt_error *err);

struct token_helper *operations_helper(const struct operations *operations);

/*
 * Each fills *ret_report (the caller's to put) with the answer, also on
 * failure; NULL only when there is no memory.  All block for minutes at most.
 */

/* Receives what is new. */
enum mt_status operations_receive(struct operations *operations,
    struct json_object **ret_report, struct mt_error *err);

/* Queues the draft in the file at `path` ("-": standard input) and tries to
 * send it. */
enum mt_status operations_send(struct operations *operations, const char *path,
    struct json_object **ret_report, struct mt_error *err);

/* Logs in to both servers. */
enum mt_status operations_check(struct operations *operations,
    struct json_object **ret_report, struct mt_error *err);

/* Sends what waits in the outbox and is due; has no answer but the log.  It and
 * operations_receive may run at the same time. */
enum mt_status operations_work_outbox(
    struct operations *operations, struct mt_error *err);

/* From now on nothing further is begun; what is under way goes on.  From any
 * thread. */
void operations_stop(struct operations *operations);

#endif
