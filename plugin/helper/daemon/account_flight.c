/* SPDX-License-Identifier: ISC */
/*
 * The request under way of one account, from the journal's intent to the saved
 * answer, and everything else that changes the account's record.
 */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SKEW_MAX_S 300
#define TURN_WAIT_MS 60000 /* at most; mostly the issuer is heard of earlier */

/* ---- the record ---- */

enum mt_status
account_open_record(struct account *a, struct mt_error *err)
{
	if (a->record)
		return MT_OK;
	return records_load(
	    a->env->store, a->settings->name, a->env->arena, &a->record, err);
}

void
account_close_record(struct account *a)
{
	if (!a->flight.active && !a->unsaved)
		record_free(&a->record);
}

static void
save_later(struct account *a, const struct mt_error *why)
{
	long pause_s = refresh_pause_s(++a->save_failures);

	memcpy(a->save_text, why->text, sizeof(a->save_text));
	if (!a->unsaved)
		log_error("account=%s: the new refresh token is in memory "
			  "only: %s",
		    a->settings->name, why->text);
	a->unsaved = true;
	a->save_again_ms =
	    clock_boot_ms() + (int64_t)(pause_s < 60 ? pause_s : 60) * 1000;
}

void
account_commit(struct account *a)
{
	struct mt_error err = {0};
	bool was_unsaved = a->unsaved;

	if (records_commit(a->env->store, a->settings->name, a->record, &err) !=
	    MT_OK) {
		save_later(a, &err);
		return;
	}
	if (was_unsaved)
		log_info("account=%s: the refresh token is saved again",
		    a->settings->name);
	a->unsaved = false;
	a->save_failures = 0;
}

void
account_save_again(struct account *a)
{
	account_commit(a);
	account_close_record(a);
	if (!a->unsaved)
		account_notify(a);
}

enum mt_status
account_save_change(struct account *a, struct mt_error *err)
{
	if (!a->unsaved)
		return records_save(
		    a->env->store, a->settings->name, a->record, err);
	account_commit(a);
	return a->unsaved ? mt_fail(err, MT_RETRY_LATER, "%s", a->save_text)
			  : MT_OK;
}

/* ---- beginning ---- */

/* Whether the state lets a request go out at all. */
static enum mt_status
check_may_try(const struct account *a, bool forced, struct mt_error *err)
{
	bool paused = a->next_attempt_ms > clock_boot_ms();

	if (a->env->stopping)
		return mt_fail(
		    err, MT_RETRY_LATER, "the token helper is stopping");
	if (a->state == ACCOUNT_NEEDS_LOGIN ||
	    (paused && !forced && a->state != ACCOUNT_OK)) {
		*err = a->error;
		return err->status;
	}
	return MT_OK;
}

/* What is only in memory must be saved before the next answer comes. */
static enum mt_status
begin_journal(struct account *a, struct mt_error *err)
{
	const struct store_intent intent = {
	    .started_s = a->flight.started_s,
	    .serial = a->record->serial,
	};

	if (a->unsaved)
		account_commit(a);
	if (a->unsaved)
		return mt_fail(err, MT_RETRY_LATER, "%s", a->save_text);
	return store_begin(a->env->store, a->settings->name, &intent, err);
}

static void
abandon_journal(const struct account *a)
{
	store_abandon(a->env->store, a->settings->name, a->interrupted_s != 0);
}

static void on_reply(void *context, struct http_reply *reply);

/* Which endpoint it was that discovery brought; empty for one of the settings. */
static enum mt_status
hash_endpoint(const struct account *a, char ret_hex[CRYPTO_HEX_SIZE],
    struct mt_error *err)
{
	const char *endpoint = a->settings->provider.token_endpoint;

	ret_hex[0] = '\0';
	if (!a->settings->discovered ||
	    crypto_sha256_hex(endpoint, strlen(endpoint), ret_hex))
		return MT_OK;
	return mt_fail(err, MT_NO_MEMORY, "no memory");
}

