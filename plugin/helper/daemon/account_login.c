/* SPDX-License-Identifier: ISC */
/* What a person brings: seeds, and the tokens of a login. */
#include "account_impl.h"

#include "clock.h"

#include "base/log.h"

#include <string.h>

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
	record_clear_candidate(a->record);
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
		    account_login_is_alive(a)
			? "; the login before it still serves"
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
		account_abandon_journal(a);
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
		status =
		    account_hash_endpoint(a, a->flight.token_endpoint, err);
	if (status != MT_OK)
		return status;
	a->generation++;
	a->flight.with_candidate = false;
	memcpy(a->flight.fingerprint, a->fingerprint,
	    sizeof(a->flight.fingerprint));
	record_clear_candidate(a->record);
	a->record->login_at = clock_wall_s();
	account_record_answer(a, tokens);
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
