/* SPDX-License-Identifier: ISC */
/*
 * The connector's memory: one SQLite database in the state directory, durable
 * at each commit (WAL, synchronous=FULL).  This unit opens and locks it; what
 * is kept in it is for the other units of this folder.  SQLite is used in this
 * folder only.
 *
 * A state may be used by several threads, and several processes may open the
 * same directory; who delivers mail takes the deliverer's lock first.
 */
#ifndef MT_STATE_STATE_H
#define MT_STATE_STATE_H

#include "base/status.h"

struct state;

/*
 * Opens the database in the directory `dir`, makes both when missing (0600 in
 * 0700) and brings an older database up to date.  MT_BAD_CONFIG: the directory
 * cannot be made or written, belongs to somebody else or is open to writers,
 * the database is damaged or of a newer version.  MT_RETRY_LATER: disk full,
 * another process keeps the database busy.  Blocks for as long as the disk
 * does, and up to 10 s for other processes.
 */
enum mt_status state_open(struct state **ret_state, const char *dir,
    struct mt_error *err) MT_MUST_CHECK;

/* Closes the database and releases the deliverer's lock. */
void state_close(struct state **state);

/* Sixteen hex digits that tell this state from any other, for names in places
 * that several states share. */
const char *state_id(const struct state *state);

/*
 * Makes this process the only one that delivers mail from this state, until
 * state_close or its death.  MT_RETRY_LATER: another one is (the text names its
 * process).  Does not wait.
 */
enum mt_status state_lock_deliverer(
    struct state *state, struct mt_error *err) MT_MUST_CHECK;

#endif
