/* SPDX-License-Identifier: ISC */
#include "records.h"

static enum mt_status
read_record(const struct store *store, const char *account,
    enum store_file file, struct record *record, bool *ret_found,
    struct mt_error *err)
{
	struct secret bytes;
	enum mt_status status;

	secret_init(&bytes, record->refresh_token.arena);
	status = store_read(store, account, file, &bytes, ret_found, err);
	if (status == MT_OK && *ret_found)
		status = record_decode(&bytes, account, record, err);
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
	bool found;

	if (!record)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = read_record(store, account, STORE_TOKEN, record, &found, err);
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
	bool found = false, whole;

	if (!next)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	whole = read_record(store, account, STORE_NEXT, next, &found, NULL) ==
		    MT_OK &&
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
	struct secret bytes;
	enum mt_status status;

	secret_init(&bytes, record->refresh_token.arena);
	status = record_encode(record, account, &bytes, err);
	if (status == MT_OK)
		status = writer(store, account, &bytes, err);
	secret_done(&bytes);
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
