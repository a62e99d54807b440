/* SPDX-License-Identifier: ISC */
/*
 * The inside of a login, for login.c (what all have in common), login_code.c
 * and login_device.c only.
 */
#ifndef MT_DAEMON_LOGIN_IMPL_H
#define MT_DAEMON_LOGIN_IMPL_H

#include "login.h"

#define LOGIN_REDIRECT_URI_MAX 256

enum login_kind { LOGIN_CODE, LOGIN_DEVICE };

struct login {
	LIST_ENTRY(login) link;
	struct logins *logins;
	enum login_kind kind;
	struct account *account; /* NULL: it is over, see `ended` */
	const char *ended;       /* why; its request goes on to its end */
	int64_t ends_ms;         /* boot clock */
	struct secret id;
	bool exchanging; /* a request is under way */
	int emit_fd;
	struct login_waiter *waiter;

	/* by authorization code */
	struct secret state;
	struct secret verifier;
	char redirect_uri[LOGIN_REDIRECT_URI_MAX];

	/* by device code */
	struct oauth_device device;
	unsigned int failures; /* in a row */
	uv_timer_t *timer;     /* for the next request; NULL: none yet */
};

struct logins {
	const struct account_env *env;
	LIST_HEAD(, login) list;
};

/* Makes a login and ends the one before for the same account.  NULL: no
 * memory. */
struct login *login_new(
    struct logins *logins, struct account *account, enum login_kind kind);

void login_free(struct login *login);

/* Everything that can go wrong before the server gives tokens. */
enum mt_status login_prepare(
    struct login *login, struct mt_error *err) MT_MUST_CHECK;

/* What login_prepare() took is not needed. */
void login_abandon(struct login *login);

/* Judges tokens that came, and stores or emits them. */
enum mt_status login_use_tokens(struct login *login,
    struct oauth_tokens *tokens, struct mt_error *err) MT_MUST_CHECK;

/* Answers who waits, if anybody does.  The login must be gone, or go on, before
 * this is called. */
void login_answer(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result);

void login_drop_emit_file(struct login *login);

#endif
