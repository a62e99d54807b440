/* SPDX-License-Identifier: ISC */
#include "account.h"

#include "account_impl.h"
#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server that refuses every token must not make every refusal a refresh. */
#define REJECT_PAUSE_MS 60000

const char *
account_state_word(enum account_state state)
{
	static const char *const words[] = {
	    [ACCOUNT_OK] = "ok",
	    [ACCOUNT_REFRESHING] = "refreshing",
	    [ACCOUNT_DEGRADED] = "degraded",
	    [ACCOUNT_NEEDS_LOGIN] = "needs-login",
	    [ACCOUNT_NEEDS_ADMIN] = "needs-admin",
	    [ACCOUNT_BROKEN_CONFIG] = "broken-config",
	};

	return words[state];
}

static long
left_s(const struct account *a)
{
	int64_t left = a->token.len ? a->expires_ms - clock_boot_ms() : 0;

	return left > 0 ? (long)(left / 1000) : 0;
}

void
account_notify(struct account *a)
{
	account_announce(a);
	if (a->env->changed)
		a->env->changed(a->env->context, a);
}

/* ---- state ---- */

/* What to do comes first: the reason may be long. */
static void
needs_login(struct account *a, const char *why)
{
	a->state = ACCOUNT_NEEDS_LOGIN;
	mt_fail(&a->error, MT_NEEDS_LOGIN, "run 'mailtoken login %s': %s",
	    a->settings->name, why);
}

static void
settle_login(struct account *a, const struct record *record)
{
	a->never_logged_in = !account_settings_app_only(a->settings) &&
			     !record->refresh_token.len &&
			     !record->refused.since_s;
	if (account_settings_app_only(a->settings))
		a->state = ACCOUNT_OK;
	else if (!record->refresh_token.len && record->refused.since_s)
		needs_login(a, record->refused.reason);
	else if (!record->refresh_token.len && record->dead.since_s)
		needs_login(a, record->dead.reason);
	else if (!record->refresh_token.len)
		needs_login(a, "nobody has logged in yet");
	else if (strcmp(record->fingerprint, a->fingerprint) != 0)
		needs_login(a, "its endpoint, client, user or owner is not "
			       "the one that the login was made with");
	else if (record->dead.since_s)
		needs_login(a, record->dead.reason);
	else
		a->state = ACCOUNT_OK;
}

static void
take_identity(struct account *a, const char *identity)
{
	free(a->identity);
	a->identity = *identity ? strdup(identity) : NULL;
}

void
account_settle(struct account *a, const struct record *record)
{
	/* an application's are not in the record */
	if (!account_settings_app_only(a->settings)) {
		a->serial = record->serial;
		a->refreshed_at = record->refreshed_at;
		a->login_at = record->login_at;
		take_identity(a, record->identity);
	}
	a->candidate_refused = record->candidate.len && record->refused.since_s;
	a->has_candidate =
	    record->candidate.len && !record->refused.since_s &&
	    strcmp(record->candidate_fingerprint, a->fingerprint) == 0;
	a->error = (struct mt_error){0};
	a->failures = 0;
	a->next_attempt_ms = 0;
	if (a->has_candidate)
		a->state = ACCOUNT_OK;
	else
		settle_login(a, record);
}

void
account_settle_failure(struct account *a, enum failure_class class,
    long retry_after_s, const struct mt_error *why)
{
	static const enum account_state states[] = {
	    [FAILURE_TRANSIENT] = ACCOUNT_DEGRADED,
	    [FAILURE_ADMIN] = ACCOUNT_NEEDS_ADMIN,
	    [FAILURE_LOGIN] = ACCOUNT_NEEDS_LOGIN,
	    [FAILURE_CONFIG] = ACCOUNT_BROKEN_CONFIG,
	};
	long pause = class == FAILURE_ADMIN ? REFRESH_ADMIN_PAUSE_S
					    : refresh_pause_s(++a->failures);

	a->pause_is_servers = retry_after_s > 0;
	if (pause < retry_after_s)
		pause = retry_after_s < REFRESH_RETRY_AFTER_MAX_S
			    ? retry_after_s
			    : REFRESH_RETRY_AFTER_MAX_S;
	a->state = states[class];
	a->next_attempt_ms = class == FAILURE_CONFIG
				 ? ACCOUNT_NEVER_MS
				 : clock_boot_ms() + (int64_t)pause * 1000;
	mt_fail(&a->error, failure_status(class), "account %s: %s",
	    a->settings->name, why->text);
}

