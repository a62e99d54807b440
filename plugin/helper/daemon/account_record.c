/* SPDX-License-Identifier: ISC */
/* The account's record: loading it, changing and saving it, and the journal of
 * the request that is to change it. */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

#include <string.h>

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

void
account_abandon_journal(const struct account *a)
{
	store_abandon(a->env->store, a->settings->name, a->interrupted_s != 0);
}

enum mt_status
account_hash_endpoint(const struct account *a, char ret_hex[CRYPTO_HEX_SIZE],
    struct mt_error *err)
{
	const char *endpoint = a->settings->provider.token_endpoint;

	ret_hex[0] = '\0';
	if (!a->settings->discovered ||
	    crypto_sha256_hex(endpoint, strlen(endpoint), ret_hex))
		return MT_OK;
	return mt_fail(err, MT_NO_MEMORY, "no memory");
}

bool
account_login_is_alive(const struct account *a)
{
	const struct record *record = a->record;

	return record->refresh_token.len && !record->dead.since_s &&
	       strcmp(record->fingerprint, a->fingerprint) == 0;
}

bool
account_candidate_is_alive(const struct account *a)
{
	const struct record *record = a->record;

	return record->candidate.len && !record->refused.since_s &&
	       strcmp(record->candidate_fingerprint, a->fingerprint) == 0;
}

void
account_record_answer(struct account *a, struct oauth_tokens *tokens)
{
	struct record *record = a->record;

	if (tokens->refresh_token.len)
		secret_move(&record->refresh_token, &tokens->refresh_token);
	else if (a->flight.with_candidate)
		secret_move(&record->refresh_token, &record->candidate);
	if (a->flight.with_candidate) {
		record_clear_candidate(record);
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
