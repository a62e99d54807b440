/* SPDX-License-Identifier: ISC */
/*
 * Enters the files of messages into the risk manifest, before anybody sees
 * them: message.json, the attachments, raw.eml.
 */
#ifndef MT_INBOUND_RISK_H
#define MT_INBOUND_RISK_H

#include "base/status.h"
#include "delivery/manifest.h"
#include "delivery/publish.h"
#include "inbound/inbound.h"

/* Adds the files in the directory `dir`, which is or will be folder/handle. */
enum mt_status risk_add(struct manifest_paths *paths, const char *folder,
    const char *handle, int dir, struct mt_error *err) MT_MUST_CHECK;

/* Enters what was added, all of it files in `folder`. */
enum mt_status risk_enter(const struct inbound *in, const char *folder,
    struct manifest_paths *paths, enum manifest_mode mode,
    struct mt_error *err) MT_MUST_CHECK;

/* Adds the files of one message: as staged to `staged`, or, if it is published
 * already, to `published`, of which only what is missing is to be entered. */
enum mt_status risk_add_one(const struct inbound *in,
    const struct publish_folder *folder, const char *staged_name,
    const char *handle, struct manifest_paths *staged,
    struct manifest_paths *published, struct mt_error *err) MT_MUST_CHECK;

/* Enters them, and releases both. */
enum mt_status risk_enter_both(const struct inbound *in, const char *folder,
    struct manifest_paths *staged, struct manifest_paths *published,
    struct mt_error *err) MT_MUST_CHECK;

#endif
