/* SPDX-License-Identifier: ISC */
#include "inbound/audit.h"

#include "inbound/risk.h"
#include "state/inbound_state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SHARE 1000        /* messages */
#define SHARE_PAUSE_MS 20 /* for others */

/* The open folder of the message before, which is mostly that of the next. */
struct walk {
	const struct inbound *in;
	struct publish_folder folder;
	struct manifest_paths paths; /* in it */
};

static enum mt_status
leave_folder(struct walk *w, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (w->folder.path)
		status = risk_enter(
		    w->in, w->folder.path, &w->paths, MANIFEST_MISSING, err);
	manifest_paths_done(&w->paths);
	if (w->folder.path)
		publish_folder_close(&w->folder);
	w->folder.path = NULL;
	return status;
}

static enum mt_status
enter_folder(struct walk *w, const char *path, struct mt_error *err)
{
	enum mt_status status;

	if (w->folder.path && strcmp(w->folder.path, path) == 0)
		return MT_OK;
	status = leave_folder(w, err);
	if (status != MT_OK)
		return status;
	return publish_folder_find(w->in->publisher, path, &w->folder, err);
}

static enum mt_status
visit(struct walk *w, const struct inbound_message *m, struct mt_error *err)
{
	enum mt_status status = enter_folder(w, m->folder, err);
	int dir;

	/* the mail of agents that are no more stays in the state */
	if (status != MT_OK || w->folder.fd < 0)
		return status;
	dir = openat(w->folder.fd, m->handle,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return MT_OK; /* removed, or moved */
	status = risk_add(&w->paths, m->folder, m->handle, dir, err);
	close(dir);
	return status;
}

static enum mt_status
visit_all(
    struct walk *w, const struct inbound_staged *share, struct mt_error *err)
{
	struct mt_error worse;
	enum mt_status status = MT_OK, last;

	for (size_t i = 0; i < share->count && status == MT_OK; i++)
		status = visit(w, &share->messages[i].message, err);
	last = leave_folder(w, status == MT_OK ? err : &worse);
	return status == MT_OK ? last : status;
}

enum mt_status
audit_step(struct audit *audit, struct state *state,
    struct publisher *publisher, int64_t *ret_next_ms, struct mt_error *err)
{
	const struct inbound in = {.state = state, .publisher = publisher};
	struct walk walk = {.in = &in};
	struct inbound_staged share;
	enum mt_status status;

	*ret_next_ms = deadline_left_ms(audit->next);
	if (*ret_next_ms > 0)
		return MT_OK;
	status = inbound_state_visible(
	    state, audit->mailbox, audit->uid, SHARE, &share, err);
	if (status != MT_OK)
		return status;
	status = visit_all(&walk, &share, err);
	if (status == MT_OK && share.count) {
		audit->mailbox = share.messages[share.count - 1].mailbox_id;
		audit->uid = share.messages[share.count - 1].message.uid;
		*ret_next_ms = SHARE_PAUSE_MS;
	} else if (status == MT_OK) {
		*audit = (struct audit){.next = deadline_in_ms(AUDIT_PAUSE_MS)};
		*ret_next_ms = AUDIT_PAUSE_MS;
	}
	inbound_staged_done(&share);
	return status;
}
