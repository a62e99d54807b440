/* SPDX-License-Identifier: ISC */
#include "inbound/risk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
open_dir(int parent, const char *name)
{
	return openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum mt_status
risk_add(struct manifest_paths *paths, const char *folder, const char *handle,
    int dir, struct mt_error *err)
{
	int own = open_dir(dir, ".");
	DIR *entries = own < 0 ? NULL : fdopendir(own);
	enum mt_status status = MT_OK;
	struct dirent *entry = NULL;

	if (!entries && own >= 0)
		close(own);
	errno = 0;
	while (entries && status == MT_OK && (entry = readdir(entries)))
		if (entry->d_name[0] != '.')
			status = manifest_paths_add(
			    paths, folder, handle, entry->d_name, err);
	if (status == MT_OK && !entry && errno)
		status = mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot read the directory of message %s", handle);
	if (entries)
		closedir(entries);
	return status;
}

/* "email" of "agents/email/inbox". */
static void
agent_of(const char *folder, char *ret_agent, size_t size)
{
	const char *name = strchr(folder, '/');

	name = name ? name + 1 : folder;
	snprintf(ret_agent, size, "%.*s", (int)strcspn(name, "/"), name);
}

enum mt_status
risk_enter(const struct inbound *in, const char *folder,
    struct manifest_paths *paths, enum manifest_mode mode, struct mt_error *err)
{
	char agent[128];

	agent_of(folder, agent, sizeof(agent));
	return manifest_enter(
	    in->publisher, in->watch, paths, mode, agent, err);
}

enum mt_status
risk_add_one(const struct inbound *in, const struct publish_folder *folder,
    const char *staged_name, const char *handle, struct manifest_paths *staged,
    struct manifest_paths *published, struct mt_error *err)
{
	struct publish_stage stage;
	bool found = false;
	enum mt_status status =
	    publish_stage_open(in->publisher, staged_name, &stage, &found, err);
	int dir;

	if (status != MT_OK)
		return status;
	if (found) {
		status = risk_add(staged, folder->path, handle, stage.fd, err);
		publish_stage_close(&stage);
		return status;
	}
	dir = open_dir(folder->fd, handle);
	if (dir < 0)
		return MT_OK; /* somebody has removed it already */
	status = risk_add(published, folder->path, handle, dir, err);
	close(dir);
	return status;
}

enum mt_status
risk_enter_both(const struct inbound *in, const char *folder,
    struct manifest_paths *staged, struct manifest_paths *published,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (staged->count)
		status = risk_enter(in, folder, staged, MANIFEST_SET, err);
	if (status == MT_OK && published->count)
		status =
		    risk_enter(in, folder, published, MANIFEST_MISSING, err);
	manifest_paths_done(staged);
	manifest_paths_done(published);
	return status;
}
