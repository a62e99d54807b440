/* SPDX-License-Identifier: ISC */
/*
 * One account: its state, its access token, the askers who wait for it, and the
 * one refresh that may be under way.
 *
 * Everything runs in the event loop; nothing blocks but the disk.  An asker who
 * leaves never stops a request: its answer may hold the only copy of a new
 * refresh token.
 */
#ifndef MT_DAEMON_ACCOUNT_H
#define MT_DAEMON_ACCOUNT_H

#include "config.h"
#include "discovery.h"
#include "issuer.h"
#include "oauth_http.h"
#include "oauth_reply.h"
#include "schedule.h"
#include "store.h"

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

enum account_state {
	ACCOUNT_OK,
	ACCOUNT_REFRESHING,
	ACCOUNT_DEGRADED, /* the last refresh failed, a later one may not */
	ACCOUNT_NEEDS_LOGIN,
	ACCOUNT_NEEDS_ADMIN,
	ACCOUNT_BROKEN_CONFIG,
};

const char *account_state_word(enum account_state state);

struct account;

/* What all accounts share; outlives them. */
struct account_env {
	uv_loop_t *loop;
	struct schedule *schedule;
	struct secret_arena *arena;
	struct store *store;
	struct oauth_http *http;
	struct discovery *discovery;
	struct issuers *issuers;
	bool stopping;        /* no new requests to any server */
	size_t account_count; /* about so many share a server */
	/* called after each change of state or serial */
	void (*changed)(void *context, struct account *account);
	/* called when it is back, or has failed once more */
	void (*issuer_changed)(
	    void *context, struct issuer *issuer, enum issuer_news news);
	/* called when a person has to know: `event` is a word for it */
	void (*announce)(
	    void *context, const struct account *account, const char *event);
	long announce_again_s; /* while it lasts; 0: never */
	/* what is wrong with the helper itself, for any account; or NULL */
	const char *(*alarm)(void *context);
	void *context;
};

/* Takes *settings over.  Reads the account's record; one that cannot be read is
 * a state, not a failure. */
enum mt_status account_new(const struct account_env *env,
    struct account_settings **settings, struct account **ret_account,
    struct mt_error *err) MT_MUST_CHECK;

/* Not while it is busy, unless the HTTP side has ended. */
void account_free(struct account **account);

/* Reads the record anew: the store was locked before. */
void account_load_again(struct account *account);

/* Takes new settings for the same name over.  Tokens stay if they are still for
 * the same endpoint, client, user and scope. */
void account_use_settings(
    struct account *account, struct account_settings **settings);

/* It is gone from the settings: nothing is begun any more, until
 * account_use_settings. */
void account_retire(struct account *account);

const struct account_settings *account_settings_of(
    const struct account *account);

/* The endpoints are known: by the settings, or from discovery. */
bool account_has_endpoints(const struct account *account);

/* Takes what discovery found for the present settings. */
enum mt_status account_take_endpoints(struct account *account,
    const struct provider *found, struct mt_error *err) MT_MUST_CHECK;

/* A refresh is under way. */
bool account_in_flight(const struct account *account);

/* Must not be released yet: somebody waits, a refresh is under way, or its
 * result is not saved. */
bool account_is_busy(const struct account *account);

/* Tries once more to save what is not saved; at the end of the process. */
void account_flush(struct account *account);

struct account_view {
	enum account_state state;
	const char *text;              /* the last error, or "" */
	char alarm[MT_ERROR_TEXT_MAX]; /* what needs a person's eye, or "" */
	int64_t serial;
	long expires_in_s;    /* 0: no token */
	int64_t refreshed_at; /* wall clock; 0: never */
	int64_t login_at;     /* wall clock; 0: not known */
	long next_attempt_s;  /* pause that is left, 0: none */
	struct issuer_view issuer;
	long skew_s; /* how far the server's clock is ahead of ours, if much */
	bool in_use; /* somebody asked since the last refresh */
	long next_refresh_s; /* until that without an asker, 0: none planned */
};

void account_view(const struct account *account, struct account_view *ret_view);

/* The current access token; empty if there is none. */
const struct secret *account_token(const struct account *account);

/* The network may be back: what failed for want of it is tried again soon,
 * unless the server itself asked for the pause. */
void account_network_changed(struct account *account);

/* For those who wait for this issuer, if it is the account's. */
void account_hear_of_issuer(struct account *account,
    const struct issuer *issuer, enum issuer_news news);

/* What a logout did about the server. */
enum account_revoked {
	REVOKED_NO,          /* not asked, as wished */
	REVOKED_YES,         /* it has ended the login */
	REVOKED_UNSUPPORTED, /* it takes no revocation */
	REVOKED_NOTHING,     /* there was no login */
};

/* Somebody waiting for a token, or for a logout; part of the asker's own
 * memory. */
struct account_waiter {
	LIST_ENTRY(account_waiter) link;
	struct account *account; /* NULL: waits for nothing */
	int64_t deadline_ms;     /* boot clock */
	/* wants a new token, not any good one; of a logout: only here */
	bool forced;
	enum account_revoked revoked; /* after a logout that went well */
	/* Called exactly once, perhaps before account_get returns: with MT_OK,
	 * when account_token() is good, or with the failure. */
	void (*answer)(struct account_waiter *waiter, struct account *account,
	    const struct mt_error *result);
};

/* Answers with a token that has `min_ttl_s` to live, after a refresh if need
 * be; after `wait_ms` with whatever there is. */
void account_get(struct account *account, struct account_waiter *waiter,
    long min_ttl_s, long wait_ms);

/* Refreshes now, whatever the present token is worth. */
void account_refresh(
    struct account *account, struct account_waiter *waiter, long wait_ms);

/*
 * Revokes the login at the server, if that takes revocations and unless it is
 * only to be forgotten here (`local`), and removes it from the store.  A refresh
 * under way comes to its end first.  Answers as account_get does; when the
 * server cannot be asked, or the store is locked, the login is kept.
 */
void account_logout(
    struct account *account, struct account_waiter *waiter, bool local);

/* Stops waiting; `answer` is not called any more. */
void account_leave(struct account_waiter *waiter);

/* A server refused the token with this serial. */
void account_reject(struct account *account, int64_t serial);

/* Takes a refresh token to start from, which proves itself at the next get; one
 * that was taken before only if `again`. */
enum mt_status account_seed(struct account *account, const struct secret *seed,
    bool again, struct mt_error *err) MT_MUST_CHECK;

/* What became of it: MT_OK when it is the login now, MT_NEEDS_LOGIN when the
 * server refuses it, MT_RETRY_LATER when it was not tried yet. */
enum mt_status account_judge_seed(
    struct account *account, struct mt_error *err) MT_MUST_CHECK;

/* Makes sure that a login can be stored; before its code is exchanged. */
enum mt_status account_prepare_login(
    struct account *account, struct mt_error *err) MT_MUST_CHECK;

/* The login came to nothing. */
void account_abandon_login(struct account *account);

/* Takes the tokens of a login over.  When they cannot be saved they are kept in
 * memory, and the alarm says so. */
enum mt_status account_take_login(struct account *account,
    struct oauth_tokens *tokens, struct mt_error *err) MT_MUST_CHECK;

#endif
