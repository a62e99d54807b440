/* SPDX-License-Identifier: ISC */
/*
 * The workspace's side of a move: a message's directory follows it to another
 * folder.  In between it is staged, where agents cannot reach it: there its
 * files enter the risk manifest under their new paths and its message.json says
 * where it is, so that nobody sees it otherwise.
 */
#ifndef MT_INBOUND_RELOCATE_H
#define MT_INBOUND_RELOCATE_H

#include "base/status.h"
#include "inbound/folders.h"
#include "state/move_state.h"

#include <stdbool.h>

/* Before the server is asked: is there a directory folder/handle that can be
 * moved, and a folder that it can be moved to?  The latter is made if need be.
 * relocate_fail_missing, or "filesystem move failed: ...". */
enum mt_status relocate_check_source(const struct folders *folders,
    const char *folder, const char *handle, struct mt_error *err) MT_MUST_CHECK;
enum mt_status relocate_check_target(const struct folders *folders,
    const char *folder, struct mt_error *err) MT_MUST_CHECK;

/* MT_BAD_INPUT: "source email directory not found: <path>". */
enum mt_status relocate_fail_missing(const struct folders *folders,
    const char *folder, const char *handle, struct mt_error *err);

/* Has the folder anything of this name? */
enum mt_status relocate_is_taken(const struct folders *folders,
    const char *folder, const char *name, bool *ret_taken,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Moves the directory of a message that has arrived (arrival_state.h), or
 * finishes that.  If something has come in the way, the message gets another
 * handle.  *ret_there false: somebody has removed the directory.
 */
enum mt_status relocate_do(const struct folders *folders, struct move *move,
    bool *ret_there, struct mt_error *err) MT_MUST_CHECK;

#endif
