/* SPDX-License-Identifier: ISC */
#include "inbound/recover.h"

#include "inbound/placing.h"

static enum mt_status
finish_in_folder(const struct inbound *in, const struct publish_folder *folder,
    const struct inbound_staged_message *m, struct mt_error *err)
{
	char handle[INBOUND_HANDLE_MAX];
	enum mt_status status = placing_recover(in, folder, m, handle, err);

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
finish(const struct inbound *in, const struct inbound_staged_message *m,
    struct mt_error *err)
{
	struct publish_folder folder;
	enum mt_status status =
	    publish_folder_open(in->publisher, m->message.folder, &folder, err);

	if (status != MT_OK)
		return status;
	status = finish_in_folder(in, &folder, m, err);
	publish_folder_close(&folder);
	return status;
}

static enum mt_status
finish_all(const struct inbound *in, const char *account, const char *mailbox,
    struct mt_error *err)
{
	struct inbound_staged staged;
	enum mt_status status =
	    inbound_state_staged(in->state, account, mailbox, &staged, err);

	if (status != MT_OK)
		return status;
	for (size_t i = 0; i < staged.count && status == MT_OK; i++)
		status = finish(in, &staged.messages[i], err);
	inbound_staged_done(&staged);
	return status;
}

enum mt_status
recover_mailbox(const struct inbound *in, struct mt_error *err)
{
	return finish_all(in, in->account, in->mailbox, err);
}

enum mt_status
recover_all(const struct inbound *in, struct mt_error *err)
{
	enum mt_status status = finish_all(in, NULL, NULL, err);

	if (status == MT_OK)
		publish_sweep(in->publisher);
	return status;
}
