/* SPDX-License-Identifier: ISC */
#include "places.h"

#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replaces *path by its canonical form; it must exist. */
static enum mt_status
make_canonical(char **path, const char *what, struct mt_error *err)
{
	char *canonical = realpath(*path, NULL);

	if (!canonical)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "%s %s", what, *path);
	free(*path);
	*path = canonical;
	return MT_OK;
}

static enum mt_status
require_writable(const char *path, const char *what, struct mt_error *err)
{
	if (access(path, R_OK | W_OK | X_OK))
		return mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "%s %s cannot be written", what, path);
	return MT_OK;
}

static enum mt_status
prepare_workspace(struct config *config, struct mt_error *err)
{
	static const char what[] = "workspace (TRI_ONYX_WORKSPACE_DIR)";
	struct stat st;
	enum mt_status status = make_canonical(&config->workspace, what, err);

	if (status != MT_OK)
		return status;
	if (stat(config->workspace, &st) || !S_ISDIR(st.st_mode))
		return mt_fail(err, MT_BAD_CONFIG, "%s %s is no directory",
		    what, config->workspace);
	return require_writable(config->workspace, what, err);
}

/* The place that the setting or the platform names; NULL: none. */
static char *
default_state_dir(void)
{
	struct buf path = BUF_INIT(PATH_MAX);
	const char *given = getenv("STATE_DIRECTORY");
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	/* systemd lists several directories with ':' between them */
	if (given && *given)
		buf_add(&path, given, strcspn(given, ":"));
	else if (xdg && *xdg)
		buf_add_format(&path, "%s/mailtoken-connector", xdg);
	else if (home && *home)
		buf_add_format(
		    &path, "%s/.local/state/mailtoken-connector", home);
	if (!path.len) {
		buf_done(&path);
		return NULL;
	}
	return buf_take(&path);
}

static bool
lies_beneath(const char *path, const char *above)
{
	size_t len = strlen(above);

	if (len == 1) /* the root */
		return true;
	return strncmp(path, above, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

static enum mt_status
prepare_state(struct config *config, struct mt_error *err)
{
	static const char what[] = "state (TRI_ONYX_EMAIL_STATE_DIR)";
	enum mt_status status;

	if (!config->state_dir)
		config->state_dir = default_state_dir();
	if (!config->state_dir)
		return mt_fail(err, MT_BAD_CONFIG,
		    "no place for the state: set TRI_ONYX_EMAIL_STATE_DIR");
	if ((status = fs_make_dirs(config->state_dir, 0700, err)) != MT_OK ||
	    (status = make_canonical(&config->state_dir, what, err)) != MT_OK)
		return status;
	if (lies_beneath(config->state_dir, config->workspace))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s %s lies in the workspace, where agents can read it",
		    what, config->state_dir);
	return require_writable(config->state_dir, what, err);
}

enum mt_status
places_prepare(struct config *config, struct mt_error *err)
{
	enum mt_status status = prepare_workspace(config, err);

	return status == MT_OK ? prepare_state(config, err) : status;
}

enum mt_status
places_check_socket(const struct config *config, struct mt_error *err)
{
	static const char what[] = "the socket (TRI_ONYX_EMAIL_SOCKET)";
	char directory[PATH_MAX], real[PATH_MAX];

	if (!config->socket)
		return MT_OK;
	if (snprintf(directory, sizeof(directory), "%s", config->socket) >=
	    (int)sizeof(directory))
		return mt_fail(
		    err, MT_BAD_CONFIG, "TRI_ONYX_EMAIL_SOCKET is too long");
	if (!realpath(dirname(directory), real))
		return mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "no directory for %s %s", what, config->socket);
	if (lies_beneath(real, config->workspace))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s %s lies in the workspace, where agents can reach it",
		    what, config->socket);
	return MT_OK;
}
