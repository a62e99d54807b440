/* SPDX-License-Identifier: ISC */
/*
 * Loads and saves records: record.h gives the bytes, seal.h encrypts them, with
 * the store's key, and store.h has the files.  Also mends what a killed process
 * left behind.
 *
 * Everything fails with MT_NEEDS_ADMIN while the store is locked.
 */
#ifndef MT_DAEMON_RECORDS_H
#define MT_DAEMON_RECORDS_H

#include "record.h"
#include "store.h"

/* Whether records can be read and written at all. */
enum mt_status records_ready(
    const struct store *store, struct mt_error *err) MT_MUST_CHECK;

/*
 * Loads the record of `account`; *ret_record is a new, empty one if there is
 * none yet.  The caller frees it.
 */
enum mt_status records_load(const struct store *store, const char *account,
    struct secret_arena *arena, struct record **ret_record,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * To be called once per account at start: takes over a record that was written
 * whole but not put in its place, and gives the space back.
 */
enum mt_status records_recover(const struct store *store, const char *account,
    struct secret_arena *arena, struct mt_error *err) MT_MUST_CHECK;

/* Seals every record that lies in clear, those of unknown accounts too;
 * *ret_count says how many.  What is damaged stays as it is. */
enum mt_status records_seal_all(const struct store *store,
    struct secret_arena *arena, size_t *ret_count,
    struct mt_error *err) MT_MUST_CHECK;

/* Saves a change that no refresh brought. */
enum mt_status records_save(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err) MT_MUST_CHECK;

/* Saves what a refresh or login brought, and ends its journal. */
enum mt_status records_commit(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err) MT_MUST_CHECK;

#endif
