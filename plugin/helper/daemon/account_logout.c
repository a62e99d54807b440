/* SPDX-License-Identifier: ISC */
/*
 * The end of a login that a person wants: revoked at the server, RFC 7009, then
 * removed from the store.  The request is a flight as a refresh is, so that
 * neither begins during the other.
 */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <stddef.h>
#include <string.h>

static void
answer_leavers(struct account *a, enum account_revoked revoked,
    const struct mt_error *result)
{
	struct account_waiter *w;
	LIST_HEAD(, account_waiter) ready = LIST_HEAD_INITIALIZER(ready);

	while ((w = LIST_FIRST(&a->leavers))) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&ready, w, link);
	}
	while ((w = LIST_FIRST(&ready))) {
		LIST_REMOVE(w, link);
		w->account = NULL;
		w->revoked = revoked;
		w->answer(w, a, result);
	}
}

/* Those who asked for a token meanwhile get one, as the login lives. */
static bool
serve_waiters(struct account *a)
{
	struct mt_error err = {0};

	return !LIST_EMPTY(&a->waiters) && account_wants_token(a) &&
	       account_start(a, CAUSE_ASKER, &err) == MT_OK;
}

static void
end(struct account *a, enum account_revoked revoked,
    const struct mt_error *result)
{
	account_close_record(a);
	answer_leavers(a, revoked, result);
	if (!a->flight.active && !serve_waiters(a)) {
		account_notify(a);
		account_answer_all(a);
	}
}

/* What to do comes first: the reason may be long. */
static void
fail_logout(struct account *a, const struct mt_error *why)
{
	struct mt_error result;

	mt_fail(&result, why->status,
	    "account %s: the login is kept; try again, or run 'mailtoken "
	    "logout %s --local' to forget it here only: %s",
	    a->settings->name, a->settings->name, why->text);
	log_warning("%s", result.text);
	end(a, REVOKED_NO, &result);
}

static void
wipe(struct record *record)
{
	secret_done(&record->refresh_token);
	secret_done(&record->candidate);
	record->candidate_fingerprint[0] = '\0';
	record->identity[0] = '\0';
	record->refused = (struct record_mark){0};
	record->dead = (struct record_mark){
	    .since_s = clock_wall_s(), .reason = "logged out"};
}

/* Removes the login; a failure to do so leaves it as it was. */
static void
forget(struct account *a, enum account_revoked revoked)
{
	static const char *const told[] = {
	    [REVOKED_NO] = "not told",
	    [REVOKED_YES] = "told",
	    [REVOKED_UNSUPPORTED] = "takes no revocation",
	    [REVOKED_NOTHING] = "not told",
	};
	struct mt_error result = {0};

	wipe(a->record);
	if (account_save_change(a, &result) != MT_OK) {
		log_error("account=%s: %s", a->settings->name, result.text);
		end(a, revoked, &result);
		return;
	}
	a->interrupted_s = 0;
	store_abandon(a->env->store, a->settings->name, false);
	secret_done(&a->token);
	account_settle(a, a->record);
	log_info("account=%s logged out, server %s", a->settings->name,
	    told[revoked]);
	end(a, revoked, &result);
}

static void
on_revoked(void *context, struct http_reply *reply)
{
	struct account *a = context;
	struct failure failure;
	struct mt_error why = {0};

	a->flight.active = false;
	if (a->flight.generation != a->generation) {
		mt_fail(&why, MT_RETRY_LATER,
		    "account %s: somebody logged in again meanwhile; that "
		    "login is kept",
		    a->settings->name);
		end(a, REVOKED_NO, &why);
		return;
	}
	if (oauth_revocation_read(reply, &failure, &why) == MT_OK)
		forget(a, REVOKED_YES);
	else
		fail_logout(a, &why);
}

