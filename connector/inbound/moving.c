/* SPDX-License-Identifier: ISC */
#include "inbound/moving.h"

#include "inbound/arrival.h"
#include "inbound/relocate.h"
#include "inbound/whereabouts.h"
#include "mail/imap_mailboxes.h"
#include "mail/imap_move.h"
#include "mail/imap_select.h"
#include "mail/imap_watch.h"
#include "state/arrival_state.h"

#include <string.h>
#include <time.h>

/* So long a server may be at a command whose asker has gone. */
#define SETTLE_S 60

/* ---- the directory ---------------------------------------------------------- */

/* It has arrived: its directory follows, and the record goes. */
static enum mt_status
finish(const struct folders *f, struct move *move, bool *ret_there,
    struct mt_error *err)
{
	enum mt_status status = relocate_do(f, move, ret_there, err);

	if (status == MT_OK)
		status = move_state_end(f->state, move, err);
	if (status == MT_OK && *ret_there && f->moved)
		f->moved(
		    f->context, move->handle, move->folder, move->to_folder);
	return status;
}

static enum mt_status
arrive(const struct folders *f, struct move *move, uint32_t uidvalidity,
    uint32_t uid, bool *ret_there, struct mt_error *err)
{
	enum mt_status status = arrival_enter(f, move, uidvalidity, uid, err);

	return status == MT_OK ? finish(f, move, ret_there, err) : status;
}

/* ---- the server ------------------------------------------------------------- */

struct target {
	const struct folders *folders;
	const struct move *move;
	uint32_t uidvalidity;
};

static enum mt_status
is_other(void *context, uint32_t uid, bool *ret_other, struct mt_error *err)
{
	const struct target *t = context;

	return arrival_state_is_known(
	    t->folders->state, t->move, t->uidvalidity, uid, ret_other, err);
}

/* Looks into the target for what was moved; *ret_opened tells of the target,
 * all 0 if there is none. */
static enum mt_status
search_target(const struct folders *f, struct imap_conn *conn,
    const struct move *move, struct imap_mailbox *ret_opened,
    struct whereabouts *ret_found, struct mt_error *err)
{
	struct target t = {.folders = f, .move = move};
	struct whereabouts_search search = {
	    .identity = &move->identity,
	    .is_other = is_other,
	    .context = &t,
	};
	enum mt_status status = imap_conn_select(
	    conn, move->to_mailbox, ret_opened, f->deadline, err);

	*ret_found = (struct whereabouts){0};
	if (status == MT_REFUSED) {
		*ret_opened = (struct imap_mailbox){0};
		return MT_OK;
	}
	if (status != MT_OK || !ret_opened->exists)
		return status;
	t.uidvalidity = ret_opened->uidvalidity;
	if (ret_opened->uidvalidity == move->to_uidvalidity)
		search.first = move->to_uidnext;
	return whereabouts_search(conn, &search, ret_found, f->deadline, err);
}

/* Looks into where it was; *ret_certain false: that it was not found there says
 * nothing. */
static enum mt_status
search_source(const struct folders *f, struct imap_conn *conn,
    const struct move *move, struct whereabouts *ret_found, bool *ret_certain,
    struct mt_error *err)
{
	enum place_found known = PLACE_UNKNOWN;
	struct imap_mailbox opened = {0};
	struct place place = {0};
	enum mt_status status = place_state_find(f->state, move->account,
	    move->folder, move->handle, &known, &place, err);

	*ret_found = (struct whereabouts){0};
	*ret_certain = true;
	if (status != MT_OK || known != PLACE_KNOWN)
		return status;
	status =
	    imap_conn_select(conn, place.mailbox, &opened, f->deadline, err);
	if (status == MT_OK) {
		*ret_certain = opened.uidvalidity == place.uidvalidity;
		status = whereabouts_find(
		    conn, &opened, &place, ret_found, f->deadline, err);
	} else if (status == MT_REFUSED) {
		status = MT_OK;
	}
	place_done(&place);
	return status;
}

