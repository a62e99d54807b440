/* SPDX-License-Identifier: ISC */
/*
 * Finds the account that a peer asks for: by its name, or by the server that a
 * token would go to.  Who may not use an account is told the same as for one
 * that does not exist; the audit line tells the difference.
 */
#ifndef MT_DAEMON_LOOKUP_H
#define MT_DAEMON_LOOKUP_H

#include "access.h"
#include "accounts.h"

#define LOOKUP_HOST_MAX 255 /* bytes, RFC 1035 section 3.1 */

/* Who asks. */
struct lookup {
	const struct accounts *accounts;
	const struct peer *peer;
	struct log_limit *refusals; /* that were logged */
	const char *request;        /* what for, in the audit line */
	/* Only accounts that permit this count; NULL: all do. */
	const enum permit *permit;
};

/* The answer when there is no such account, or not for this peer. */
enum mt_status lookup_no_account(struct mt_error *err);

/* MT_BAD_CONFIG, with what to do, unless the account permits it. */
enum mt_status lookup_check_permit(const struct account_settings *settings,
    enum permit permit, struct mt_error *err) MT_MUST_CHECK;

/* The account called `name`, if `may` agrees. */
enum mt_status lookup_named(const struct lookup *lookup, const char *name,
    bool (*may)(const struct peer *, const struct account_settings *),
    struct account **ret_account, struct mt_error *err) MT_MUST_CHECK;

/* By its name; SERVICE_OTHER for one that is none of ours. */
enum mail_service lookup_service(const char *name);

/* A login at a mail server that somebody is about to make.  NULL: not known. */
struct mail_login {
	enum mail_service service;
	const char *host;
	const char *account; /* that shall serve, by its name */
	const char *user;    /* login name, authentication identity */
	const char *authzid; /* authorization identity, if it is another */
};

/*
 * The account for a login: one that names its host (NULL: any) for its
 * service, and that is chosen by its name, or is the one for the login name, or
 * else for the authorization identity.  A name fits an account's user best,
 * then its user for the service, then its own name.  MT_BAD_CONFIG when several
 * fit as well, or one that does not permit this.
 */
enum mt_status lookup_login(const struct lookup *lookup,
    const struct mail_login *login, struct account **ret_account,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Whether an account that was found may be handed out still: the settings may
 * have been read again while the peer waited.  `service` is SERVICE_COUNT and
 * `host` "" where none was named.  As the functions above.
 */
enum mt_status lookup_confirm(const struct lookup *lookup,
    const struct account *account, enum mail_service service, const char *host,
    struct mt_error *err) MT_MUST_CHECK;

/* Whom the server is to be told: what the account sets for the service, else
 * the authorization identity, unless that is the account's name, else the
 * account's user.  Without a service (SERVICE_COUNT) the last. */
const char *lookup_told_user(const struct account_settings *settings,
    enum mail_service service, const char *authzid);

#endif
