/* SPDX-License-Identifier: ISC */
#include "child_program.h"

#include "base/buf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The directory of the running executable, with its final slash; len 0: not
 * known. */
static void
add_own_dir(struct buf *path)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own));
	const char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;

	if (slash)
		buf_add(path, own, (size_t)(slash + 1 - own));
}

char *
child_program_find(const char *name, const char *installed_dir)
{
	struct buf path = BUF_INIT(PATH_MAX);

	add_own_dir(&path);
	if (path.len) {
		buf_add_text(&path, name);
		if (buf_ok(&path) && access(buf_text(&path), X_OK) == 0)
			return buf_take(&path);
	}
	buf_reset(&path);
	buf_add_format(&path, "%s/%s", installed_dir, name);
	return buf_take(&path);
}
