/* SPDX-License-Identifier: ISC */
/*
 * Everything that is needed to enter the mail servers, opened once and shared
 * by all operations: trusted certificates, libsasl2, the token helper.
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
struct sasl_library;
struct smtp_conn;

struct session {
	const struct config *config;
	struct net_trust *trust;
	struct sasl_library *sasl;
	struct token_helper *helper; /* NULL unless auth is oauth2 */
};

/* Opens all of it, before the first thread.  `config` must outlive it. */
enum mt_status session_open(struct session *session,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;
void session_close(struct session *session);

/*
 * Log in to the IMAP and to the submission server; threads may do so at the
 * same time.  Fail as imap_conn_open; MT_UNREACHABLE: no token helper.  Block
 * until the deadline, and for as long as the SASL module waits for a token.
 */
enum mt_status session_open_imap(struct session *session,
    struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;
enum mt_status session_open_smtp(struct session *session,
    struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
