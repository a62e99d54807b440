/* SPDX-License-Identifier: ISC */
#include "inbound/folders.h"

#include "delivery/publish.h"
#include "inbound/folder_name.h"
#include "inbound/moving.h"
#include "inbound/relocate.h"
#include "mail/imap_conn.h"
#include "mail/imap_mailboxes.h"
#include "state/move_state.h"
#include "state/place_state.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PUBLISHING_MS 3000
#define LOOK_MS 20

/* An earlier move of the same message that was cut short decides where it is;
 * it is not waited for any more. */
static enum mt_status
settle_earlier(const struct folders *f, struct imap_conn **conn,
    const char *folder, const char *handle, struct mt_error *err)
{
	struct move move = MOVE_INIT;
	bool found = false;
	enum mt_status status =
	    move_state_take_of(f->state, folder, handle, &move, &found, err);

	if (status != MT_OK || !found)
		return status;
	if (!move.placed && !*conn)
		status = f->open(f->context, conn, f->deadline, err);
	if (status == MT_OK)
		status = moving_resume(f, *conn, &move, MOVING_DECIDE, err);
	move_done(&move);
	return status;
}

static enum mt_status
fail_unknown(const struct folders *f, const char *handle,
    const struct folder *from, struct mt_error *err)
{
	enum mt_status status =
	    relocate_check_source(f, from->path, handle, err);

	if (status != MT_OK)
		return status;
	return mt_fail(err, MT_BAD_INPUT,
	    "email %s in %s was not delivered by this program, so which "
	    "message on the server it is is not known",
	    handle, from->name);
}

/* A directory is seen a moment before the state calls it published. */
static enum mt_status
find_published(const struct folders *f, const char *handle,
    const struct folder *from, enum place_found *ret_found,
    struct place *ret_place, struct mt_error *err)
{
	struct deadline patience =
	    deadline_min(f->deadline, deadline_in_ms(PUBLISHING_MS));
	enum mt_status status;

	do {
		status = place_state_find(f->state, f->account, from->path,
		    handle, ret_found, ret_place, err);
		if (status != MT_OK || *ret_found != PLACE_STAGED)
			return status;
		poll(NULL, 0, LOOK_MS);
	} while (!deadline_passed(patience));
	return MT_OK;
}

static enum mt_status
look_up_once(const struct folders *f, const char *handle,
    const struct folder *from, struct place *ret_place, bool *ret_moved_on,
    struct mt_error *err)
{
	enum place_found found = PLACE_UNKNOWN;
	enum mt_status status =
	    find_published(f, handle, from, &found, ret_place, err);

	if (status != MT_OK)
		return status;
	*ret_moved_on = found == PLACE_MOVED_ON;
	if (found == PLACE_UNKNOWN)
		return fail_unknown(f, handle, from, err);
	if (found == PLACE_STAGED)
		return mt_fail(err, MT_RETRY_LATER,
		    "email %s in %s is only just being delivered", handle,
		    from->name);
	if (found == PLACE_OTHERS)
		return mt_fail(err, MT_BAD_INPUT,
		    "email %s in %s belongs to another account", handle,
		    from->name);
	return MT_OK;
}

/* Where the message is now.  Who asks may not have heard of a move that was cut
 * short, so the name from before it is as good. */
static enum mt_status
look_up(const struct folders *f, struct imap_conn **conn, const char *handle,
    const struct folder *from, struct place *place, struct mt_error *err)
{
	bool moved_on = false;
	enum mt_status status =
	    look_up_once(f, handle, from, place, &moved_on, err);

	if (status != MT_OK || !moved_on)
		return status;
	status = settle_earlier(f, conn, place->folder, place->handle, err);
	place_done(place);
	if (status != MT_OK)
		return status;
	return look_up_once(f, handle, from, place, &moved_on, err);
}

static void
tell(const struct place *place, struct folders_moved *ret_moved)
{
	*ret_moved = (struct folders_moved){
	    .uidvalidity = place->uidvalidity, .uid = place->uid};
	snprintf(
	    ret_moved->handle, sizeof(ret_moved->handle), "%s", place->handle);
}