/* A refresh token goes to no other endpoint than the one it came from. */
enum mt_status
account_check_endpoint(struct account *a, struct mt_error *err)
{
	const char *now = a->flight.token_endpoint;
	const char *then = a->record->token_endpoint;

	if (hash_endpoint(a, a->flight.token_endpoint, err) != MT_OK)
		return err->status;
	if (a->flight.with_candidate || !*then || !*now ||
	    strcmp(then, now) == 0)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "the server now names another token_endpoint (%.128s) than the "
	    "login was made with; if that is right, log in again",
	    a->settings->provider.token_endpoint);
}

/* Leaves the form empty when it fails. */
static enum mt_status
make_form(struct account *a, struct secret *form, struct mt_error *err)
{
	enum mt_status status;

	if (account_settings_app_only(a->settings)) {
		refresh_form_app_only(form, a->settings);
		return MT_OK;
	}
	status = account_check_endpoint(a, err);
	if (status == MT_OK)
		refresh_form(form, a->settings,
		    a->flight.with_candidate ? &a->record->candidate
					     : &a->record->refresh_token);
	return status;
}

static enum mt_status
post(struct account *a, struct mt_error *err)
{
	struct secret form;
	enum mt_status status;

	secret_init(&form, a->env->arena);
	status = make_form(a, &form, err);
	if (status != MT_OK)
		return status;
	status =
	    oauth_http_post(a->env->http, a->settings->provider.token_endpoint,
		a->settings->ca_file, &form, on_reply, a, err);
	secret_done(&form);
	return status;
}

static void
prepare_flight(struct account *a, bool with_candidate)
{
	a->flight = (struct flight){
	    .with_candidate = with_candidate,
	    .generation = a->generation,
	    .started_s = clock_wall_s(),
	};
	memcpy(a->flight.fingerprint, a->fingerprint,
	    sizeof(a->flight.fingerprint));
}

static bool
login_is_alive(const struct account *a)
{
	const struct record *record = a->record;

	return record->refresh_token.len && !record->dead.since_s &&
	       strcmp(record->fingerprint, a->fingerprint) == 0;
}

static bool
candidate_is_alive(const struct account *a)
{
	const struct record *record = a->record;

	return record->candidate.len && !record->refused.since_s &&
	       strcmp(record->candidate_fingerprint, a->fingerprint) == 0;
}

/* A seed goes first, unless it failed lately and the login serves.  Nothing is
 * sent that is dead or was made for another endpoint. */
static enum mt_status
choose_token(struct account *a, bool login_first, struct mt_error *err)
{
	bool login = login_is_alive(a), candidate = candidate_is_alive(a);

	if (login || candidate) {
		prepare_flight(a, candidate && !(login && login_first));
		return MT_OK;
	}
	account_settle(a, a->record);
	*err = a->error;
	return err->status;
}

static enum mt_status
fail_to_begin(struct account *a, enum mt_status status,
    const struct mt_error *why, struct mt_error *err)
{
	account_close_record(a);
	if (status != MT_NEEDS_LOGIN) {
		account_settle_failure(a, failure_class_of(status), 0, why);
		log_warning("%s", a->error.text);
	}
	*err = a->error;
	return err->status;
}

/* An application has no login that could be read, chosen or lost. */
static enum mt_status
prepare_token(struct account *a, bool login_first, struct mt_error *err)
{
	enum mt_status status;

	if (account_settings_app_only(a->settings)) {
		prepare_flight(a, false);
		return MT_OK;
	}
	status = account_open_record(a, err);
	return status == MT_OK ? choose_token(a, login_first, err) : status;
}

static enum mt_status
send_request(struct account *a, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (!account_settings_app_only(a->settings))
		status = begin_journal(a, err);
	if (status != MT_OK)
		return status;
	status = post(a, err);
	if (status != MT_OK)
		abandon_journal(a);
	return status;
}

