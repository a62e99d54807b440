/* SPDX-License-Identifier: ISC */
/*
 * The state directory: bytes of one record per account, durable, and the
 * journal of refreshes.  Knows nothing of what the bytes mean.
 *
 *     lock            held by the one helper that may use the directory
 *     NAME.token      the record
 *     NAME.next       space for the next one, taken before a refresh begins
 *     NAME.intent     a refresh began and its answer was not stored yet
 *     NAME.damaged    a record that did not open, and was replaced by a login
 *     store.key, key  what opens the records: store_key.h
 *
 * A refresh goes: store_begin (intent and space are on disk), the request,
 * store_commit (the record is replaced, then the intent removed).  Whatever
 * moment the process dies at, NAME.token is whole, NAME.next is either whole
 * or does not open, and an intent tells of an answer that may be lost.
 *
 * Everything blocks for as long as the disk does.  Failures to write are
 * MT_RETRY_LATER: a full disk may become free.
 */
#ifndef MT_DAEMON_STORE_H
#define MT_DAEMON_STORE_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct seal_key;
struct store;

/* Opens the directory, makes it if it is missing (0700). */
enum mt_status store_open(const char *path, struct store **ret_store,
    struct mt_error *err) MT_MUST_CHECK;

/* Locks the directory for this process; MT_RETRY_LATER if another helper holds
 * the lock and does not release it within `wait_s` seconds. */
enum mt_status store_lock(struct store *store, unsigned int wait_s,
    struct mt_error *err) MT_MUST_CHECK;

/* Gives the lock back. */
void store_free(struct store **store);

/* Where it is, for what is said about its files. */
const char *store_path(const struct store *store);

/* The key that the records of this store are sealed with; it must outlive the
 * store.  NULL: nothing can be read or written. */
void store_use_key(struct store *store, const struct seal_key *key);
const struct seal_key *store_key(const struct store *store);

enum store_file {
	STORE_TOKEN,
	STORE_NEXT,
};

/* Reads one of the account's files.  A missing one is MT_OK with *ret_found
 * false. */
enum mt_status store_read(const struct store *store, const char *account,
    enum store_file file, struct secret *ret_bytes, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Replaces the record and leaves the journal as it is. */
enum mt_status store_write(const struct store *store, const char *account,
    const struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* Keeps a record that does not open under another name, where a login can
 * replace it. */
enum mt_status store_set_aside(const struct store *store, const char *account,
    struct mt_error *err) MT_MUST_CHECK;

typedef enum mt_status (*store_visit)(
    void *context, const char *account, struct mt_error *err);

/* Calls `visit` for each file that is a record or a next one, so perhaps twice
 * for an account, until one call fails. */
enum mt_status store_each_account(const struct store *store, store_visit visit,
    void *context, struct mt_error *err) MT_MUST_CHECK;

/* A file of the directory that is no account's.  As store_read. */
enum mt_status store_read_file(const struct store *store, const char *name,
    struct secret *ret_bytes, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Replaces it, durably. */
enum mt_status store_write_file(const struct store *store, const char *name,
    const struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* Removes it, if it is there. */
void store_remove_file(const struct store *store, const char *name);

/* The journal's note of a refresh. */
struct store_intent {
	int64_t started_s; /* wall clock; 0: no intent */
	int64_t serial;    /* of the record that the refresh began from */
};

/* Reads the intent; *ret_intent is zero if there is none. */
void store_read_intent(const struct store *store, const char *account,
    struct store_intent *ret_intent);

/*
 * Takes the space for the answer and notes the intent.  When an intent with the
 * same serial stands already, it stays, with its time: that answer is still
 * missing.
 */
enum mt_status store_begin(const struct store *store, const char *account,
    const struct store_intent *intent, struct mt_error *err) MT_MUST_CHECK;

/* Takes the space only. */
enum mt_status store_reserve(const struct store *store, const char *account,
    struct mt_error *err) MT_MUST_CHECK;

/* Replaces the record by way of the space that was taken and removes the
 * intent.  Durable when it returns. */
enum mt_status store_commit(const struct store *store, const char *account,
    const struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* Makes NAME.next, which was found whole, the record; ends the intent. */
enum mt_status store_adopt(const struct store *store, const char *account,
    struct mt_error *err) MT_MUST_CHECK;

/* Gives the space back; the intent goes too unless `keep_intent`. */
void store_abandon(
    const struct store *store, const char *account, bool keep_intent);

#endif