static void
describe_alarm(const struct account *a, struct mt_error *alarm)
{
	char when[CLOCK_TEXT_SIZE];

	alarm->text[0] = '\0';
	if (a->unsaved)
		mt_fail(alarm, MT_RETRY_LATER,
		    "the new refresh token is in memory only and would be lost "
		    "with the helper: %s; saving it is tried again and again",
		    a->save_text);
	else if (a->candidate_refused)
		mt_fail(alarm, MT_NEEDS_LOGIN,
		    "the refresh token that was given to start from was "
		    "refused; the login before it still serves");
	else if (a->interrupted_s)
		mt_fail(alarm, MT_RETRY_LATER,
		    "a refresh begun at %s was interrupted before its answer "
		    "was stored; if the server refuses the old refresh token "
		    "now, somebody must log in again",
		    clock_format(a->interrupted_s, when));
	else if (a->skew_s)
		mt_fail(alarm, MT_NEEDS_ADMIN,
		    "the clock of this machine is wrong: the server's is %s "
		    "by %lld min",
		    a->skew_s > 0 ? "ahead" : "behind", llabs(a->skew_s) / 60);
	else if (a->env->alarm && a->env->alarm(a->env->context))
		mt_fail(alarm, MT_NEEDS_ADMIN, "%s",
		    a->env->alarm(a->env->context));
}

void
account_view(const struct account *a, struct account_view *ret_view)
{
	int64_t pause = a->next_attempt_ms - clock_boot_ms(), next;
	struct mt_error alarm;

	describe_alarm(a, &alarm);
	*ret_view = (struct account_view){
	    .state = a->flight.active && !a->flight.revokes ? ACCOUNT_REFRESHING
							    : a->state,
	    .text = a->state == ACCOUNT_OK ? "" : a->error.text,
	    .serial = a->serial,
	    .expires_in_s = left_s(a),
	    .refreshed_at = a->refreshed_at,
	    .login_at = a->login_at,
	    .identity = a->identity ? a->identity : "",
	    .skew_s = (long)a->skew_s,
	};
	memcpy(ret_view->alarm, alarm.text, sizeof(ret_view->alarm));
	if (pause > 0 && a->next_attempt_ms != ACCOUNT_NEVER_MS)
		ret_view->next_attempt_s = (long)((pause + 999) / 1000);
	if (a->issuer)
		ret_view->issuer = issuer_view(a->issuer);
	ret_view->in_use = a->asked;
	next = account_next_refresh_ms(a);
	if (next >= 0)
		ret_view->next_refresh_s = (long)(next / 1000) + 1;
}

const struct secret *
account_token(const struct account *a)
{
	return &a->token;
}

const struct account_settings *
account_settings_of(const struct account *a)
{
	return a->settings;
}

/* Discovery has to find the endpoint first. */
static void
find_issuer(struct account *a)
{
	const char *endpoint = a->settings->provider.token_endpoint;

	a->issuer = endpoint ? issuers_get(a->env->issuers, endpoint) : NULL;
}

bool
account_has_endpoints(const struct account *a)
{
	return !a->settings->provider.discovery || a->settings->discovered;
}

enum mt_status
account_take_endpoints(
    struct account *a, const struct provider *found, struct mt_error *err)
{
	struct provider *provider = &a->settings->provider;
	enum mt_status status;

	if (!provider->discovery ||
	    strcmp(provider->discovery, found->discovery) != 0)
		return mt_fail(err, MT_RETRY_LATER,
		    "account %s: its settings changed meanwhile",
		    a->settings->name);
	status = provider_complete(provider, found, err);
	a->settings->discovered = status == MT_OK;
	a->settings->iss_unannounced = !found->issuer;
	find_issuer(a);
	return status;
}

bool
account_in_flight(const struct account *a)
{
	return a->flight.active;
}

bool
account_is_busy(const struct account *a)
{
	return a->flight.active || a->unsaved || !LIST_EMPTY(&a->waiters);
}

/* ---- askers ---- */

bool
account_wants_token(const struct account *a)
{
	const struct account_waiter *w;

	if (!a->token.len || refresh_is_due(a->lifetime_s, left_s(a), 0))
		return true;
	LIST_FOREACH(w, &a->waiters, link)
	if (w->forced)
		return true;
	return false;
}

