/* SPDX-License-Identifier: ISC */
/*
 * Handing on (handon.h) as this program has it: for the accounts of its
 * settings, and with the care of the risk manifest beside.  Only the deliverer
 * has one.
 */
#ifndef MT_CONNECTOR_ANNOUNCE_H
#define MT_CONNECTOR_ANNOUNCE_H

#include "base/status.h"
#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct announcer;
struct handon_account;
struct json_object;
struct manifest_watch;
struct net_trust;
struct state;

/* `config` is the environment's; like `state`, with the deliverer's lock, it
 * must outlive it. */
enum mt_status announcer_open(struct announcer **ret_announcer,
    const struct config *config, struct state *state,
    struct mt_error *err) MT_MUST_CHECK;

/* Ends within `wait_ms`, with all accounts.  False: something still runs, and the process must end
 * without releasing what it uses. */
bool announcer_close(struct announcer **announcer, int64_t wait_ms);

/* Of what is entered into the risk manifest. */
struct manifest_watch *announcer_watch(struct announcer *announcer);

/* The mail of an account is handed on from now on, until announcer_remove. */
enum mt_status announcer_add(struct announcer *announcer,
    const struct config *config, const struct net_trust *trust,
    struct handon_account **ret_account, struct mt_error *err) MT_MUST_CHECK;
void announcer_remove(
    struct announcer *announcer, struct handon_account **account);

/* There is new mail of the account. */
void announcer_wake(
    struct announcer *announcer, struct handon_account *account);

/* Whether so much of the account is not handed on yet that fetching has to
 * wait. */
bool announcer_is_full(
    struct announcer *announcer, const struct handon_account *account);

/* Adds "queues" (handon.h) to a status: those of `account`, NULL: all. */
void announcer_describe(struct announcer *announcer, const char *account,
    struct json_object *status);

/* Hands on what is queued, for `wait_ms` at most, and adds to `report` how many
 * events are left, "queued", and announcer_describe. */
void announcer_drain(
    struct announcer *announcer, int64_t wait_ms, struct json_object *report);

/* MT_OK, or why there is no use in going on: nobody reads standard output any
 * more. */
enum mt_status announcer_trouble(
    const struct announcer *announcer, struct mt_error *err);

#endif
