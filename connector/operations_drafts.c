/* SPDX-License-Identifier: ISC */
#include "operations_impl.h"

#include "base/log.h"
#include "outbound/save_draft.h"
#include "outbound/send.h"
#include "report.h"

#include <json-c/json.h>

#define PATIENCE_MS 50000 /* those who ask wait for a minute */

static enum mt_status
open_imap(void *context, struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct operations *o = context;

	return operations_open_imap(o, ret_conn, deadline, err);
}

enum mt_status
operations_save_draft(struct operations *o, const struct send_request *request,
    struct json_object **ret_report, struct mt_error *err)
{
	const struct save_draft_settings settings = {
	    .state = o->resources->state,
	    .account = o->config->name,
	    .from = o->config->from,
	    .mailbox = o->config->drafts_mailbox,
	    .deadline = deadline_in_ms(PATIENCE_MS),
	    .context = o,
	    .open = open_imap,
	};
	struct saved_draft saved;
	enum mt_status status = save_draft(
	    &settings, request->request_id, &request->draft, &saved, err);

	*ret_report = json_object_new_object();
	report_add_text(*ret_report, "type", "save_draft_response");
	report_add_outcome(
	    *ret_report, status, err, "draft saved to IMAP Drafts");
	if (status != MT_OK)
		return status;
	log_info("Email appended to IMAP %s", saved.mailbox);
	report_add_text(*ret_report, "message_id", saved.message_id);
	report_add_text(*ret_report, "mailbox", saved.mailbox);
	return MT_OK;
}
