/* SPDX-License-Identifier: ISC */
/*
 * The risk manifest as it was found, and whether it still is that: others write
 * it in place, and without a lock.
 */
#ifndef MT_DELIVERY_MANIFEST_SOURCE_H
#define MT_DELIVERY_MANIFEST_SOURCE_H

#include "base/status.h"
#include "delivery/publish.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define MANIFEST_FOLDER ".tri-onyx"
#define MANIFEST_NAME "risk-manifest.json"
#define MANIFEST_PATH MANIFEST_FOLDER "/" MANIFEST_NAME

struct manifest_source {
	int fd;            /* -1: there was none */
	struct stat found; /* the file, before anything of it was read */
	struct stat place; /* what had the manifest's name last that we know */
	bool displaced;    /* that is another file, which we put there */
};

#define MANIFEST_SOURCE_INIT                                                   \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Opens the manifest in its folder, or finds that there is none; an open one is
 * closed.  Waits until a later write can be told from those so far, which takes
 * some milliseconds where the last one was just now. */
enum mt_status manifest_source_open(struct manifest_source *source,
    const struct publish_folder *folder, struct mt_error *err) MT_MUST_CHECK;
void manifest_source_close(struct manifest_source *source);

/* To be called when the caller has just put another file in its place. */
void manifest_source_displace(
    struct manifest_source *source, const struct publish_folder *folder);

/*
 * For another try.  What was found has been written to: either while it had the
 * name, or, by somebody who had opened it before, after it was displaced.  Then
 * it stays open, to take the place of what displaced it.
 */
enum mt_status manifest_source_renew(struct manifest_source *source,
    const struct publish_folder *folder, struct mt_error *err) MT_MUST_CHECK;

/* Of the struct manifest_source `context`; a json_scan_read. */
ssize_t manifest_source_read(void *context, void *data, size_t len, off_t at);

/* Whether the manifest's name still has what it had, unchanged. */
bool manifest_source_is_current(
    const struct manifest_source *source, const struct publish_folder *folder);

/* Whether somebody has written to the file since it was found. */
bool manifest_source_was_written(const struct manifest_source *source);

#endif
