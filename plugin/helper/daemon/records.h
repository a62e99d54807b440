/* SPDX-License-Identifier: ISC */
/*
 * Loads and saves records: record.h gives the bytes, store.h the files, and a
 * cipher would sit here, between the two.  Also mends what a killed process
 * left behind.
 */
#ifndef MT_DAEMON_RECORDS_H
#define MT_DAEMON_RECORDS_H

#include "record.h"
#include "store.h"

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

/* Saves a change that no refresh brought. */
enum mt_status records_save(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err) MT_MUST_CHECK;

/* Saves what a refresh or login brought, and ends its journal. */
enum mt_status records_commit(const struct store *store, const char *account,
    const struct record *record, struct mt_error *err) MT_MUST_CHECK;

#endif
