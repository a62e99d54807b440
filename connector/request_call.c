/* SPDX-License-Identifier: ISC */
#include "request_call.h"

#include "base/buf.h"
#include "operations.h"
#include "outbound/send.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- drafts ---- */

/*
 * Where the agent's own files are.  As long as it has none there is nothing
 * that its drafts could name: then it is no directory, in which nothing is
 * found.
 */
static enum mt_status
open_agent_directory(
    const struct operations *o, int *ret_fd, struct mt_error *err)
{
	const struct config *config = operations_config(o);
	char path[PATH_MAX];
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/agents/%s", config->workspace,
		config->agent) < (int)sizeof(path))
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot open the directory of the agent %s", config->agent);
	*ret_fd = fd;
	return MT_OK;
}

/* Whoever approved a draft has seen what is sent. */
static enum mt_status
check_pinned(
    const struct operations *o, const struct request *r, struct mt_error *err)
{
	if (r->draft || r->draft_sha256 ||
	    operations_config(o)->allow_draft_path)
		return MT_OK;
	return mt_fail(err, MT_REFUSED,
	    "draft_path alone is refused, as the file may have changed since "
	    "it was approved: pass the draft itself, or its draft_sha256 "
	    "(TRI_ONYX_EMAIL_ALLOW_DRAFT_PATH=true allows it)");
}

static struct send_request
send_request_of(
    const struct operations *o, const struct request *r, int agent_dir)
{
	return (struct send_request){
	    .request_id = r->request_id,
	    .draft =
		{
		    .json = r->draft,
		    .len = r->draft ? strlen(r->draft) : 0,
		    .path = r->draft_path,
		    .sha256 = r->draft_sha256,
		    .pinned_only = r->name == REQUEST_SEND &&
				   !operations_config(o)->allow_draft_path,
		    .agent_dir = agent_dir,
		    .agent = operations_config(o)->agent,
		},
	};
}

static struct json_object *
report_of(const struct send_report *report)
{
	struct buf json = BUF_INIT(16384);
	struct json_object *object;

	send_add_json(&json, report);
	object = json_tokener_parse(buf_text(&json));
	buf_done(&json);
	return object;
}

static enum mt_status
queue_draft(struct operations *o, const struct request *r, int agent_dir,
    struct request_outcome *out, struct mt_error *err)
{
	const struct send_request request = send_request_of(o, r, agent_dir);
	struct send_report report = SEND_REPORT_INIT;
	int64_t entry = 0;
	enum mt_status status =
	    operations_queue(o, &request, &entry, &report, err);

	out->report = report_of(&report);
	if (status == MT_OK && !report.decided)
		out->entry = entry;
	return status;
}

static enum mt_status
save_draft(struct operations *o, const struct request *r, int agent_dir,
    struct request_outcome *out, struct mt_error *err)
{
	const struct send_request request = send_request_of(o, r, agent_dir);

	return operations_save_draft(o, &request, &out->report, err);
}

static enum mt_status
call_with_draft(struct operations *o, const struct request *r,
    struct request_outcome *out, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	int agent_dir = -1;

	if (r->name == REQUEST_SEND)
		status = check_pinned(o, r, err);
	if (status == MT_OK)
		status = open_agent_directory(o, &agent_dir, err);
	if (status != MT_OK)
		return status;
	status = r->name == REQUEST_SEND
		     ? queue_draft(o, r, agent_dir, out, err)
		     : save_draft(o, r, agent_dir, out, err);
	close(agent_dir);
	return status;
}

/* ---- all of them ---- */

static enum mt_status
call_about_queue(struct operations *o, const struct request *r,
    struct request_outcome *out, struct mt_error *err)
{
	switch (r->action) {
	case REQUEST_QUEUE_SHOW:
		return operations_queue_show(o, r->entry, &out->report, err);
	case REQUEST_QUEUE_RETRY:
		return operations_queue_retry(o, r->entry, &out->report, err);
	case REQUEST_QUEUE_DROP:
		return operations_queue_drop(o, r->entry, &out->report, err);
	case REQUEST_QUEUE_LIST:
		break;
	}
	return operations_queue_list(o, &out->report, err);
}

static enum mt_status
call(struct operations *o, const struct request *r, struct request_outcome *out,
    struct mt_error *err)
{
	switch (r->name) {
	case REQUEST_SEND:
	case REQUEST_SAVE_DRAFT:
		return call_with_draft(o, r, out, err);
	case REQUEST_MOVE:
		return operations_move(o, r->uid, r->source_folder,
		    r->dest_folder, &out->report, err);
	case REQUEST_CREATE_FOLDER:
		return operations_create_folder(
		    o, r->folder_name, &out->report, err);
	case REQUEST_QUEUE:
		break;
	}
	return call_about_queue(o, r, out, err);
}

void
request_call(struct operations *o, const struct request *request,
    struct request_outcome *ret_outcome)
{
	struct mt_error err = {0};

	*ret_outcome = (struct request_outcome){0};
	ret_outcome->status = call(o, request, ret_outcome, &err);
	if (!ret_outcome->report)
		ret_outcome->report = request_answer(
		    request->name, ret_outcome->status, err.text);
}
