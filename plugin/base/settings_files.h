/* SPDX-License-Identifier: ISC */
/*
 * Where the token helper's settings lie (mailtoken.conf(5), FILES), for all of
 * its processes that read them: one file, or mailtoken.conf and accounts.d/ *.conf
 * in a directory.
 */
#ifndef MT_BASE_SETTINGS_FILES_H
#define MT_BASE_SETTINGS_FILES_H

#include "settings.h"

#include <stdbool.h>
#include <sys/types.h>

/* Whether what a file of this owner's says is the administrator's word: root's,
 * or that of the user that this process runs as. */
bool settings_owner_is_trusted(uid_t owner);

struct settings_files {
	const char *file; /* only this one, or NULL: ... */
	const char *dir; /* ... mailtoken.conf and accounts.d/ *.conf in here */
	/* Called before the lines of each file. */
	enum mt_status (*begin)(
	    void *context, const char *path, uid_t owner, struct mt_error *err);
	settings_handler line;
	void *context;
};

/*
 * Reads them all, in order.  Without `file`, missing files are no error.
 * MT_BAD_CONFIG for one that cannot be read, that others than its owner can
 * write, or that the callbacks do not like.
 */
enum mt_status settings_files_read(
    const struct settings_files *files, struct mt_error *err) MT_MUST_CHECK;

#endif
