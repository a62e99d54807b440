/* SPDX-License-Identifier: ISC */
/*
 * One login, from the helper's address to its verdict.
 *
 * In a browser (authorization code with PKCE, RFC 8252): the helper makes the
 * address and judges the answer; this carries them between it and the browser.
 * The answer comes in at the loopback listener, or is pasted, whichever is
 * first.  What is not this login's answer is refused, and the wait goes on.
 *
 * By device code (RFC 8628, login_device.c): the helper gets a code and waits
 * for the person; this shows the one and the other.
 */
#ifndef MT_COMMAND_LOGIN_H
#define MT_COMMAND_LOGIN_H

#include "base/deadline.h"
#include "base/status.h"
#include "helper.h"
#include "listener.h"
#include "paste.h"

#define LOGIN_ID_MAX 128

struct login {
	struct helper *helper; /* connected, the caller's */
	const char *account;
	int emit_fd; /* goes to the helper for the refresh token; -1: none */
	struct listener *listener;
	struct paste paste;
	int signals; /* signalfd(2) of what ends the wait */
	char id[LOGIN_ID_MAX];
	char *url;       /* for the person to open */
	char *user;      /* who logged in, as far as the helper knows */
	char *code;      /* for the person to enter at `url` */
	char *whole_url; /* with the code in it, or NULL */
	long lifetime_s; /* of the code */
};

/* Blocks SIGINT, SIGTERM and SIGHUP for the rest of the process's life, so that
 * they end login_wait(), and reads pasted lines from standard input.  Every
 * login needs login_done(), also when this fails. */
enum mt_status login_init(struct login *login, struct helper *helper,
    const char *account, struct mt_error *err) MT_MUST_CHECK;

/* Releases everything but the helper. */
void login_done(struct login *login);

/*
 * Listens on `port` (0: a free one) and asks the helper for the address, with
 * a redirect URI at `redirect_host`: "localhost" is registered without a path
 * (Microsoft), and the browser comes to "/" all the same; an address is
 * registered with one.
 */
enum mt_status login_begin(struct login *login, const char *redirect_host,
    long port, struct mt_error *err) MT_MUST_CHECK;

/* Asks the helper for a code and where to enter it. */
enum mt_status login_begin_device(
    struct login *login, struct mt_error *err) MT_MUST_CHECK;

/* As login_wait, for as long as the code is good. */
enum mt_status login_wait_device(
    struct login *login, struct mt_error *err) MT_MUST_CHECK;

/* Notes and says who logged in, by the helper's last reply. */
void login_tell(struct login *login, const struct token_wire_message *reply);

/*
 * Waits until the person has logged in or refused, or until a signal or the
 * deadline ends it (MT_NEEDS_LOGIN).  MT_OK when the helper has taken the
 * login.  A request in flight then is waited for, HELPER_NETWORK_MS at most.
 */
enum mt_status login_wait(struct login *login, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