static enum mt_status
post(struct account *a, struct mt_error *err)
{
	struct secret form;
	enum mt_status status;

	secret_init(&form, a->env->arena);
	refresh_form_revocation(&form, a->settings, &a->record->refresh_token);
	status = oauth_http_post(a->env->http,
	    a->settings->provider.revocation_endpoint, a->settings->ca_file,
	    &form, on_revoked, a, err);
	secret_done(&form);
	if (status == MT_OK)
		a->flight.active = true;
	return status;
}

/* A refresh token goes nowhere but to the server that gave it. */
static enum mt_status
check_server(struct account *a, struct mt_error *err)
{
	if (strcmp(a->record->fingerprint, a->fingerprint) != 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "its endpoint, client, user or owner is not the one that "
		    "the "
		    "login was made with");
	return account_check_endpoint(a, err);
}

/* The endpoints are known. */
static void
ask_server(struct account *a)
{
	struct mt_error why = {0};

	if (!a->settings->provider.revocation_endpoint)
		forget(a, REVOKED_UNSUPPORTED);
	else if (check_server(a, &why) != MT_OK || post(a, &why) != MT_OK)
		fail_logout(a, &why);
}

static void
on_discovered(struct discovery_waiter *waiter, const struct provider *found,
    const struct mt_error *result)
{
	struct account *a =
	    (struct account *)(void *)((char *)waiter -
				       offsetof(struct account, discovery));
	struct mt_error why = *result;

	a->flight.active = false;
	if (why.status == MT_OK && a->flight.generation != a->generation)
		mt_fail(&why, MT_RETRY_LATER, "somebody logged in meanwhile");
	if (why.status == MT_OK && !account_has_endpoints(a))
		why.status = account_take_endpoints(a, found, &why);
	if (why.status == MT_OK)
		ask_server(a);
	else
		fail_logout(a, &why);
}

/* Goes on at once, or when the server's document is there. */
static void
find_server(struct account *a)
{
	const struct provider *found = NULL;
	struct mt_error why = {0};

	a->flight =
	    (struct flight){.revokes = true, .generation = a->generation};
	if (account_has_endpoints(a)) {
		ask_server(a);
		return;
	}
	a->discovery.answer = on_discovered;
	found =
	    discovery_ask(a->env->discovery, a->settings, &a->discovery, &why);
	if (found || why.status != MT_OK)
		on_discovered(&a->discovery, found, &why);
	else
		a->flight.active = true;
}

static bool
is_only_local(const struct account *a)
{
	const struct account_waiter *w;

	LIST_FOREACH(w, &a->leavers, link)
	if (w->forced)
		return true;
	return false;
}

/* A record that cannot be read holds nothing that could be revoked. */
static enum mt_status
open_record(struct account *a, bool local, struct mt_error *err)
{
	enum mt_status status = account_open_record(a, err);

	if (status != MT_BAD_CONFIG || !local)
		return status;
	a->record = record_new(a->env->arena);
	return a->record ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

void
account_go_on_with_logout(struct account *a)
{
	bool local = is_only_local(a);
	struct mt_error why = {0}, nothing = {0};
	enum mt_status status;

	if (LIST_EMPTY(&a->leavers) || a->flight.active)
		return;
	if (a->env->stopping)
		status = mt_fail(
		    &why, MT_RETRY_LATER, "the token helper is stopping");
	else
		status = open_record(a, local, &why);
	if (status != MT_OK)
		fail_logout(a, &why);
	else if (local)
		forget(a, REVOKED_NO);
	else if (a->record->refresh_token.len)
		find_server(a);
	else if (a->record->candidate.len)
		forget(a, REVOKED_NOTHING);
	else
		end(a, REVOKED_NOTHING, &nothing);
}

void
account_logout(struct account *a, struct account_waiter *waiter, bool local)
{
	struct mt_error why = {0};

	waiter->forced = local;
	waiter->account = a;
	LIST_INSERT_HEAD(&a->leavers, waiter, link);
	/* from a locked store nothing can be removed, so no advice how */
	if (records_ready(a->env->store, &why) != MT_OK)
		answer_leavers(a, REVOKED_NO, &why);
	else
		account_go_on_with_logout(a);
}
