/* SPDX-License-Identifier: ISC */
#include "inbound/placing.h"

#include "inbound/risk.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

/* A folder with so many things in the way needs a person. */
#define ATTEMPTS_MAX 1000

static enum mt_status
is_free(const struct inbound *in, const struct publish_folder *folder,
    const char *handle, bool *ret_free, struct mt_error *err)
{
	bool used = false;
	enum mt_status status = inbound_state_handle_used(
	    in->state, folder->path, handle, &used, err);

	if (status == MT_OK && !used)
		status = publish_folder_has(
		    in->publisher, folder, handle, &used, err);
	*ret_free = !used;
	return status;
}

enum mt_status
placing_are_free(const struct inbound *in, const struct publish_folder *folder,
    const uint32_t *uids, size_t count, bool *ret_free, struct mt_error *err)
{
	char handle[INBOUND_HANDLE_MAX];
	bool used = false;
	enum mt_status status = inbound_state_uids_used(
	    in->state, folder->path, uids, count, ret_free, err);

	for (size_t i = 0; i < count && status == MT_OK; i++) {
		inbound_handle(handle, 0, uids[i], 0);
		used = ret_free[i];
		if (!used)
			status = publish_folder_has(
			    in->publisher, folder, handle, &used, err);
		ret_free[i] = !used;
	}
	return status;
}

enum mt_status
placing_choose(const struct inbound *in, const struct publish_folder *folder,
    uint32_t uidvalidity, uint32_t uid, char ret_handle[INBOUND_HANDLE_MAX],
    struct mt_error *err)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		bool available = false;
		enum mt_status status;

		inbound_handle(ret_handle, uidvalidity, uid, attempt);
		status = is_free(in, folder, ret_handle, &available, err);
		if (status != MT_OK || available)
			return status;
	}
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s has something in place of every name for message %lu",
	    folder->path, (unsigned long)uid);
}

static struct json_object *
read_json(int dir)
{
	struct json_object *root;
	int fd = openat(dir, "message.json", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	root = json_object_from_fd(fd);
	close(fd);
	return root;
}

/* Writes message.json anew.  The staged directory is seen by nobody, but a
 * crash must not find half a file in it. */
static int
write_json(int dir, struct json_object *root)
{
	const char *text = json_object_to_json_string_ext(
	    root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		      JSON_C_TO_STRING_NOSLASHESCAPE);
	int fd, result;

	if (!text)
		return -1;
	fd = openat(dir, "message.json.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return -1;
	result = fs_write_all(fd, text, strlen(text));
	if (!result)
		result = fsync(fd);
	close(fd);
	if (!result)
		result = renameat(dir, "message.json.new", dir, "message.json");
	return result;
}

static int
set_handle(int dir, const char *handle)
{
	struct json_object *root = read_json(dir), *uid = NULL;
	int result = -1;

	if (json_object_object_get_ex(root, "uid", &uid) &&
	    strcmp(json_object_get_string(uid), handle) == 0) {
		result = 0;
	} else if (root) {
		uid = json_object_new_string(handle);
		if (uid && !json_object_object_add(root, "uid", uid))
			result = write_json(dir, root);
	}
	json_object_put(root);
	return result;
}

/* Makes the staged message.json agree with the handle.  A message that is
 * published already agrees. */
static enum mt_status
rewrite_staged(const struct inbound *in, const char *staged, const char *handle,
    struct mt_error *err)
{
	struct publish_stage stage;
	bool found = false;
	enum mt_status status =
	    publish_stage_open(in->publisher, staged, &stage, &found, err);

	if (status != MT_OK || !found)
		return status;
	errno = 0;
	if (set_handle(stage.fd, handle))
		status = mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot rewrite a staged message.json");
	else
		status = publish_stage_sync(in->publisher, &stage, err);
	publish_stage_close(&stage);
	return status;
}

static enum mt_status
take_another(const struct inbound *in, const struct publish_folder *folder,
    const struct inbound_staged_message *m, char handle[INBOUND_HANDLE_MAX],
    struct mt_error *err)
{
	struct manifest_paths staged = {0}, published = {0};
	enum mt_status status = placing_choose(
	    in, folder, m->uidvalidity, m->message.uid, handle, err);

	if (status == MT_OK)
		status = inbound_state_rename(
		    in->state, m->mailbox_id, m->message.uid, handle, err);
	if (status == MT_OK)
		status = rewrite_staged(in, m->message.staged, handle, err);
	if (status == MT_OK)
		status = risk_add_one(in, folder, m->message.staged, handle,
		    &staged, &published, err);
	if (status == MT_OK)
		status =
		    risk_enter_both(in, folder->path, &staged, &published, err);
	return status;
}

enum mt_status
placing_publish(const struct inbound *in, const struct publish_folder *folder,
    const struct inbound_staged_message *m, char ret_handle[INBOUND_HANDLE_MAX],
    struct mt_error *err)
{
	enum publish_result result = PUBLISH_TAKEN;
	enum mt_status status;

	snprintf(ret_handle, INBOUND_HANDLE_MAX, "%s", m->message.handle);
	for (;;) {
		status = publish_rename(in->publisher, m->message.staged,
		    folder, ret_handle, &result, err);
		if (status != MT_OK || result != PUBLISH_TAKEN)
			return status;
		status = take_another(in, folder, m, ret_handle, err);
		if (status != MT_OK)
			return status;
	}
}

enum mt_status
placing_recover(const struct inbound *in, const struct publish_folder *folder,
    const struct inbound_staged_message *m, struct manifest_paths *staged,
    struct manifest_paths *published, struct mt_error *err)
{
	enum mt_status status =
	    rewrite_staged(in, m->message.staged, m->message.handle, err);

	if (status == MT_OK)
		status = risk_add_one(in, folder, m->message.staged,
		    m->message.handle, staged, published, err);
	return status;
}

void
placing_report(const struct inbound *in, const struct inbound_message *message,
    const char *handle)
{
	char path[PATH_MAX];
	struct inbound_delivery delivery = {
	    .uid = message->uid,
	    .handle = handle,
	    .path = path,
	    .sender = message->sender,
	    .subject = message->subject,
	};

	snprintf(
	    path, sizeof(path), "%s/%s/message.json", message->folder, handle);
	if (in->counts)
		in->counts->delivered++;
	in->delivered(in->context, &delivery);
}