bool
account_candidate_is_due(const struct account *a)
{
	return a->has_candidate && a->candidate_after_ms <= clock_boot_ms();
}

/* A token that is still good is better than the failure to get another. */
static void
answer(struct account *a, struct account_waiter *waiter,
    const struct mt_error *failure)
{
	struct mt_error result = {.status = MT_OK};
	bool good = failure
			? !waiter->forced && left_s(a) >= ACCOUNT_VALID_MIN_S
			: a->token.len > 0;

	waiter->account = NULL;
	if (!good && failure)
		result = *failure;
	else if (!good)
		mt_fail(&result, MT_RETRY_LATER,
		    "account %s: its token was dropped meanwhile",
		    a->settings->name);
	waiter->answer(waiter, a, &result);
}

void
account_answer_all(struct account *a)
{
	struct mt_error error = a->error;
	const struct mt_error *failure = a->state == ACCOUNT_OK ? NULL : &error;
	struct account_waiter *w;
	LIST_HEAD(, account_waiter) ready = LIST_HEAD_INITIALIZER(ready);

	/* an answer may bring the next question */
	while ((w = LIST_FIRST(&a->waiters))) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&ready, w, link);
	}
	while ((w = LIST_FIRST(&ready))) {
		LIST_REMOVE(w, link);
		answer(a, w, failure);
	}
	account_plan(a);
}

void
account_leave(struct account_waiter *waiter)
{
	if (!waiter->account)
		return;
	LIST_REMOVE(waiter, link);
	waiter->account = NULL;
}

void
account_answer_late(struct account *a)
{
	int64_t now = clock_boot_ms();
	struct account_waiter *w, *next;
	struct mt_error error;
	LIST_HEAD(, account_waiter) late = LIST_HEAD_INITIALIZER(late);

	mt_fail(&error, MT_RETRY_LATER,
	    "account %s: the token endpoint has not answered yet",
	    a->settings->name);
	for (w = LIST_FIRST(&a->waiters); w; w = next) {
		next = LIST_NEXT(w, link);
		if (w->deadline_ms > now)
			continue;
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&late, w, link);
	}
	/* an answer may end the connection of another who waits */
	while ((w = LIST_FIRST(&late))) {
		LIST_REMOVE(w, link);
		answer(a, w, &error);
	}
}

/* Joins the refresh under way, or begins one. */
static void
wait_for_refresh(struct account *a, struct account_waiter *waiter, long wait_ms)
{
	struct mt_error error = {0};
	enum mt_status status = MT_OK;

	if (!a->flight.active && (!a->queue || waiter->forced))
		status = account_start(
		    a, waiter->forced ? CAUSE_PERSON : CAUSE_ASKER, &error);
	if (status != MT_OK) {
		answer(a, waiter, &error);
		account_plan(a);
		return;
	}
	waiter->account = a;
	waiter->deadline_ms = clock_boot_ms() + wait_ms;
	LIST_INSERT_HEAD(&a->waiters, waiter, link);
	account_plan(a);
}

void
account_get(struct account *a, struct account_waiter *waiter, long min_ttl_s,
    long wait_ms)
{
	waiter->forced = false;
	account_note_use(a, min_ttl_s);
	if (!account_candidate_is_due(a) && a->token.len &&
	    !refresh_is_due(a->lifetime_s, left_s(a), min_ttl_s))
		answer(a, waiter, NULL);
	else
		wait_for_refresh(a, waiter, wait_ms);
}

void
account_refresh(struct account *a, struct account_waiter *waiter, long wait_ms)
{
	waiter->forced = true;
	wait_for_refresh(a, waiter, wait_ms);
}

void
account_reject(struct account *a, int64_t serial)
{
	int64_t now = clock_boot_ms();

	if (serial != a->serial || !a->token.len)
		return;
	if (a->rejected_ms && now - a->rejected_ms < REJECT_PAUSE_MS) {
		log_info("account=%s serial=%lld rejected again; kept, a new "
			 "token was fetched for that less than a minute ago",
		    a->settings->name, (long long)serial);
		return;
	}
	log_info("account=%s serial=%lld rejected by a server; dropped",
	    a->settings->name, (long long)serial);
	a->rejected_ms = now;
	secret_done(&a->token);
	a->asked = false; /* whoever still wants one comes again */
	account_plan(a);
}