/* Asks the server what became of it. */
static enum mt_status
find_out(const struct folders *f, struct imap_conn *conn, struct move *move,
    bool *ret_stayed, bool *ret_there, struct mt_error *err)
{
	struct whereabouts target, source;
	struct imap_mailbox opened;
	bool certain = false;
	enum mt_status status =
	    search_target(f, conn, move, &opened, &target, err);

	if (status == MT_OK)
		status = search_source(f, conn, move, &source, &certain, err);
	if (status != MT_OK)
		return status;
	*ret_stayed = !target.uid && (source.uid || !certain);
	if (*ret_stayed)
		return MT_OK;
	/* copied, and not removed yet */
	if (source.uid)
		status = imap_conn_remove(conn, source.uid, f->deadline, err);
	if (status != MT_OK)
		return status;
	return arrive(f, move, target.uid ? opened.uidvalidity : 0, target.uid,
	    ret_there, err);
}

static bool
is_settled(const struct move *move)
{
	time_t now = time(NULL);

	return now < move->begun || now >= move->begun + SETTLE_S;
}

enum mt_status
moving_resume(const struct folders *f, struct imap_conn *conn,
    struct move *move, enum moving_patience patience, struct mt_error *err)
{
	bool stayed = false, there = false;
	enum mt_status status;

	if (move->placed)
		return finish(f, move, &there, err);
	status = find_out(f, conn, move, &stayed, &there, err);
	if (status == MT_OK && stayed &&
	    (patience == MOVING_DECIDE || is_settled(move)))
		status = move_state_end(f->state, move, err);
	return status;
}

/* ---- asking ----------------------------------------------------------------- */

static enum mt_status
fail_select(enum mt_status status, const char *name, const struct mt_error *why,
    struct mt_error *err)
{
	return mt_fail(
	    err, status, "IMAP SELECT failed for %s: %s", name, why->text);
}

/* Opens the target, for its UIDNEXT, and makes it if need be. */
static enum mt_status
open_target(const struct folders *f, struct imap_conn *conn,
    const struct folder *to, struct imap_mailbox *ret_opened,
    struct mt_error *err)
{
	struct mt_error why;
	bool existed = false;
	enum mt_status status =
	    imap_conn_select(conn, to->mailbox, ret_opened, f->deadline, &why);

	if (status == MT_OK)
		return MT_OK;
	if (status != MT_REFUSED)
		return fail_select(status, to->name, &why, err);
	status =
	    imap_conn_create(conn, to->mailbox, &existed, f->deadline, &why);
	if (status != MT_OK)
		return mt_fail(err, status, "IMAP CREATE failed: %s", why.text);
	status =
	    imap_conn_select(conn, to->mailbox, ret_opened, f->deadline, &why);
	if (status != MT_OK)
		return fail_select(status, to->name, &why, err);
	return MT_OK;
}

static enum mt_status
open_source(const struct folders *f, struct imap_conn *conn,
    const struct place *place, const struct folder *from,
    struct whereabouts *ret_found, struct mt_error *err)
{
	struct imap_mailbox opened;
	struct mt_error why;
	enum mt_status status =
	    imap_conn_select(conn, place->mailbox, &opened, f->deadline, &why);

	if (status != MT_OK)
		return fail_select(status, from->name, &why, err);
	status = whereabouts_find(
	    conn, &opened, place, ret_found, f->deadline, &why);
	if (status != MT_OK)
		return mt_fail(
		    err, status, "IMAP MOVE/COPY failed: %s", why.text);
	if (ret_found->uid)
		return MT_OK;
	if (opened.uidvalidity == place->uidvalidity)
		return mt_fail(err, MT_REFUSED,
		    "IMAP MOVE/COPY failed: the message is not in %s any more",
		    place->mailbox);
	return mt_fail(err, MT_REFUSED,
	    "IMAP MOVE/COPY failed: %s, and the message was not found in it "
	    "by what is known of it",
	    place->uidvalidity
		? "the server has numbered the mailbox anew"
		: "the server did not tell where in the mailbox it is");
}

