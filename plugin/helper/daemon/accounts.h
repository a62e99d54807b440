/* SPDX-License-Identifier: ISC */
/*
 * All accounts, by name.  Survives a change of the settings: accounts that stay
 * keep their tokens, those that are gone finish what they are doing.
 */
#ifndef MT_DAEMON_ACCOUNTS_H
#define MT_DAEMON_ACCOUNTS_H

#include "account.h"

struct accounts;

enum mt_status accounts_new(const struct account_env *env,
    struct accounts **ret_accounts, struct mt_error *err) MT_MUST_CHECK;

/* Also those that are busy: when the loop has ended. */
void accounts_free(struct accounts **accounts);

/* Makes the accounts those of `config`, and takes their settings over. */
enum mt_status accounts_configure(struct accounts *accounts,
    struct config *config, struct mt_error *err) MT_MUST_CHECK;

/* NULL if there is none. */
struct account *accounts_find(
    const struct accounts *accounts, const char *name);

/* In the order of their names; NULL behind the last. */
struct account *accounts_at(const struct accounts *accounts, size_t index);

/* The accounts that go by this login name in any case of letters: by their
 * `user`, that of a service, or their own name; NULL behind the last. */
struct account *accounts_known_as(
    const struct accounts *accounts, const char *login_name, size_t index);

/* Has each read its record anew, see account_load_again(). */
void accounts_load_again(struct accounts *accounts);

/* As account_network_changed, for all. */
void accounts_network_changed(struct accounts *accounts);

/* As account_hear_of_issuer, for all. */
void accounts_hear_of_issuer(struct accounts *accounts,
    const struct issuer *issuer, enum issuer_news news);

/* True while a request is under way, also of an account that is gone. */
bool accounts_in_flight(const struct accounts *accounts);

/* Tries once more to save whatever is not saved. */
void accounts_flush(struct accounts *accounts);

#endif
