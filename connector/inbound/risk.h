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

/* Enters one message: as staged, or, if it is published already, what of it is
 * missing. */
enum mt_status risk_enter_one(const struct inbound *in,
    const struct publish_folder *folder, const char *staged, const char *handle,
    struct mt_error *err) MT_MUST_CHECK;

#endif
