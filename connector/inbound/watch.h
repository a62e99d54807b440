/* SPDX-License-Identifier: ISC */
/*
 * Decides when an account's mailboxes are looked at, and in what way.  Numbers
 * only: knows no server, no clock and no thread; whoever uses it tells what
 * happened, and when.
 *
 * An account is away (no session), being visited (a thread talks to its server)
 * or listened to (the session is idle and the server tells of news).  Push may
 * fail silently, so a visit comes at least at each renewal, and from time to
 * time one that compares everything with what the server has.
 */
#ifndef MT_INBOUND_WATCH_H
#define MT_INBOUND_WATCH_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds all, of a clock that counts during suspend. */
struct watch_settings {
	int64_t poll_ms;  /* from one visit to the next */
	int64_t renew_ms; /* the longest that an idle session may last */
	int64_t
	    reconcile_ms; /* from one comparison with the server to another */
};

enum watch_state {
	WATCH_AWAY,
	WATCH_VISITED,
	WATCH_LISTENED,
};

struct watch {
	struct watch_settings settings;
	enum watch_state state;
	int64_t due_ms; /* when the next visit shall begin */

	bool missed;    /* something happened during a visit */
	bool news_only; /* the next one looks where the server told of news */
	bool log_in_again; /* before the next one */
	bool compare;      /* in the next one */
	int64_t compared_ms;
	int64_t entered_ms;    /* the session's beginning */
	int64_t news_after_ms; /* before it news bring no visit */
	unsigned failures;     /* of visits, in a row */
	unsigned short_lives;  /* of sessions, in a row */
};

struct watch_visit {
	bool log_in_again; /* end the session first */
	bool reconcile;    /* compare everything */
	bool news_only;    /* look at mailboxes with news only */
	unsigned failures; /* of visits, in a row, before it */
};

struct watch_result {
	enum mt_status status;
	bool entered;   /* there was a login */
	bool listening; /* the session is idle, and the server will tell */
	bool more;      /* it had its share of time, and there is more to do */
	struct mt_error lost; /* why the idle session did not go on; MT_OK: none
				 has broken */
};

/* Due at once. */
void watch_init(
    struct watch *watch, const struct watch_settings *settings, int64_t now_ms);

/* A visit begins; says what kind of. */
struct watch_visit watch_begin(struct watch *watch);

/* It has ended.  `dice` is any number, at random: what many accounts do after
 * the same event they shall not do at the same moment.  Here and below. */
void watch_end(struct watch *watch, const struct watch_result *result,
    int64_t now_ms, uint32_t dice);

/* The server tells of news. */
void watch_hear(struct watch *watch, int64_t now_ms);

/* Somebody asks for a visit, or a person mended what kept it from succeeding. */
void watch_ask(struct watch *watch, int64_t now_ms);

/* The idle session is over: a goodbye, or the connection broke. */
void watch_lose(struct watch *watch, int64_t now_ms, uint32_t dice);

/* There is a new access token.  The session was entered with the one before, of
 * which little is left: it is entered anew before the server ends it. */
void watch_renew_token(struct watch *watch, int64_t now_ms, uint32_t dice);

#endif
