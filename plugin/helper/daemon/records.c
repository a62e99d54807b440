/* SPDX-License-Identifier: ISC */
#include "records.h"

#include "seal.h"

#include <string.h>

enum mt_status
records_ready(const struct store *store, struct mt_error *err)
{
	const struct seal_key *key = store_key(store);

	if (key && key->bytes.len)
		return MT_OK;
	return mt_fail(err, MT_NEEDS_ADMIN,
	    "the logins in %s are locked: run 'mailtoken unlock'",
	    store_path(store));
}

/* What is in the header is what is inside, too. */
static bool
fits(const struct seal_header *header, const struct record *record)
{
	return header->serial == record->serial &&
	       strcmp(header->fingerprint, record->fingerprint) == 0;
}

/* `why` is what is wrong with the file. */
static enum mt_status
fail_open(const struct store *store, const char *account, enum store_file file,
    const char *why, struct mt_error *err)
{
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s/%s.%s %s; put the right file back, or run 'mailtoken login "
	    "%s'",
	    store_path(store), account, file == STORE_TOKEN ? "token" : "next",
	    why, account);
}

static enum mt_status
open_record(const struct store *store, const char *account,
    enum store_file file, const struct secret *sealed, struct record *record,
    struct mt_error *err)
{
	struct seal_header header;
	struct mt_error why = {0};
	struct secret clear;
	enum mt_status status;

	secret_init(&clear, record->refresh_token.arena);
	status =
	    seal_open(store_key(store), account, sealed, &header, &clear, &why);
	if (status == MT_OK)
		status = record_decode(&clear, account, record, err);
	else
		fail_open(store, account, file, why.text, err);
	if (status == MT_OK && !fits(&header, record))
		status = fail_open(
		    store, account, file, "contradicts its header", err);
	secret_done(&clear);
	return status;
}

static enum mt_status
read_record(const struct store *store, const char *account,
    enum store_file file, struct record *record, bool *ret_found,
    bool *ret_clear, struct mt_error *err)
{
	enum mt_status status = records_ready(store, err);
	struct secret bytes;

	*ret_found = *ret_clear = false;
	if (status != MT_OK)
		return status;
	secret_init(&bytes, record->refresh_token.arena);
	status = store_read(store, account, file, &bytes, ret_found, err);
	if (status == MT_OK && *ret_found) {
		*ret_clear =
		    store_key(store)->takes_clear && !seal_is_sealed(&bytes);
		status = *ret_clear
			     ? record_decode(&bytes, account, record, err)
			     : open_record(
				   store, account, file, &bytes, record, err);
	}
	secret_done(&bytes);
	return status;
}

enum mt_status
records_load(const struct store *store, const char *account,
    struct secret_arena *arena, struct record **ret_record,
    struct mt_error *err)
{
	struct record *record = record_new(arena);
	enum mt_status status;
	bool found, clear;

	if (!record)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = read_record(
	    store, account, STORE_TOKEN, record, &found, &clear, err);
	if (status != MT_OK) {
		record_free(&record);
		return status;
	}
	*ret_record = record;
	return MT_OK;
}

enum mt_status
records_recover(const struct store *store, const char *account,
    struct secret_arena *arena, struct mt_error *err)
{
	struct record *next = record_new(arena), *record = NULL;
	enum mt_status status;
	bool found, clear, whole;

	if (!next)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	whole = read_record(store, account, STORE_NEXT, next, &found, &clear,
		    NULL) == MT_OK &&
		found;
	status = records_load(store, account, arena, &record, err);
	if (status == MT_OK && whole && next->serial > record->serial)
		status = store_adopt(store, account, err);
	else if (status == MT_OK)
		store_abandon(store, account, true);
	record_free(&record);
	record_free(&next);
	return status;
}

typedef enum mt_status (*store_writer)(const struct store *store,
    const char *account, const struct secret *bytes, struct mt_error *err);

static enum mt_status
write_record(const struct store *store, const char *account,
    const struct record *record, store_writer writer, struct mt_error *err)
{
	struct seal_header header = {.serial = record->serial};
	enum mt_status status = records_ready(store, err);
	struct secret clear, sealed;

	if (status != MT_OK)
		return status;
	snprintf(header.account, sizeof(header.account), "%s", account);
	memcpy(header.fingerprint, record->fingerprint,
	    sizeof(header.fingerprint));
	secret_init(&clear, record->refresh_token.arena);
	secret_init(&sealed, record->refresh_token.arena);
	status = record_encode(record, account, &clear, err);
	if (status == MT_OK)
		status =
		    seal_close(store_key(store), &header, &clear, &sealed, err);
	if (status == MT_OK)
		status = writer(store, account, &sealed, err);
	secret_done(&clear);
	secret_done(&sealed);
	return status;
}

enum mt_status
records_save(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err)
{
	return write_record(store, account, record, store_write, err);
}

enum mt_status
records_commit(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err)
{
	return write_record(store, account, record, store_commit, err);
}

struct sealing {
	const struct store *store;
	struct secret_arena *arena;
	size_t count;
};

/* What cannot be read is left to be found by those who need it. */
static enum mt_status
seal_one(void *context, const char *account, struct mt_error *err)
{
	struct sealing *sealing = context;
	struct record *record = record_new(sealing->arena);
	enum mt_status status = MT_OK;
	bool found, clear;

	if (!record)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	if (records_recover(sealing->store, account, sealing->arena, NULL) ==
		MT_OK &&
	    read_record(sealing->store, account, STORE_TOKEN, record, &found,
		&clear, NULL) == MT_OK &&
	    clear) {
		status = records_save(sealing->store, account, record, err);
		sealing->count++;
	}
	record_free(&record);
	return status;
}

enum mt_status
records_seal_all(const struct store *store, struct secret_arena *arena,
    size_t *ret_count, struct mt_error *err)
{
	struct sealing sealing = {.store = store, .arena = arena};
	enum mt_status status =
	    store_each_account(store, seal_one, &sealing, err);

	*ret_count = sealing.count;
	return status;
}
