/* SPDX-License-Identifier: ISC */
/*
 * Who may have what: decided by the credentials that the kernel gives for the
 * other end of a socket, and by the account's settings.  Default deny.  Writes
 * the audit lines: one for each token that is handed out, one for each uid and
 * account that is refused (log_limit.h), never with the token.
 */
#ifndef MT_DAEMON_ACCESS_H
#define MT_DAEMON_ACCESS_H

#include "account.h"
#include "log_limit.h"

#include <stdbool.h>
#include <sys/types.h>

struct peer {
	int fd; /* the connection, for its groups */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* The peer of a connected Unix socket. */
enum mt_status access_read_peer(
    int fd, struct peer *ret_peer, struct mt_error *err) MT_MUST_CHECK;

/* True for root, the account's owner, and whom `allow` names. */
bool access_may_use(
    const struct peer *peer, const struct account_settings *account);

/* True for root, the helper's own uid, and the account's owner. */
bool access_may_manage(
    const struct peer *peer, const struct account_settings *account);

/* True for root and the helper's own uid. */
bool access_may_administer(const struct peer *peer);

/* Says who got a token; `use`: the word of `permit` that it was asked for with,
 * `service` and `host`: the server that was named, `user`: whom that is to be
 * told.  NULL: none. */
void access_log_token(const struct peer *peer, const struct account *account,
    const char *use, const char *service, const char *host, const char *user);

/* Says who was told that there is no such account, as often as `limit` lets it. */
void access_log_refusal(struct log_limit *limit, const struct peer *peer,
    const struct account_settings *account, const char *verb);

#endif