static enum mt_status
take_off(struct account *a, enum account_cause cause, struct mt_error *err)
{
	struct mt_error why = {0};
	enum mt_status status =
	    prepare_token(a, !account_candidate_is_due(a), &why);

	if (status == MT_OK)
		status = send_request(a, &why);
	if (status != MT_OK)
		return fail_to_begin(a, status, &why, err);
	a->flight.active = true;
	a->flight.cause = cause;
	a->flight.issuer = a->issuer;
	if (a->issuer)
		a->flight.is_trial = issuer_begin(a->issuer);
	/* whoever asks from now on wants the token behind the next, too */
	if (cause == CAUSE_AHEAD)
		a->asked = false;
	log_debug("account=%s: refresh begins", a->settings->name);
	return MT_OK;
}

/* The issuer is down, and not to be tried before then. */
static enum mt_status
leave_issuer_alone(struct account *a, int64_t until_ms, struct mt_error *err)
{
	const struct issuer_view issuer = issuer_view(a->issuer);

	a->state = ACCOUNT_DEGRADED;
	a->next_attempt_ms = until_ms;
	a->pause_is_servers = false;
	mt_fail(&a->error, MT_RETRY_LATER,
	    "account %s: %u requests to %s in a row failed, so it is left "
	    "alone for a while: %s",
	    a->settings->name, issuer.failures, issuer_host(a->issuer),
	    issuer.why);
	*err = a->error;
	return err->status;
}

/* Whether the issuer takes a request now; if a->queue is set, later. */
static enum mt_status
await_turn(struct account *a, enum account_cause cause, struct mt_error *err)
{
	bool unasked = cause == CAUSE_AHEAD || cause == CAUSE_IDLENESS;
	int64_t until_ms = clock_boot_ms() + TURN_WAIT_MS;
	enum issuer_turn turn = ISSUER_GO;

	if (a->issuer && cause != CAUSE_PERSON)
		turn = issuer_turn(a->issuer, unasked, &until_ms);
	if (turn == ISSUER_GO)
		return MT_OK;
	if (unasked) {
		account_postpone(a, until_ms);
		return mt_fail(err, MT_RETRY_LATER, "it is not its turn");
	}
	if (turn == ISSUER_WAIT)
		return leave_issuer_alone(a, until_ms, err);
	a->queue = a->issuer;
	return MT_OK;
}

/* ---- discovery ---- */

static enum mt_status begin(
    struct account *a, enum account_cause cause, struct mt_error *err);

/* Between asking and answer the settings may have become others. */
static enum mt_status
take_endpoints(
    struct account *a, const struct provider *found, struct mt_error *err)
{
	if (strcmp(a->flight.fingerprint, a->fingerprint) != 0)
		return mt_fail(
		    err, MT_RETRY_LATER, "its settings changed meanwhile");
	return account_has_endpoints(a) ? MT_OK
					: account_take_endpoints(a, found, err);
}

static void
end_flight(struct account *a)
{
	account_close_record(a);
	account_notify(a);
	account_answer_all(a);
	account_go_on_with_logout(a);
}

/* Whoever came meanwhile counts as well. */
static enum account_cause
cause_by_now(const struct account *a)
{
	const struct account_waiter *w;

	LIST_FOREACH(w, &a->waiters, link)
	if (w->forced)
		return CAUSE_PERSON;
	return LIST_EMPTY(&a->waiters) || a->flight.cause == CAUSE_PERSON
		   ? a->flight.cause
		   : CAUSE_ASKER;
}

static void
on_discovered(struct discovery_waiter *waiter, const struct provider *found,
    const struct mt_error *result)
{
	struct account *a =
	    (struct account *)(void *)((char *)waiter -
				       offsetof(struct account, discovery));
	struct mt_error error = *result;

	a->flight.active = false;
	if (a->flight.generation == a->generation) {
		if (error.status == MT_OK)
			error.status = take_endpoints(a, found, &error);
		if (error.status != MT_OK) {
			abandon_journal(a);
			fail_to_begin(a, error.status, &error, &error);
		} else if (begin(a, cause_by_now(a), &error) == MT_OK) {
			if (a->queue)
				account_notify(a);
			return;
		}
	}
	end_flight(a);
}

