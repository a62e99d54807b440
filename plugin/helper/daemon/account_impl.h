/* SPDX-License-Identifier: ISC */
/*
 * The inside of an account, for account.c (state, askers), account_plan.c (what
 * happens at which time), account_record.c (what is stored), account_flight.c
 * (the refresh under way), account_landing.c (its answer), account_login.c
 * (seeds and logins) and account_logout.c only.
 */
#ifndef MT_DAEMON_ACCOUNT_IMPL_H
#define MT_DAEMON_ACCOUNT_IMPL_H

#include "account.h"
#include "records.h"

/* A token with less than this is not worth handing out. */
#define ACCOUNT_VALID_MIN_S 5

/* A time that does not come. */
#define ACCOUNT_NEVER_MS SCHEDULE_NEVER

/* Why a refresh begins. */
enum account_cause {
	CAUSE_ASKER,
	CAUSE_PERSON, /* no pause holds it up */
	CAUSE_AHEAD,  /* of the need of those who use the account */
	CAUSE_IDLENESS,
};

/* The request under way. */
struct flight {
	bool active;
	bool revokes; /* a logout, not a refresh */
	bool with_candidate;
	struct issuer *issuer;
	bool is_trial; /* of the issuer */
	enum account_cause cause;
	uint64_t generation; /* of the account when it began */
	int64_t started_s;   /* wall clock */
	char fingerprint[CRYPTO_HEX_SIZE];
	char token_endpoint[CRYPTO_HEX_SIZE]; /* as in the record */
};

struct account {
	const struct account_env *env;
	struct account_settings *settings; /* our own */
	char fingerprint[CRYPTO_HEX_SIZE]; /* of the settings */

	/* NULL: no memory, or not known yet; then nothing holds it up. */
	struct issuer *issuer;

	enum account_state state; /* but for a flight */
	bool never_logged_in;
	enum account_state announced; /* ACCOUNT_OK: nothing */
	int64_t announced_serial;
	int64_t announce_ms; /* boot clock: again, if it lasts */

	struct mt_error error;   /* why the state is not ACCOUNT_OK */
	unsigned int failures;   /* in a row */
	int64_t next_attempt_ms; /* boot clock; not before, unless forced */

	struct secret token;
	int64_t expires_ms; /* boot clock */
	long lifetime_s;
	int64_t serial;
	int64_t refreshed_at; /* wall clock */
	int64_t login_at;     /* wall clock */
	int64_t rejected_ms;  /* boot clock, of the last token given up */

	bool has_candidate;              /* a seed waits to be tried ... */
	int64_t candidate_after_ms;      /* ... not before, boot clock */
	unsigned int candidate_failures; /* in a row */
	bool candidate_refused;
	bool pause_is_servers; /* it asked for it */
	int64_t skew_s; /* its clock is so far ahead of ours; 0: little */
	int64_t interrupted_s; /* wall clock, of a refresh without an answer */

	/* In memory during a flight, and as long as it is not saved. */
	struct record *record;
	bool unsaved;
	int64_t save_again_ms; /* boot clock */
	unsigned int save_failures;
	char save_text[MT_ERROR_TEXT_MAX];

	/* Counts what makes the result of a flight worthless. */
	uint64_t generation;
	struct flight flight;
	struct discovery_waiter discovery; /* before its request */

	LIST_HEAD(, account_waiter) waiters;
	LIST_HEAD(, account_waiter) leavers; /* who wait for a logout */

	/* Askers wait for its trial, not for a flight; NULL: they do not. */
	struct issuer *queue;

	bool retired;
	bool asked;       /* for a token, since the last one was fetched */
	long wish_s;      /* the longest lifetime that was asked for since */
	long wanted_s;    /* or while the token before was at hand */
	int64_t ahead_ms; /* boot clock: refresh then, if `asked` */
	int64_t keep_alive_ms;      /* boot clock: refresh then in any case */
	int64_t postponed_ms;       /* boot clock: neither of them before */
	struct schedule_item timer; /* for all that has its time */
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

/* Tells a person what only a person can mend, or that it is mended. */
void account_announce(struct account *a);

/* Tells the world that state or serial may be others now. */
void account_notify(struct account *a);

/* Answers those whose time is up with what there is. */
void account_answer_late(struct account *a);

/* account_plan.c: */

/* Sets the timer for what comes next. */
void account_plan(struct account *a);

/* When to refresh without being asked: to be called with each new token ... */
void account_plan_ahead(struct account *a);

/* ... and each time that the login was used. */
void account_plan_keep_alive(struct account *a);

/* Somebody asked for a token with so much to live. */
void account_note_use(struct account *a, long min_ttl_s);

/* What failed is tried again, and what was postponed is done, soon. */
void account_try_soon(struct account *a);

/* No refresh that nobody asks for before this time, or a little later. */
void account_postpone(struct account *a, int64_t until_ms);

/* Milliseconds until the next refresh that nobody asks for; -1: none. */
int64_t account_next_refresh_ms(const struct account *a);

/* account_record.c: */

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

/* Tries again to save what is not saved. */
void account_save_again(struct account *a);

/* Ends the journal of a request without an answer that was stored. */
void account_abandon_journal(const struct account *a);

/* Which endpoint it was that discovery brought; empty for one of the settings. */
enum mt_status account_hash_endpoint(const struct account *a,
    char ret_hex[CRYPTO_HEX_SIZE], struct mt_error *err) MT_MUST_CHECK;

/* Whether a->record has one that is good for the settings as they are. */
bool account_login_is_alive(const struct account *a);
bool account_candidate_is_alive(const struct account *a);

/* Puts what the answer to a->flight brought into a->record. */
void account_record_answer(struct account *a, struct oauth_tokens *tokens);

/* account_flight.c: */

/* MT_BAD_CONFIG if discovery brought another endpoint than the one that the
 * login came from. */
enum mt_status account_check_endpoint(
    struct account *a, struct mt_error *err) MT_MUST_CHECK;

/* Begins a refresh, if the state lets one go out; or, for an asker, waits until
 * the issuer's trial is over: account_hear_of_issuer. */
enum mt_status account_start(struct account *a, enum account_cause cause,
    struct mt_error *err) MT_MUST_CHECK;

/* The same whatever the state. */
enum mt_status account_begin(struct account *a, enum account_cause cause,
    struct mt_error *err) MT_MUST_CHECK;

/* What follows a request, whatever came of it. */
void account_end_flight(struct account *a);

/* account_landing.c: */

/* The answer to the request; `context`: the account. */
void account_land(void *context, struct http_reply *reply);

/* Takes an access token over; the record has its serial already. */
void account_take_token(struct account *a, struct oauth_tokens *tokens);

/* account_logout.c: */

/* Begins the logout that somebody waits for, if any, when no request is under
 * way any more. */
void account_go_on_with_logout(struct account *a);

#endif
