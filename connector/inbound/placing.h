/* SPDX-License-Identifier: ISC */
/*
 * Finds the name under which a message may appear in its folder, and puts it
 * there.
 */
#ifndef MT_INBOUND_PLACING_H
#define MT_INBOUND_PLACING_H

#include "base/status.h"
#include "delivery/manifest_text.h"
#include "delivery/publish.h"
#include "inbound/inbound.h"
#include "state/inbound_state.h"

/* For each of these messages, in one look, whether the plain UID is a name that
 * it can have. */
enum mt_status placing_are_free(const struct inbound *in,
    const struct publish_folder *folder, const uint32_t *uids, size_t count,
    bool *ret_free, struct mt_error *err) MT_MUST_CHECK;

/* The first handle for this message that no other has had in the folder, and
 * that nothing there has as its name. */
enum mt_status placing_choose(const struct inbound *in,
    const struct publish_folder *folder, uint32_t uidvalidity, uint32_t uid,
    char ret_handle[INBOUND_HANDLE_MAX], struct mt_error *err) MT_MUST_CHECK;

/*
 * Publishes a message that the state has as staged; that it is published
 * already is no failure.  If somebody else has put something under its handle,
 * it gets another one, in the state, in its message.json and in the risk
 * manifest.  *ret_handle is the one that counts.
 */
enum mt_status placing_publish(const struct inbound *in,
    const struct publish_folder *folder, const struct inbound_staged_message *m,
    char ret_handle[INBOUND_HANDLE_MAX], struct mt_error *err) MT_MUST_CHECK;

/*
 * Before placing_publish, after a crash, which may have come between the places
 * that know the handle: makes message.json agree with it, and adds the files to
 * `staged`; if it is published already, to `published`.
 */
enum mt_status placing_recover(const struct inbound *in,
    const struct publish_folder *folder, const struct inbound_staged_message *m,
    struct manifest_paths *staged, struct manifest_paths *published,
    struct mt_error *err) MT_MUST_CHECK;

/* Tells the caller of a message that is there, under `handle`. */
void placing_report(const struct inbound *in,
    const struct inbound_message *message, const char *handle);

#endif