/* Those who waited for the issuer's trial go on, or learn that it failed. */
static void
serve_queue(struct account *a, enum issuer_news news)
{
	struct mt_error error = {0};

	a->queue = NULL;
	if (LIST_EMPTY(&a->waiters))
		return;
	if (news == ISSUER_BACK)
		a->next_attempt_ms = 0;
	if (account_start(a, CAUSE_ASKER, &error) != MT_OK)
		account_answer_all(a);
}

void
account_hear_of_issuer(
    struct account *a, const struct issuer *issuer, enum issuer_news news)
{
	if ((a->issuer != issuer && a->queue != issuer) || a->flight.active)
		return;
	if (news == ISSUER_BACK)
		account_try_soon(a);
	if (a->queue == issuer)
		serve_queue(a, news);
	account_plan(a);
}

/* ---- life ---- */

/* What a helper that was killed left behind, and the state as it was. */
static void
load(struct account *a)
{
	const char *name = a->settings->name;
	struct store_intent intent;
	struct mt_error err = {0};
	enum mt_status status;

	if (account_settings_app_only(a->settings))
		return;
	status = records_recover(a->env->store, name, a->env->arena, &err);

	if (status == MT_OK)
		status = account_open_record(a, &err);
	if (status != MT_OK) {
		account_settle_failure(a, failure_class_of(status), 0, &err);
		/* that the store is locked is said once, not by each account */
		if (status != MT_NEEDS_ADMIN)
			log_error("%s", a->error.text);
		return;
	}
	store_read_intent(a->env->store, name, &intent);
	if (intent.started_s && intent.serial == a->record->serial)
		a->interrupted_s = intent.started_s;
	else
		store_abandon(a->env->store, name, false);
	account_settle(a, a->record);
	account_plan_keep_alive(a);
	account_close_record(a);
}

void
account_load_again(struct account *a)
{
	if (account_is_busy(a))
		return;
	load(a);
	account_plan(a);
	account_notify(a);
}

enum mt_status
account_new(const struct account_env *env, struct account_settings **settings,
    struct account **ret_account, struct mt_error *err)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a || !refresh_fingerprint(*settings, a->fingerprint)) {
		free(a);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	a->env = env;
	a->settings = *settings;
	*settings = NULL;
	secret_init(&a->token, env->arena);
	LIST_INIT(&a->waiters);
	LIST_INIT(&a->leavers);
	a->ahead_ms = a->keep_alive_ms = ACCOUNT_NEVER_MS;
	a->timer.context = a;
	find_issuer(a);
	load(a);
	account_announce(a);
	account_plan(a);
	*ret_account = a;
	return MT_OK;
}

void
account_free(struct account **account)
{
	struct account *a = *account;

	if (!a)
		return;
	secret_done(&a->token);
	record_free(&a->record);
	account_settings_free(&a->settings);
	free(a->identity);
	schedule_set(a->env->schedule, &a->timer, SCHEDULE_NEVER);
	free(a);
	*account = NULL;
}

void
account_retire(struct account *a)
{
	a->retired = true;
	account_plan(a);
}

static void
forget_token(struct account *a)
{
	secret_done(&a->token);
	a->rejected_ms = 0;
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void
account_use_settings(struct account *a, struct account_settings **settings)
{
	char fingerprint[CRYPTO_HEX_SIZE];
	struct mt_error err = {0};

	if (!refresh_fingerprint(*settings, fingerprint))
		fingerprint[0] = '\0';
	if (strcmp(fingerprint, a->fingerprint) != 0 ||
	    !same_text(
		(*settings)->provider.scope, a->settings->provider.scope))
		forget_token(a);
	account_settings_free(&a->settings);
	a->settings = *settings;
	*settings = NULL;
	memcpy(a->fingerprint, fingerprint, sizeof(a->fingerprint));
	find_issuer(a);
	a->candidate_after_ms = 0;
	a->candidate_failures = 0;
	a->retired = false;
	account_plan_keep_alive(a);
	if (a->flight.active)
		return;
	if (account_open_record(a, &err) == MT_OK) {
		account_settle(a, a->record);
		account_close_record(a);
	}
	account_plan(a);
	account_notify(a);
}

void
account_flush(struct account *a)
{
	if (a->unsaved)
		account_save_again(a);
	if (a->unsaved)
		log_error("account=%s: its refresh token is lost, it could not "
			  "be saved: %s",
		    a->settings->name, a->save_text);
}
