/* SPDX-License-Identifier: ISC */
/*
 * What agents may call a folder, and a message in it.  These words become parts
 * of paths and of IMAP commands, so everything else is refused.  Pure.
 */
#ifndef MT_INBOUND_FOLDER_NAME_H
#define MT_INBOUND_FOLDER_NAME_H

#include "base/status.h"

#include <stdbool.h>

#define FOLDER_NAME_MAX 64 /* bytes, without the NUL */

/* MT_BAD_INPUT with the gateway's words for what is wrong with a folder's
 * name, or our own where it has no rule. */
enum mt_status folder_name_check(
    const char *name, struct mt_error *err) MT_MUST_CHECK;

/* Likewise for a message's handle: "<uid>", "<uidvalidity>-<uid>" or
 * "<uidvalidity>-<uid>-<n>". */
enum mt_status folder_name_check_handle(
    const char *handle, struct mt_error *err) MT_MUST_CHECK;

/* "inbox" however it is written (RFC 3501 5.1). */
bool folder_name_is_inbox(const char *name);

#endif
