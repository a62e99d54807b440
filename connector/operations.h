/* SPDX-License-Identifier: ISC */
/*
 * What can be done with an account, each as one call that answers with one JSON
 * object: receive, send, move, check.  Commands print the object, the service
 * hands it to who asked.  An account is used by one thread at a time, but for
 * sending and for folders and drafts.
 */
#ifndef MT_CONNECTOR_OPERATIONS_H
#define MT_CONNECTOR_OPERATIONS_H

#include "base/status.h"
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;
struct operations;
struct resources;
struct send_report;
struct send_request;
struct sender_settings;
struct watch_result;
struct watch_visit;

/* `config` and `resources` must outlive it.  Not for several threads at once;
 * accounts may be opened and closed while others work. */
enum mt_status operations_open(struct operations **ret_operations,
    struct config *config, struct resources *resources,
    struct mt_error *err) MT_MUST_CHECK;
void operations_close(struct operations **operations);

const struct config *operations_config(const struct operations *operations);

/* Long polls may draw on standard error, if that is a terminal: for a program
 * that does one thing. */
void operations_show_bar(struct operations *operations);

/* "host:port" of its IMAP server. */
const char *operations_server(const struct operations *operations);

/* The token helper of this account; NULL: it has a password. */
struct token_helper *operations_helper(const struct operations *operations);

/* The name that it has there; "" as long as that is not known. */
const char *operations_token_account(const struct operations *operations);

/*
 * Publishes what a crash has cut short, of all accounts, and sweeps up what
 * else it left.  Once, by the deliverer (state_lock_deliverer), before anything
 * is received.
 */
enum mt_status operations_recover(
    struct operations *operations, struct mt_error *err) MT_MUST_CHECK;

/*
 * Each fills *ret_report (the caller's to put) with the answer, also on
 * failure; NULL only when there is no memory.  All block for minutes at most.
 */

/* Receives what is new, in a session of its own. */
enum mt_status operations_receive(struct operations *operations,
    struct json_object **ret_report, struct mt_error *err);

/*
 * Queues the message of a request, or finds the entry that it has made before:
 * disk only, so that the loop's thread or a pool's may call it, also while
 * others work with the account.  As send_queue (outbound/send.h).  Then
 * sender_watch tells of *ret_entry.
 */
enum mt_status operations_queue(struct operations *operations,
    const struct send_request *request, int64_t *ret_entry,
    struct send_report *ret_report, struct mt_error *err) MT_MUST_CHECK;

/*
 * The command's: queues, sends, and waits for the outcome, a minute at most
 * (and longer while the server owes the answer to a whole message).  Sends
 * itself, or has it done by the process that holds the account's sender lock:
 * "outbox_request" at `control_path`.
 */
enum mt_status operations_send(struct operations *operations,
    const struct send_request *request, const char *control_path,
    struct json_object **ret_report, struct mt_error *err);

/*
 * Moves the message in folder `from` whose directory is named `handle` (the
 * "uid" of the gateway's frames) to folder `to`: on the server and in the
 * workspace.  The answer is a move_email_response with the new handle as "uid".
 * This and the next two run at the same time as all others.
 */
enum mt_status operations_move(struct operations *operations,
    const char *handle, const char *from, const char *to,
    struct json_object **ret_report, struct mt_error *err);

/* Makes a folder on the server and in the workspace: create_folder_response. */
enum mt_status operations_create_folder(struct operations *operations,
    const char *name, struct json_object **ret_report, struct mt_error *err);

/* Files a draft in the server's Drafts: save_draft_response. */
enum mt_status operations_save_draft(struct operations *operations,
    const struct send_request *request, struct json_object **ret_report,
    struct mt_error *err);

/*
 * The account's outbox: all of it, one entry with what is known of it; a
 * message that was refused, given up or is held, due again; one that is not
 * wanted any more, ended.  MT_REFUSED: there is no such entry, or it is in no
 * state for that; MT_RETRY_LATER: it is being sent just now.  Disk only, in any
 * thread.  Whoever retries wakes the sender.
 */
enum mt_status operations_queue_list(struct operations *operations,
    struct json_object **ret_report, struct mt_error *err);
enum mt_status operations_queue_show(struct operations *operations,
    int64_t entry, struct json_object **ret_report, struct mt_error *err);
enum mt_status operations_queue_retry(struct operations *operations,
    int64_t entry, struct json_object **ret_report, struct mt_error *err);
enum mt_status operations_queue_drop(struct operations *operations,
    int64_t entry, struct json_object **ret_report, struct mt_error *err);

/* With what its sender works (sender.h); lives as long as the account. */
const struct sender_settings *operations_sending(
    const struct operations *operations);

/* Logs in to both servers. */
enum mt_status operations_check(struct operations *operations,
    struct json_object **ret_report, struct mt_error *err);

/* Sends what waits in the outbox and is due, for a minute at most; has no
 * answer but the log. */
enum mt_status operations_work_outbox(
    struct operations *operations, struct mt_error *err);

/*
 * The first half of a visit: the session that stands goes on, or there is a
 * login.  A server that cannot be reached is given up soon, and is given longer
 * each time.  *ret_report is filled if it fails; if not, operations_visit
 * follows, with the same result.
 */
enum mt_status operations_enter(struct operations *operations,
    const struct watch_visit *visit, struct watch_result *ret_result,
    struct json_object **ret_report, struct mt_error *err);

/*
 * As operations_receive, in a session that stays, if it can: it is kept between
 * visits and left idle, so that the server tells of news.  The result is about
 * the session; *ret_report also tells of a mailbox that cannot be read.
 */
enum mt_status operations_visit(struct operations *operations,
    const struct watch_visit *visit, struct watch_result *ret_result,
    struct json_object **ret_report, struct mt_error *err);

/* The idle session: its descriptor; what came, without waiting, MT_RETRY_LATER:
 * it is over; its end, without waiting. */
int operations_descriptor(const struct operations *operations);
enum mt_status operations_listen(struct operations *operations, bool *ret_news,
    struct mt_error *err) MT_MUST_CHECK;
void operations_leave(struct operations *operations);

/* Adds what is known of the account to a status. */
void operations_describe(
    const struct operations *operations, struct json_object *status);

/* From now on nothing further is begun; what is under way goes on.  From any
 * thread. */
void operations_stop(struct operations *operations);

#endif
