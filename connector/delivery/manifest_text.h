/* SPDX-License-Identifier: ISC */
/*
 * The text of the risk manifest: one JSON object, a member for each file in the
 * workspace.  Others write it too, so what they wrote is kept byte for byte: it
 * is read strictly, in one pass, a window at a time, and new members are put at
 * its end.  What is in memory depends on what is entered, not on the text.
 */
#ifndef MT_DELIVERY_MANIFEST_TEXT_H
#define MT_DELIVERY_MANIFEST_TEXT_H

#include "base/buf.h"
#include "delivery/json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Files by their paths relative to the workspace, without a leading slash. */
struct manifest_paths {
	char **paths;
	size_t count;
};

enum mt_status manifest_paths_add(struct manifest_paths *paths,
    const char *folder, const char *name, const char *file,
    struct mt_error *err) MT_MUST_CHECK;
void manifest_paths_done(struct manifest_paths *paths);

enum manifest_mode {
	MANIFEST_SET,     /* what is there of that path is replaced */
	MANIFEST_MISSING, /* what is there stays as it is */
};

/* How the old text is read; `window` bytes at once. */
struct manifest_reader {
	json_scan_read read;
	void *context;
	size_t window;
};

/* How a new text is made of an old one: a brace, the ranges of the old one that
 * stay, with commas between them, then `added`. */
struct manifest_change {
	struct manifest_range {
		off_t begin;
		off_t end;
	} * kept;
	size_t kept_count;
	struct buf added; /* new members and the final brace */
	size_t added_count;
};

/*
 * Makes the change that enters `paths` into a text (NULL: there is no manifest
 * yet) as files of `agent` that anybody outside may have written: taint high,
 * sensitivity low.  `time` is ISO 8601.  MT_BAD_INPUT: the text is no JSON
 * object, such as one that somebody is still writing; MT_RETRY_LATER: it cannot
 * be read.  The change is released by manifest_change_done.
 */
enum mt_status manifest_change_make(const struct manifest_reader *text,
    struct manifest_paths *paths, enum manifest_mode mode, const char *agent,
    const char *time, struct manifest_change *ret_change,
    struct mt_error *err) MT_MUST_CHECK;
void manifest_change_done(struct manifest_change *change);

#endif
