/* SPDX-License-Identifier: ISC */
/*
 * The files in a message's directory, whatever agents have put there: in
 * directories, too, but no symbolic link is followed.
 */
#ifndef MT_INBOUND_TREE_H
#define MT_INBOUND_TREE_H

#include "base/status.h"
#include "delivery/manifest_text.h"

#define TREE_DEPTH_MAX 8
#define TREE_FILES_MAX 10000 /* and directories, together */

/* Adds all files in `dir`, which is or will be folder/handle, but those whose
 * names are no UTF-8: the manifest cannot say them.  MT_BAD_INPUT: there are
 * too many, or too deep. */
enum mt_status tree_list(int dir, const char *folder, const char *handle,
    struct manifest_paths *paths, struct mt_error *err) MT_MUST_CHECK;

/* Would it? */
enum mt_status tree_check(int dir, struct mt_error *err) MT_MUST_CHECK;

#endif
