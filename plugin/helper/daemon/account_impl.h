/* SPDX-License-Identifier: ISC */
/*
 * The inside of an account, for account.c (state, askers),
 * account_flight.c (the refresh under way and the record) and account_logout.c
 * only.
 */
#ifndef MT_DAEMON_ACCOUNT_IMPL_H
#define MT_DAEMON_ACCOUNT_IMPL_H

#include "account.h"
#include "records.h"

/* A token with less than this is not worth handing out. */
#define ACCOUNT_VALID_MIN_S 5

/* A time that does not come. */
#define ACCOUNT_NEVER_MS INT64_MAX

/* The request under way. */
struct flight {
	bool active;
	bool revokes; /* a logout, not a refresh */
	bool with_candidate;
	uint64_t generation; /* of the account when it began */
	int64_t started_s;   /* wall clock */
	char fingerprint[CRYPTO_HEX_SIZE];
	char token_endpoint[CRYPTO_HEX_SIZE]; /* as in the record */
};

struct account {
	const struct account_env *env;
	struct account_settings *settings; /* our own */
	char fingerprint[CRYPTO_HEX_SIZE]; /* of the settings */

	enum account_state state; /* but for a flight */
	struct mt_error error;    /* why the state is not ACCOUNT_OK */
	unsigned int failures;    /* in a row */
	int64_t next_attempt_ms;  /* boot clock; not before, unless forced */

	struct secret token;
	int64_t expires_ms; /* boot clock */
	long lifetime_s;
	int64_t serial;
	int64_t refreshed_at; /* wall clock */
	int64_t rejected_ms;  /* boot clock, of the last token given up */

	bool has_candidate;              /* a seed waits to be tried ... */
	int64_t candidate_after_ms;      /* ... not before, boot clock */
	unsigned int candidate_failures; /* in a row */
	bool candidate_refused;
	int64_t interrupted_s; /* wall clock, of a refresh without an answer */

	/* In memory during a flight, and as long as it is not saved. */
	struct record *record;
	bool unsaved;
	uint64_t save_again_ms; /* of the loop's clock */
	unsigned int save_failures;
	char save_text[MT_ERROR_TEXT_MAX];

	/* Counts what makes the result of a flight worthless. */
	uint64_t generation;
	struct flight flight;
	struct discovery_waiter discovery; /* before its request */

	LIST_HEAD(, account_waiter) waiters;
	LIST_HEAD(, account_waiter) leavers; /* who wait for a logout */
	uv_timer_t timer;                    /* for deadlines and saving */
};

/* account.c: */

/* Takes the state from what is stored. */
void account_settle(struct account *a, const struct record *record);

/* The state after a failure of this class; `why` says what happened. */
void account_settle_failure(struct account *a, enum failure_class class,
    long retry_after_s, const struct mt_error *why);

/* True if somebody waits for another token than the one at hand. */
bool account_wants_token(const struct account *a);

/* True if a seed is to be tried now. */
bool account_candidate_is_due(const struct account *a);

/* Answers everybody who waits by the state. */
void account_answer_all(struct account *a);

/* Tells the world that state or serial may be others now. */
void account_notify(struct account *a);

/* Sets the timer for what comes next. */
void account_plan(struct account *a);

/* account_flight.c: */

/* Loads the record into a->record unless it is there. */
enum mt_status account_open_record(
    struct account *a, struct mt_error *err) MT_MUST_CHECK;

/* Lets go of it, unless something still needs it. */
void account_close_record(struct account *a);

/* Saves a->record as the outcome of a request; never fails, see `unsaved`. */
void account_commit(struct account *a);

/* Saves a change that no request brought: a mark, a seed, a logout. */
enum mt_status account_save_change(
    struct account *a, struct mt_error *err) MT_MUST_CHECK;

/* MT_BAD_CONFIG if discovery brought another endpoint than the one that the
 * login came from. */
enum mt_status account_check_endpoint(
    struct account *a, struct mt_error *err) MT_MUST_CHECK;

/* Tries again to save what is not saved. */
void account_save_again(struct account *a);

/* Begins a refresh. */
enum mt_status account_start(
    struct account *a, bool forced, struct mt_error *err) MT_MUST_CHECK;

/* Takes an access token over; the record has its serial already. */
void account_take_token(struct account *a, struct oauth_tokens *tokens);

/* account_logout.c: */

/* Begins the logout that somebody waits for, if any, when no request is under
 * way any more. */
void account_go_on_with_logout(struct account *a);

#endif
