/* SPDX-License-Identifier: ISC */
/*
 * Logging in.
 *
 * By authorization code with PKCE (RFC 6749 s4.1, RFC 7636): makes the address
 * that a person opens, checks where the browser was sent back to, exchanges the
 * code.  The browser and the listener on the loopback interface are the
 * `mailtoken` command's (RFC 8252); the verifier stays here.  A code is
 * exchanged once.  When the answer is lost the login begins anew.
 *
 * By device code (RFC 8628): gets the code that a person enters in a browser
 * anywhere, and asks the server from time to time whether they have.
 */
#ifndef MT_DAEMON_LOGIN_H
#define MT_DAEMON_LOGIN_H

#include "account.h"

#define LOGIN_LIFETIME_MS (15 * 60 * 1000)

struct logins;
struct login;
struct login_waiter;

enum mt_status logins_new(const struct account_env *env,
    struct logins **ret_logins, struct mt_error *err) MT_MUST_CHECK;
void logins_free(struct logins **logins);

/* True while a request is under way. */
bool logins_in_flight(const struct logins *logins);

/* Forgets all logins, before the settings change: a code must not go to another
 * server than the one that gave it. */
void logins_forget_all(struct logins *logins);

/*
 * Begins a login and ends the one before for the same account.  `redirect_uri`
 * must be plain http to the loopback interface and is sent as it is; *ret_url
 * is the address to open.
 */
enum mt_status login_begin(struct logins *logins, struct account *account,
    const char *redirect_uri, struct login **ret_login, struct secret *ret_url,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Begins a login by device code and ends the one before for the same account.
 * `waiter` is answered with MT_OK when the server has given the code; the login
 * is waiter->begun then, until the caller returns from its `answer`.
 */
void login_begin_device(struct logins *logins, struct account *account,
    struct login_waiter *waiter);

/* What the person needs to know. */
const struct oauth_device *login_device(const struct login *login);

/*
 * Asks until the login has ended.  `emit_fd` and `answer` as of login_finish.
 * The login is over afterwards, also when the waiter leaves.
 */
void login_wait(struct login *login, int emit_fd, struct login_waiter *waiter);

const char *login_id(const struct login *login);

struct account *login_account(const struct login *login);

/* NULL if there is none, or it is too old. */
struct login *login_find(struct logins *logins, const char *id);

void login_cancel(struct login **login);

/* Who waits for the end of a login; part of the asker's own memory. */
struct login_waiter {
	struct login *login; /* NULL: waits for nothing */
	struct login *begun; /* see login_begin_device */
	/* who logged in, when the server said it; "": it did not */
	char identity[CONFIG_USER_MAX + 1];
	void (*answer)(struct login_waiter *waiter, struct account *account,
	    const struct mt_error *result);
};

/*
 * Ends a login by the address that the browser was sent to.  With `emit_fd`
 * (-1: none) the refresh token is written to that open file and nothing is
 * stored; the descriptor is taken over.  `answer` is called exactly once,
 * perhaps before this returns.  The login is over afterwards, unless the
 * address was not an answer to it, or nothing was sent to the server.
 */
void login_finish(struct logins *logins, struct login *login,
    const char *redirect, int emit_fd, struct login_waiter *waiter);

/* Stops waiting; a request under way goes on. */
void login_leave(struct login_waiter *waiter);

#endif
