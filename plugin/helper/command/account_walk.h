/* SPDX-License-Identifier: ISC */
/* Goes through all accounts of all helpers that this user may manage. */
#ifndef MT_COMMAND_ACCOUNT_WALK_H
#define MT_COMMAND_ACCOUNT_WALK_H

#include "command.h"

/* Called while the helper of the account is connected; a failure ends the
 * walk. */
typedef enum mt_status (*account_visitor)(struct invocation *in,
    const char *account, void *context, struct mt_error *err);

/*
 * Calls `visit` once for each name: an account that an earlier helper has hides
 * one of the same name, as it does for every request.  A helper that cannot be
 * asked is a failure only if no other brought an account.
 */
enum mt_status account_walk(struct invocation *in, account_visitor visit,
    void *context, struct mt_error *err) MT_MUST_CHECK;

#endif
