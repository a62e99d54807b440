/* SPDX-License-Identifier: ISC */
#include "inbound/relocate.h"

#include "base/buf.h"
#include "delivery/manifest.h"
#include "delivery/message_place.h"
#include "delivery/publish.h"
#include "inbound/arrival.h"
#include "inbound/risk.h"
#include "inbound/tree.h"
#include "state/place_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_MAX (128u * 1024 * 1024) /* as batch.c's */

static const char json_name[] = "message.json";

static enum mt_status
fail_move(
    enum mt_status status, const struct mt_error *why, struct mt_error *err)
{
	return mt_fail(err, status, "filesystem move failed: %s", why->text);
}

/* ---- before ----------------------------------------------------------------- */

enum mt_status
relocate_fail_missing(const struct folders *f, const char *folder,
    const char *handle, struct mt_error *err)
{
	return mt_fail(err, MT_BAD_INPUT,
	    "source email directory not found: %s/%s/%s", f->workspace, folder,
	    handle);
}

enum mt_status
relocate_check_source(const struct folders *f, const char *folder,
    const char *handle, struct mt_error *err)
{
	struct publish_folder source = {.fd = -1};
	struct mt_error why;
	enum mt_status status =
	    publish_folder_find(f->publisher, folder, &source, &why);
	int dir = -1;

	if (status != MT_OK)
		return fail_move(status, &why, err);
	if (source.fd >= 0)
		dir = openat(source.fd, handle,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	publish_folder_close(&source);
	if (dir < 0)
		return relocate_fail_missing(f, folder, handle, err);
	status = tree_check(dir, &why);
	close(dir);
	return status == MT_OK ? MT_OK : fail_move(status, &why, err);
}

enum mt_status
relocate_check_target(
    const struct folders *f, const char *folder, struct mt_error *err)
{
	struct publish_folder target;
	struct mt_error why;
	enum mt_status status =
	    publish_folder_open(f->publisher, folder, &target, &why);

	if (status != MT_OK)
		return fail_move(status, &why, err);
	publish_folder_close(&target);
	return MT_OK;
}

enum mt_status
relocate_is_taken(const struct folders *f, const char *folder, const char *name,
    bool *ret_taken, struct mt_error *err)
{
	struct publish_folder target;
	enum mt_status status =
	    publish_folder_open(f->publisher, folder, &target, err);

	if (status != MT_OK)
		return status;
	status =
	    publish_folder_has(f->publisher, &target, name, ret_taken, err);
	publish_folder_close(&target);
	return status;
}

/* ---- the way ---------------------------------------------------------------- */

/* Takes the directory away from where agents see it. */
static enum mt_status
take(const struct folders *f, const struct move *move, struct mt_error *err)
{
	enum publish_result result;
	struct publish_folder source = {.fd = -1};
	enum mt_status status =
	    publish_folder_find(f->publisher, move->folder, &source, err);

	if (status != MT_OK || source.fd < 0)
		return status;
	/* taken: by an earlier attempt; that one is the message */
	status = publish_take(
	    f->publisher, &source, move->handle, move->staged, &result, err);
	publish_folder_close(&source);
	return status;
}

static enum mt_status
enter_risk(const struct folders *f, const struct move *move, int dir,
    struct mt_error *err)
{
	const struct inbound in = {
	    .publisher = f->publisher, .watch = f->watch};
	struct manifest_paths paths = {0};
	enum mt_status status =
	    tree_list(dir, move->to_folder, move->to_handle, &paths, err);

	if (status == MT_OK)
		status =
		    risk_enter(&in, move->to_folder, &paths, MANIFEST_SET, err);
	manifest_paths_done(&paths);
	return status;
}

/* The text of message.json; nothing if there is none that we would have
 * written: then it stays as it is. */
static bool
read_json(int dir, struct buf *text)
{
	int fd = openat(
	    dir, json_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;
	ssize_t n = 0;
	char *room = NULL;

	if (fd < 0)
		return false;
	if (!fstat(fd, &info) && S_ISREG(info.st_mode) &&
	    info.st_size <= JSON_MAX)
		room = malloc((size_t)info.st_size + 1);
	while (room && text->len < (size_t)info.st_size &&
	       (n = read(fd, room, (size_t)info.st_size - text->len)) > 0)
		buf_add(text, room, (size_t)n);
	free(room);
	close(fd);
	return text->len > 0 && buf_ok(text) && n >= 0;
}

static enum mt_status
write_place(const struct folders *f, const struct move *move, int dir,
    const struct place *place, struct mt_error *err)
{
	const struct publish_folder folder = {.path = move->staged, .fd = dir};
	const struct message_place now = {
	    .handle = move->to_handle,
	    .imap_uid = place->uid,
	    .uidvalidity = place->uidvalidity,
	};
	struct buf old = BUF_INIT(JSON_MAX), text = BUF_INIT(JSON_MAX);
	enum mt_status status = MT_OK;

	if (read_json(dir, &old) &&
	    message_place_set(&text, old.data, old.len, &now) &&
	    (text.len != old.len || memcmp(text.data, old.data, text.len)))
		status = publish_replace(
		    f->publisher, &folder, json_name, text.data, text.len, err);
	buf_done(&text);
	buf_done(&old);
	return status;
}

/* Makes what is staged ready to be seen under its handle. */
static enum mt_status
prepare(const struct folders *f, const struct move *move, int dir,
    struct mt_error *err)
{
	enum place_found found = PLACE_UNKNOWN;
	struct place place = {0};
	enum mt_status status = place_state_find(f->state, move->account,
	    move->to_folder, move->to_handle, &found, &place, err);

	if (status == MT_OK)
		status = enter_risk(f, move, dir, err);
	if (status == MT_OK && found == PLACE_KNOWN)
		status = write_place(f, move, dir, &place, err);
	place_done(&place);
	return status;
}

/* Puts it where it belongs. */
static enum mt_status
put(const struct folders *f, struct move *move, int dir, struct mt_error *err)
{
	enum publish_result result = PUBLISH_TAKEN;
	struct publish_folder target;
	enum mt_status status =
	    publish_folder_open(f->publisher, move->to_folder, &target, err);

	if (status != MT_OK)
		return status;
	while (status == MT_OK && result == PUBLISH_TAKEN) {
		status = prepare(f, move, dir, err);
		if (status == MT_OK)
			status = publish_rename(f->publisher, move->staged,
			    &target, move->to_handle, &result, err);
		if (status == MT_OK && result == PUBLISH_TAKEN)
			status = arrival_rename(f, move, err);
	}
	if (status == MT_OK)
		status = publish_folder_sync(f->publisher, &target, err);
	publish_folder_close(&target);
	return status;
}

static enum mt_status
is_there(const struct folders *f, const struct move *move, bool *ret_there,
    struct mt_error *err)
{
	return relocate_is_taken(
	    f, move->to_folder, move->to_handle, ret_there, err);
}

enum mt_status
relocate_do(const struct folders *f, struct move *move, bool *ret_there,
    struct mt_error *err)
{
	struct publish_stage stage = PUBLISH_STAGE_INIT;
	struct mt_error why;
	bool staged = false;
	enum mt_status status = publish_stage_open(
	    f->publisher, move->staged, &stage, &staged, &why);

	if (status == MT_OK && !staged) {
		status = take(f, move, &why);
		if (status == MT_OK)
			status = publish_stage_open(
			    f->publisher, move->staged, &stage, &staged, &why);
	}
	*ret_there = staged;
	if (status == MT_OK && staged)
		status = put(f, move, stage.fd, &why);
	else if (status == MT_OK)
		status = is_there(f, move, ret_there, &why);
	publish_stage_close(&stage);
	return status == MT_OK ? MT_OK : fail_move(status, &why, err);
}