/* The server that a request goes to must be known before it can be asked
 * whether it takes one.  *ret_waits: on_discovered goes on. */
static enum mt_status
find_endpoints(struct account *a, enum account_cause cause, bool *ret_waits,
    struct mt_error *err)
{
	const struct provider *found = NULL;
	struct mt_error why = {0};
	enum mt_status status =
	    prepare_token(a, !account_candidate_is_due(a), &why);

	a->discovery.answer = on_discovered;
	if (status == MT_OK) {
		found = discovery_ask(
		    a->env->discovery, a->settings, &a->discovery, &why);
		status = why.status;
	}
	if (status == MT_OK && found)
		status = take_endpoints(a, found, &why);
	if (status != MT_OK)
		return fail_to_begin(a, status, &why, err);
	*ret_waits = a->flight.active = !found;
	a->flight.cause = cause;
	account_close_record(a);
	return MT_OK;
}

/* ---- taking off ---- */

static enum mt_status
begin(struct account *a, enum account_cause cause, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	bool waits = false;

	if (!account_has_endpoints(a))
		status = find_endpoints(a, cause, &waits, err);
	if (status == MT_OK && !waits)
		status = await_turn(a, cause, err);
	if (status == MT_OK && !waits && !a->queue)
		status = take_off(a, cause, err);
	return status;
}

enum mt_status
account_start(struct account *a, enum account_cause cause, struct mt_error *err)
{
	enum mt_status status = check_may_try(a, cause == CAUSE_PERSON, err);

	a->queue = NULL;
	if (status == MT_OK)
		status = begin(a, cause, err);
	if (a->flight.active)
		account_notify(a);
	return status;
}

/* ---- the answer ---- */

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

static void
clear_candidate(struct record *record)
{
	secret_done(&record->candidate);
	record->candidate_fingerprint[0] = '\0';
	record->refused = (struct record_mark){0};
}

/* Puts what the answer brought into the record. */
static void
take_answer(struct account *a, struct oauth_tokens *tokens)
{
	struct record *record = a->record;

	if (tokens->refresh_token.len)
		secret_move(&record->refresh_token, &tokens->refresh_token);
	else if (a->flight.with_candidate)
		secret_move(&record->refresh_token, &record->candidate);
	if (a->flight.with_candidate) {
		clear_candidate(record);
		record->login_at = clock_wall_s();
	}
	memcpy(record->fingerprint, a->flight.fingerprint,
	    sizeof(record->fingerprint));
	memcpy(record->token_endpoint, a->flight.token_endpoint,
	    sizeof(record->token_endpoint));
	record->dead = (struct record_mark){0};
	record->serial++;
	record->refreshed_at = clock_wall_s();
	a->interrupted_s = 0;
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
	take_answer(a, tokens);
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
	bool of_login = !a->flight.with_candidate || !login_is_alive(a);

	if (failure->ambiguous && of_login && !a->interrupted_s)
		a->interrupted_s = a->flight.started_s;
	store_abandon(a->env->store, a->settings->name, a->interrupted_s != 0);
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

	return login_is_alive(a) && !a->env->stopping &&
	       account_wants_token(a) && begin(a, CAUSE_PERSON, &err) == MT_OK;
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

static void
on_reply(void *context, struct http_reply *reply)
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
		end_flight(a);
	if (news != ISSUER_AS_BEFORE && a->env->issuer_changed)
		a->env->issuer_changed(a->env->context, issuer, news);
}

/* ---- seeds and logins ---- */

static enum mt_status
take_seed(struct account *a, const struct secret *seed, const char *hash,
    struct mt_error *err)
{
	enum mt_status status;

