/* SPDX-License-Identifier: ISC */
#include "inbound/recover.h"

#include "inbound/placing.h"
#include "inbound/risk.h"
#include "state/move_state.h"

#include <string.h>

#define GROUP_MAX 1000 /* messages */

/* Messages of one folder, which are entered into the risk manifest together. */
struct group {
	const struct inbound_staged_message *messages;
	size_t count;
};

/* The first ones that can be a group. */
static struct group
group_of(const struct inbound_staged_message *messages, size_t count)
{
	struct group group = {messages, 0};

	while (group.count < count && group.count < GROUP_MAX &&
	       strcmp(messages[group.count].message.folder,
		   messages->message.folder) == 0)
		group.count++;
	return group;
}

static enum mt_status
enter_risk(const struct inbound *in, const struct publish_folder *folder,
    struct group group, struct mt_error *err)
{
	struct manifest_paths staged = {0}, published = {0};
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < group.count && status == MT_OK; i++)
		status = placing_recover(
		    in, folder, &group.messages[i], &staged, &published, err);
	if (status == MT_OK)
		return risk_enter_both(
		    in, folder->path, &staged, &published, err);
	manifest_paths_done(&staged);
	manifest_paths_done(&published);
	return status;
}

static enum mt_status
finish(const struct inbound *in, const struct publish_folder *folder,
    const struct inbound_staged_message *m, struct mt_error *err)
{
	char handle[INBOUND_HANDLE_MAX];
	enum mt_status status = placing_publish(in, folder, m, handle, err);

	if (status == MT_OK)
		status = publish_folder_sync(in->publisher, folder, err);
	if (status == MT_OK)
		status = inbound_state_published(
		    in->state, m->mailbox_id, m->message.uid, err);
	if (status == MT_OK)
		placing_report(in, &m->message, handle);
	return status;
}

static enum mt_status
finish_group(const struct inbound *in, struct group group, struct mt_error *err)
{
	struct publish_folder folder;
	enum mt_status status = publish_folder_open(
	    in->publisher, group.messages->message.folder, &folder, err);

	if (status != MT_OK)
		return status;
	status = enter_risk(in, &folder, group, err);
	for (size_t i = 0; i < group.count && status == MT_OK; i++)
		status = finish(in, &folder, &group.messages[i], err);
	publish_folder_close(&folder);
	return status;
}

static enum mt_status
finish_all(const struct inbound *in, const char *account, const char *mailbox,
    struct mt_error *err)
{
	struct inbound_staged staged;
	struct group group = {0};
	enum mt_status status =
	    inbound_state_staged(in->state, account, mailbox, &staged, err);

	if (status != MT_OK)
		return status;
	for (size_t i = 0; i < staged.count && status == MT_OK;
	     i += group.count) {
		group = group_of(&staged.messages[i], staged.count - i);
		status = finish_group(in, group, err);
	}
	inbound_staged_done(&staged);
	return status;
}

enum mt_status
recover_mailbox(const struct inbound *in, struct mt_error *err)
{
	return finish_all(in, in->account, in->mailbox, err);
}

/* Another process may be moving it just now. */
static bool
is_moved(void *context, const char *name)
{
	const struct inbound *in = context;
	bool has = false;

	return move_state_has_staged(in->state, name, &has, NULL) != MT_OK ||
	       has;
}

enum mt_status
recover_all(const struct inbound *in, struct mt_error *err)
{
	enum mt_status status = finish_all(in, NULL, NULL, err);

	if (status == MT_OK)
		publish_sweep(in->publisher, is_moved, (void *)(uintptr_t)in);
	return status;
}
