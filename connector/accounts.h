/* SPDX-License-Identifier: ISC */
/*
 * The accounts of the process: the environment's, and one for each file
 * NAME.conf in a directory, which may be read again at any time.  A file that
 * is wrong is logged, and its account stays as it was.
 */
#ifndef MT_CONNECTOR_ACCOUNTS_H
#define MT_CONNECTOR_ACCOUNTS_H

#include "base/status.h"
#include "config.h"
#include "operations.h"

#include <stdbool.h>
#include <stddef.h>

struct account;
struct accounts;
struct resources;

/* `environment` may be without an account (imap_host); like `resources` and
 * `arena` it must outlive them.  MT_BAD_CONFIG: there is no account at all. */
enum mt_status accounts_open(struct accounts **ret_accounts,
    struct config *environment, struct resources *resources,
    struct secret_arena *arena, struct mt_error *err) MT_MUST_CHECK;

/* Releases all of them; nobody may use one any more. */
void accounts_close(struct accounts **accounts);

/* All of them, those that are not wanted any more included; NULL: no more. */
struct account *accounts_next(
    const struct accounts *accounts, const struct account *before);

struct operations *account_operations(const struct account *account);

/* False: its file is gone, or says something else now. */
bool account_is_wanted(const struct account *account);

/* Whether it is to be used from now on: it is wanted, not used yet, and nobody
 * uses the one any more that it replaces. */
bool account_is_ready(const struct account *account);

/* Somebody uses it, until accounts_remove. */
void account_use(struct account *account);
bool account_is_used(const struct account *account);

/* Reads the directory again: some are not wanted any more, others are new. */
void accounts_reload(struct accounts *accounts);

/* Releases one that is not wanted, when nobody uses it. */
void accounts_remove(struct accounts *accounts, struct account *account);

#endif