	if (a->flight.active && a->flight.with_candidate)
		return mt_fail(err, MT_RETRY_LATER,
		    "the refresh token given before is just being tried");
	if (!record_has_seed(a->record, hash))
		record_add_seed(a->record, hash);
	clear_candidate(a->record);
	secret_copy(&a->record->candidate, seed);
	memcpy(a->record->candidate_fingerprint, a->fingerprint,
	    sizeof(a->fingerprint));
	status = account_save_change(a, err);
	if (status == MT_OK && !a->flight.active)
		account_settle(a, a->record);
	else if (status == MT_OK)
		a->has_candidate = true;
	a->candidate_after_ms = 0;
	a->candidate_failures = 0;
	return status;
}

enum mt_status
account_seed(struct account *a, const struct secret *seed, bool again,
    struct mt_error *err)
{
	char hash[CRYPTO_HEX_SIZE];
	enum mt_status status;

	if (!crypto_sha256_hex(secret_expose(seed), seed->len, hash))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = account_open_record(a, err);
	if (status != MT_OK)
		return status;
	if (again || !record_has_seed(a->record, hash))
		status = take_seed(a, seed, hash, err);
	account_close_record(a);
	account_notify(a);
	return status;
}

enum mt_status
account_judge_seed(struct account *a, struct mt_error *err)
{
	enum mt_status status = account_open_record(a, err);
	const struct record *record = a->record;

	if (status != MT_OK)
		return status;
	if (record->candidate.len && record->refused.since_s)
		status = mt_fail(err, MT_NEEDS_LOGIN,
		    "account %s: this refresh token is no good: %s%s",
		    a->settings->name, record->refused.reason,
		    login_is_alive(a) ? "; the login before it still serves"
				      : "");
	else if (record->candidate.len)
		status = mt_fail(err, MT_RETRY_LATER,
		    "account %s: the server could not be asked about the "
		    "refresh token; it is kept and tried again",
		    a->settings->name);
	account_close_record(a);
	return status;
}

enum mt_status
account_prepare_login(struct account *a, struct mt_error *err)
{
	enum mt_status status = records_ready(a->env->store, err);

	if (status == MT_OK)
		status = store_reserve(a->env->store, a->settings->name, err);
	return status;
}

void
account_abandon_login(struct account *a)
{
	if (!a->flight.active)
		store_abandon(
		    a->env->store, a->settings->name, a->interrupted_s != 0);
}

/* A record that cannot be read gives way to a login, and is kept. */
static enum mt_status
open_record_for_login(struct account *a, struct mt_error *err)
{
	struct mt_error why = {0};
	enum mt_status status = account_open_record(a, &why);

	if (status == MT_OK)
		return MT_OK;
	if (status != MT_BAD_CONFIG) {
		*err = why;
		return status;
	}
	status = store_set_aside(a->env->store, a->settings->name, err);
	if (status != MT_OK)
		return status;
	a->record = record_new(a->env->arena);
	return a->record ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

enum mt_status
account_take_login(
    struct account *a, struct oauth_tokens *tokens, struct mt_error *err)
{
	enum mt_status status = open_record_for_login(a, err);

	if (status == MT_OK)
		status = hash_endpoint(a, a->flight.token_endpoint, err);
	if (status != MT_OK)
		return status;
	a->generation++;
	a->flight.with_candidate = false;
	memcpy(a->flight.fingerprint, a->fingerprint,
	    sizeof(a->flight.fingerprint));
	clear_candidate(a->record);
	a->record->login_at = clock_wall_s();
	take_answer(a, tokens);
	account_commit(a);
	account_take_token(a, tokens);
	account_settle(a, a->record);
	account_plan_keep_alive(a);
	log_info("account=%s serial=%lld logged in", a->settings->name,
	    (long long)a->serial);
	account_close_record(a);
	account_notify(a);
	account_answer_all(a);
	return MT_OK;
}
