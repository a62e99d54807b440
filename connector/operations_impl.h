/* SPDX-License-Identifier: ISC */
/*
 * The inside of an account, for operations*.c only.
 */
#ifndef MT_CONNECTOR_OPERATIONS_IMPL_H
#define MT_CONNECTOR_OPERATIONS_IMPL_H

#include "operations.h"

#include "announce.h"
#include "delivery/publish.h"
#include "inbound/folders.h"
#include "mail/imap_watch.h"
#include "resources.h"
#include "sender.h"
#include "session.h"

#include <stdatomic.h>
#include <stdint.h>

struct operations {
	const struct config *config;
	struct resources *resources;
	struct session session;
	char **folders;      /* "agents/<agent>/<folder>", of each mailbox */
	char *gateway_state; /* "agents/<agent>/state" */
	char *server;
	bool show_bar;
	char token_account[TOKEN_ACCOUNT_MAX];
	struct imap_conn *conn; /* kept between visits; NULL: none */
	int64_t reach_ms;       /* of logins in this visit; see session.h */
	enum imap_push push;    /* how it tells of news, while it is idle */
	bool troubled;        /* others than the first mailbox cannot be read */
	bool first_has_news;  /* so it told of the mailbox that is open, ... */
	uint64_t others_news; /* ... and of others: bit i of the one behind */
	atomic_bool stop;
	struct handon_account *announced; /* NULL: not yet */
	struct sender_settings sending;
};

/* Fills `sending`. */
enum mt_status operations_prepare_sending(
    struct operations *operations, struct mt_error *err) MT_MUST_CHECK;

/* Opens the workspace of its process. */
enum mt_status operations_open_workspace(struct operations *operations,
    struct publisher **ret_publisher, struct mt_error *err) MT_MUST_CHECK;

/* Logs in for one operation that somebody asked for; "IMAP LOGIN failed: ..." or
 * "IMAP connection failed: ...". */
enum mt_status operations_open_imap(struct operations *operations,
    struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* What moves work with; its deadline begins to run. */
struct folders operations_folders(
    struct operations *operations, struct publisher *publisher);

/* Finishes in the workspace what the server has moved, of all accounts.  What
 * cannot be finished is logged, and waits. */
void operations_recover_moved(
    struct operations *operations, struct publisher *publisher);

/* Likewise finishes or takes back the account's moves that were cut short, by
 * asking the server on the session that there is, which may be of no use
 * afterwards. */
void operations_resume_moves(
    struct operations *operations, struct publisher *publisher);

#endif
