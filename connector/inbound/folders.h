/* SPDX-License-Identifier: ISC */
/*
 * Moves messages between folders, on the server and in the workspace, and makes
 * folders.  What survives a crash in the middle is finished or taken back, by
 * what the server has.
 */
#ifndef MT_INBOUND_FOLDERS_H
#define MT_INBOUND_FOLDERS_H

#include "base/deadline.h"
#include "base/status.h"
#include "state/inbound_state.h"

#include <stdatomic.h>
#include <stdint.h>

struct imap_conn;
struct manifest_watch;
struct publisher;
struct state;

/* All members are the caller's. */
struct folders {
	struct state *state;
	struct publisher *publisher;
	struct manifest_watch *watch; /* of the risk manifest; may be NULL */
	const char *account;          /* as the state knows it */
	const char *workspace;        /* for error texts only */
	struct deadline deadline;

	/* Logs in; `context` is theirs.  Called again if the connection broke
	 * in the middle. */
	void *context;
	enum mt_status (*open)(void *context, struct imap_conn **ret_conn,
	    struct deadline deadline, struct mt_error *err);
	/* Told of each message that has got to its new folder, be it by another
	 * call than the one that began it; NULL: nobody is. */
	void (*moved)(void *context, const char *handle, const char *from,
	    const char *to);
};

/* A folder: on the server, and in the workspace. */
struct folder {
	const char *name;    /* for people */
	const char *mailbox; /* UTF-8 */
	const char *path;    /* "agents/<agent>/<folder>" */
};

struct folders_moved {
	char handle[INBOUND_HANDLE_MAX]; /* in the new folder */
	uint32_t uidvalidity;            /* 0: not known, as the UID */
	uint32_t uid;
};

/*
 * The names are checked (folder_name.h) by the caller.
 *
 * Moves the message whose directory is from/handle.  The mailbox and the folder
 * are made if they are not there.  A message that was moved before is found by
 * the name that it had, and one that is there already is no failure.
 *
 * MT_BAD_INPUT: no such message; MT_REFUSED: the server will not do it, or does
 * not have it any more.  Nothing has changed after these.  MT_RETRY_LATER: as
 * imap_conn, or the disk; the move is finished or taken back by folders_recover.
 */
enum mt_status folders_move(const struct folders *folders, const char *handle,
    const struct folder *from, const struct folder *to,
    struct folders_moved *ret_moved, struct mt_error *err) MT_MUST_CHECK;

/* Makes a folder; that it is there is no failure. */
enum mt_status folders_create(const struct folders *folders,
    const struct folder *folder, struct mt_error *err) MT_MUST_CHECK;

/*
 * Finishes in the workspace what the server has done, of all accounts; asks
 * nobody.  Before publish_sweep, as what is on its way is staged.
 */
enum mt_status folders_recover_files(
    const struct folders *folders, struct mt_error *err) MT_MUST_CHECK;

/*
 * Finishes or takes back all moves of the account that were cut short, by what
 * the server says on `conn`, which is left with any mailbox open.  Cheap when
 * there are none.
 */
enum mt_status folders_recover(const struct folders *folders,
    struct imap_conn *conn, struct mt_error *err) MT_MUST_CHECK;

#endif
