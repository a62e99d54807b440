/* SPDX-License-Identifier: ISC */
/* The request under way of one account, from the decision that it may be made
 * to the moment when it is sent; the answer is account_landing.c's matter. */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <stddef.h>
#include <string.h>

#define TURN_WAIT_MS 60000 /* at most; mostly the issuer is heard of earlier */

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

enum mt_status
account_check_endpoint(struct account *a, struct mt_error *err)
{
	const char *now = a->flight.token_endpoint;
	const char *then = a->record->token_endpoint;

	if (account_hash_endpoint(a, a->flight.token_endpoint, err) != MT_OK)
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
		a->settings->ca_file, &form, account_land, a, err);
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

/* A seed goes first, unless it failed lately and the login serves.  Nothing is
 * sent that is dead or was made for another endpoint. */
static enum mt_status
choose_token(struct account *a, bool login_first, struct mt_error *err)
{
	bool login = account_login_is_alive(a),
	     candidate = account_candidate_is_alive(a);

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
		account_abandon_journal(a);
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

void
account_end_flight(struct account *a)
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
			account_abandon_journal(a);
			fail_to_begin(a, error.status, &error, &error);
		} else if (account_begin(a, cause_by_now(a), &error) == MT_OK) {
			if (a->queue)
				account_notify(a);
			return;
		}
	}
	account_end_flight(a);
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

enum mt_status
account_begin(struct account *a, enum account_cause cause, struct mt_error *err)
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
		status = account_begin(a, cause, err);
	if (a->flight.active)
		account_notify(a);
	return status;
}