/* Moves it to where it is not yet. */
static enum mt_status
move_from(const struct folders *f, struct imap_conn **conn,
    const struct place *place, const struct folder *from,
    const struct folder *to, struct mt_error *err)
{
	enum mt_status status =
	    relocate_check_source(f, place->folder, place->handle, err);

	if (status == MT_OK)
		status = relocate_check_target(f, to->path, err);
	if (status == MT_OK && !*conn)
		status = f->open(f->context, conn, f->deadline, err);
	if (status == MT_OK)
		status = moving_do(f, conn, place, from, to, err);
	return status;
}

static enum mt_status
move_message(const struct folders *f, struct imap_conn **conn,
    const char *handle, const struct folder *from, const struct folder *to,
    struct folders_moved *ret_moved, struct mt_error *err)
{
	struct place place = {0};
	enum mt_status status = look_up(f, conn, handle, from, &place, err);

	if (status == MT_OK && strcmp(place.folder, to->path) != 0) {
		status = move_from(f, conn, &place, from, to, err);
		place_done(&place);
		if (status == MT_OK)
			status = look_up(f, conn, handle, from, &place, err);
	}
	if (status == MT_OK)
		tell(&place, ret_moved);
	place_done(&place);
	return status;
}

enum mt_status
folders_move(const struct folders *f, const char *handle,
    const struct folder *from, const struct folder *to,
    struct folders_moved *ret_moved, struct mt_error *err)
{
	struct imap_conn *conn = NULL;
	enum mt_status status =
	    settle_earlier(f, &conn, from->path, handle, err);

	if (status == MT_OK)
		status =
		    move_message(f, &conn, handle, from, to, ret_moved, err);
	imap_conn_close(&conn);
	return status;
}

static enum mt_status
create_mailbox(
    const struct folders *f, const struct folder *folder, struct mt_error *err)
{
	struct imap_conn *conn = NULL;
	struct mt_error why;
	bool existed;
	enum mt_status status = f->open(f->context, &conn, f->deadline, err);

	if (status != MT_OK)
		return status;
	status = imap_conn_create(
	    conn, folder->mailbox, &existed, f->deadline, &why);
	imap_conn_close(&conn);
	if (status == MT_OK)
		return MT_OK;
	return mt_fail(err, status, "IMAP CREATE failed: %s", why.text);
}

enum mt_status
folders_create(
    const struct folders *f, const struct folder *folder, struct mt_error *err)
{
	struct publish_folder made;
	struct mt_error why;
	enum mt_status status = create_mailbox(f, folder, err);

	if (status != MT_OK)
		return status;
	status = publish_folder_open(f->publisher, folder->path, &made, &why);
	if (status != MT_OK)
		return mt_fail(
		    err, status, "failed to create folder: %s", why.text);
	publish_folder_close(&made);
	return MT_OK;
}

/* Goes on with all moves of an account that nobody holds; those that fail wait
 * for another time, and *err is about the first of them. */
static enum mt_status
resume_all(const struct folders *f, const char *account, struct imap_conn *conn,
    struct mt_error *err)
{
	enum mt_status result = MT_OK, status;
	struct move move = MOVE_INIT;
	struct mt_error why;
	bool found = true;

	for (int64_t after = 0; found; after = move.id, move_done(&move)) {
		status = move_state_take(
		    f->state, account, after, &move, &found, &why);
		if (status == MT_OK && found && (conn || move.placed))
			status =
			    moving_resume(f, conn, &move, MOVING_WAIT, &why);
		if (status != MT_OK && result == MT_OK)
			result = mt_fail(err, status, "%s", why.text);
	}
	return result;
}

enum mt_status
folders_recover_files(const struct folders *f, struct mt_error *err)
{
	return resume_all(f, NULL, NULL, err);
}

enum mt_status
folders_recover(
    const struct folders *f, struct imap_conn *conn, struct mt_error *err)
{
	return resume_all(f, f->account, conn, err);
}
