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
	/* Called before and, unless NULL, behind the lines of each file. */
	enum mt_status (*begin)(
	    void *context, const char *path, uid_t owner, struct mt_error *err);
	settings_handler line;
	enum mt_status (*end)(void *context, struct mt_error *err);
	/* Called, unless NULL, when a file is left out: `begin` may have been
	 * called for it, `end` was not or did not like it. */
	void (*left_out)(void *context, const struct mt_error *why);
	void *context;
};

/*
 * Reads them all, in order, but in accounts.d/ those that are not the
 * administrator's word after the others.  Without `file`, missing files are no
 * error.  MT_BAD_CONFIG for one that cannot be read, that others than its owner
 * can write, or that the callbacks do not like; but one in accounts.d/ that is
 * not the administrator's word is then left out, so that nobody's mistake is
 * everybody's.
 */
enum mt_status settings_files_read(
    const struct settings_files *files, struct mt_error *err) MT_MUST_CHECK;

#endif
