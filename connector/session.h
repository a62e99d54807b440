/* SPDX-License-Identifier: ISC */
/*
 * Enters an account's mail servers.
 *
 * A login starts a private helper that is not there.  A token that a server
 * rejects is reported to the helper, which refreshes it, and the login is tried
 * once more; a second refusal is the caller's to log.
 */
#ifndef MT_CONNECTOR_SESSION_H
#define MT_CONNECTOR_SESSION_H

#include "base/deadline.h"
#include "base/status.h"
#include "config.h"
#include "token_helper.h"

struct imap_conn;
struct net_trust;
struct resources;
struct smtp_conn;

struct session {
	const struct config *config;
	const struct net_trust *trust;
	struct token_helper *helper; /* NULL unless auth is oauth2 */
};

/* `config` and `resources` must outlive it.  Not for several threads at once. */
enum mt_status session_open(struct session *session, struct config *config,
    struct resources *resources, struct mt_error *err) MT_MUST_CHECK;

/*
 * Log in to the IMAP and to the submission server; threads may do so at the
 * same time.  Fail as imap_conn_open; MT_UNREACHABLE: no token helper.  Block
 * until the deadline, and for as long as the SASL module waits for a token.  A
 * server with which the login cannot begin within `reach_ms` (0: until the
 * deadline) is given up.
 */
enum mt_status session_open_imap(struct session *session,
    struct imap_conn **ret_conn, int64_t reach_ms, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;
enum mt_status session_open_smtp(struct session *session,
    struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