/* The answer was no, or there is none that could be believed. */
static enum mt_status
after_failure(const struct folders *f, struct imap_conn **conn,
    struct move *move, bool copied, enum mt_status result, bool *ret_there,
    const struct mt_error *why, struct mt_error *err)
{
	bool stayed = true;
	enum mt_status status = MT_OK;

	if (copied || !imap_conn_is_usable(*conn)) {
		imap_conn_close(conn);
		status = f->open(f->context, conn, f->deadline, NULL);
		if (status == MT_OK)
			status =
			    find_out(f, *conn, move, &stayed, ret_there, err);
		if (status == MT_OK && !stayed)
			return MT_OK;
		/* recorded, for moving_resume */
	} else {
		status = move_state_end(f->state, move, NULL);
	}
	(void)status;
	return mt_fail(err, result, "IMAP MOVE/COPY failed: %s", why->text);
}

/* It was moved, and the server did not tell where to. */
static enum mt_status
arrive_somewhere(const struct folders *f, struct imap_conn *conn,
    struct move *move, bool *ret_there, struct mt_error *err)
{
	struct imap_mailbox opened;
	struct whereabouts found;
	enum mt_status status =
	    search_target(f, conn, move, &opened, &found, err);

	if (status != MT_OK)
		return status;
	return arrive(f, move, found.uid ? opened.uidvalidity : 0, found.uid,
	    ret_there, err);
}

static enum mt_status
ask(const struct folders *f, struct imap_conn **conn, struct move *move,
    uint32_t uid, bool *ret_there, struct mt_error *err)
{
	struct imap_place put;
	bool gone = false, copied = false;
	struct mt_error why;
	enum mt_status status = imap_conn_move(*conn, uid, move->to_mailbox,
	    &put, &gone, &copied, f->deadline, &why);

	if (status != MT_OK)
		return after_failure(
		    f, conn, move, copied, status, ret_there, &why, err);
	if (gone) {
		status = move_state_end(f->state, move, err);
		return status == MT_OK
			   ? mt_fail(err, MT_REFUSED,
				 "IMAP MOVE/COPY failed: the message is not "
				 "there any more")
			   : status;
	}
	if (put.uid)
		return arrive(
		    f, move, put.uidvalidity, put.uid, ret_there, err);
	return arrive_somewhere(f, *conn, move, ret_there, err);
}

enum mt_status
moving_do(const struct folders *f, struct imap_conn **conn,
    const struct place *place, const struct folder *from,
    const struct folder *to, struct mt_error *err)
{
	struct move_intent intent = {
	    .account = f->account,
	    .folder = place->folder,
	    .handle = place->handle,
	    .to_mailbox = to->mailbox,
	    .to_folder = to->path,
	};
	struct imap_mailbox target = {0};
	struct move move = MOVE_INIT;
	struct whereabouts source;
	bool there = true;
	enum mt_status status = open_target(f, *conn, to, &target, err);

	if (status == MT_OK)
		status = open_source(f, *conn, place, from, &source, err);
	if (status != MT_OK)
		return status;
	intent.to_uidvalidity = target.uidvalidity;
	intent.to_uidnext = target.uidnext;
	intent.identity = source.identity;
	intent.identity.has_digest = place->identity.has_digest;
	memcpy(intent.identity.digest, place->identity.digest,
	    sizeof(intent.identity.digest));
	status = move_state_begin(f->state, &intent, time(NULL), &move, err);
	if (status != MT_OK)
		return status;
	status = ask(f, conn, &move, source.uid, &there, err);
	move_done(&move);
	if (status == MT_OK && !there)
		return relocate_fail_missing(
		    f, place->folder, place->handle, err);
	return status;
}
