/* SPDX-License-Identifier: ISC */
/* The answer to the request of one account: what it says is settled, stored
 * and told to those who wait. */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define SKEW_MAX_S 300

void
account_take_token(struct account *a, struct oauth_tokens *tokens)
{
	secret_move(&a->token, &tokens->access_token);
	a->lifetime_s = tokens->expires_in_s;
	a->expires_ms = clock_boot_ms() + (int64_t)tokens->expires_in_s * 1000;
	a->wanted_s = a->wish_s;
	a->wish_s = 0;
	account_plan_ahead(a);
}

/* Nothing of it is stored; the clock keeps its serials from repeating. */
static void
succeed_app_only(struct account *a, struct oauth_tokens *tokens)
{
	int64_t now = clock_wall_s();

	if (strcmp(a->flight.fingerprint, a->fingerprint) != 0)
		return;
	a->serial = a->serial < now ? now : a->serial + 1;
	a->refreshed_at = now;
	a->state = ACCOUNT_OK;
	a->error = (struct mt_error){0};
	a->failures = 0;
	a->next_attempt_ms = 0;
	account_take_token(a, tokens);
	log_info("account=%s serial=%lld given to the application, good for "
		 "%ld s",
	    a->settings->name, (long long)a->serial, tokens->expires_in_s);
}

/* Nobody can log in for it: what would be a person's matter is the settings'. */
static void
fail_app_only(struct account *a, const struct failure *failure,
    const struct mt_error *why)
{
	log_warning("account=%s: %s", a->settings->name, why->text);
	account_settle_failure(a,
	    failure->class == FAILURE_LOGIN ? FAILURE_CONFIG : failure->class,
	    failure->retry_after_s, why);
	if (a->flight.cause == CAUSE_AHEAD)
		a->asked = true; /* the need is still there */
}

static void
succeed(struct account *a, struct oauth_tokens *tokens)
{
	account_record_answer(a, tokens);
	account_commit(a);
	if (strcmp(a->flight.fingerprint, a->fingerprint) == 0)
		account_take_token(a, tokens);
	account_settle(a, a->record);
	account_plan_keep_alive(a);
	log_info("account=%s serial=%lld refreshed, good for %ld s",
	    a->settings->name, (long long)a->serial, tokens->expires_in_s);
}

static void
set_mark(
    struct account *a, struct record_mark *mark, const struct mt_error *why)
{
	char when[CLOCK_TEXT_SIZE];
	struct mt_error reason = *why;

	if (a->interrupted_s)
		mt_fail(&reason, why->status,
		    "a refresh begun at %s was interrupted before its answer "
		    "was stored, and now %s",
		    clock_format(a->interrupted_s, when), why->text);
	mark->since_s = clock_wall_s();
	memcpy(mark->reason, reason.text, sizeof(mark->reason));
}

/* A dead token is marked, on disk too, and never tried again. */
static void
mark_dead(struct account *a, const struct mt_error *why)
{
	struct record *record = a->record;
	struct mt_error err = {0};

	set_mark(a, a->flight.with_candidate ? &record->refused : &record->dead,
	    why);
	if (account_save_change(a, &err) != MT_OK)
		log_error("account=%s: %s", a->settings->name, err.text);
	account_settle(a, record);
}

/* An answer that may be lost stays in the journal until one is stored; that to
 * a seed beside a login that serves does not, it says nothing of the login. */
static void
end_journal(struct account *a, const struct failure *failure)
{
	bool of_login = !a->flight.with_candidate || !account_login_is_alive(a);

	if (failure->ambiguous && of_login && !a->interrupted_s)
		a->interrupted_s = a->flight.started_s;
	account_abandon_journal(a);
}

/* The pauses of a seed grow on their own: the login may go well meanwhile. */
static void
postpone_candidate(struct account *a, enum failure_class class)
{
	long pause_s = refresh_pause_s(++a->candidate_failures);

	a->candidate_after_ms = class == FAILURE_CONFIG
				    ? ACCOUNT_NEVER_MS
				    : clock_boot_ms() + (int64_t)pause_s * 1000;
}

static void
fail(struct account *a, const struct failure *failure,
    const struct mt_error *why)
{
	log_warning("account=%s: %s", a->settings->name, why->text);
	if (failure->class == FAILURE_LOGIN)
		mark_dead(a, why);
	else
		account_settle_failure(
		    a, failure->class, failure->retry_after_s, why);
	if (a->flight.with_candidate)
		postpone_candidate(a, failure->class);
	if (a->flight.cause == CAUSE_AHEAD)
		a->asked = true; /* the need is still there */
	end_journal(a, failure);
}

/*
 * The server answered the seed with a no of any kind: the login that it was to
 * replace goes on serving, with a request of its own if the token at hand will
 * not do.  True if one is under way.
 */
static bool
fall_back(struct account *a)
{
	struct mt_error err = {0};

	return account_login_is_alive(a) && !a->env->stopping &&
	       account_wants_token(a) &&
	       account_begin(a, CAUSE_PERSON, &err) == MT_OK;
}

static enum issuer_news
tell_issuer(const struct flight *flight, enum issuer_outcome outcome,
    long retry_after_s, const struct mt_error *why)
{
	if (!flight->issuer)
		return ISSUER_AS_BEFORE;
	return issuer_end(
	    flight->issuer, flight->is_trial, outcome, retry_after_s, why);
}

/* True if it brought tokens. */
static bool
land(struct account *a, struct http_reply *reply, enum issuer_news *ret_news)
{
	struct oauth_tokens tokens;
	struct failure failure = {0};
	struct mt_error why = {0};
	bool app_only = account_settings_app_only(a->settings);
	bool good;

	oauth_tokens_init(&tokens, a->env->arena);
	good = oauth_reply_read(reply, &tokens, &failure, &why) == MT_OK;
	*ret_news = tell_issuer(&a->flight,
	    good || failure.class != FAILURE_TRANSIENT ? ISSUER_ANSWERED
						       : ISSUER_FAILED,
	    failure.retry_after_s, &why);
	if (app_only && good)
		succeed_app_only(a, &tokens);
	else if (app_only)
		fail_app_only(a, &failure, &why);
	else if (good)
		succeed(a, &tokens);
	else
		fail(a, &failure, &why);
	oauth_tokens_done(&tokens);
	return good;
}

/* A wrong clock breaks what servers sign with theirs, and what people read. */
static void
compare_clocks(struct account *a, const struct http_reply *reply)
{
	int64_t skew = reply->server_time_s - clock_wall_s();

	if (!reply->server_time_s)
		return;
	if (llabs(skew) <= SKEW_MAX_S)
		skew = 0;
	else if (!a->skew_s)
		log_warning("account=%s: the clock of this machine and that of "
			    "the server differ by %lld s",
		    a->settings->name, (long long)skew);
	a->skew_s = skew;
}

void
account_land(void *context, struct http_reply *reply)
{
	struct account *a = context;
	bool seed_was_answered =
	    a->flight.with_candidate && reply->http_status != 0;
	struct issuer *issuer = a->flight.issuer;
	enum issuer_news news = ISSUER_AS_BEFORE;
	bool flies_on = false;

	a->flight.active = false;
	compare_clocks(a, reply);
	if (a->flight.generation != a->generation)
		news = tell_issuer(&a->flight, ISSUER_UNKNOWN, 0, NULL);
	else if (!land(a, reply, &news) && seed_was_answered)
		flies_on = fall_back(a);
	if (!flies_on)
		account_end_flight(a);
	if (news != ISSUER_AS_BEFORE && a->env->issuer_changed)
		a->env->issuer_changed(a->env->context, issuer, news);
}
