/* SPDX-License-Identifier: ISC */
#include "operations_impl.h"

#include "base/log.h"
#include "inbound/folder_name.h"
#include "inbound/folders.h"
#include "mail/imap_conn.h"
#include "report.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those who ask wait for a minute. */
#define PATIENCE_MS 50000

enum mt_status
operations_open_imap(struct operations *o, struct imap_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	struct mt_error why;
	enum mt_status status =
	    session_open_imap(&o->session, ret_conn, 0, deadline, &why);

	if (status == MT_OK)
		return MT_OK;
	return mt_fail(err, status, "IMAP %s failed: %s",
	    status == MT_NEEDS_LOGIN ? "LOGIN" : "connection", why.text);
}

static enum mt_status
open_imap(void *context, struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	return operations_open_imap(context, ret_conn, deadline, err);
}

/* "inbox" of "agents/email/inbox". */
static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
on_moved(void *context, const char *handle, const char *from, const char *to)
{
	(void)context;
	log_info(
	    "Email %s moved from %s to %s", handle, name_of(from), name_of(to));
}

struct folders
operations_folders(struct operations *o, struct publisher *publisher)
{
	return (struct folders){
	    .state = o->resources->state,
	    .publisher = publisher,
	    .watch = o->resources->announcer
			 ? announcer_watch(o->resources->announcer)
			 : NULL,
	    .account = o->config->name,
	    .workspace = o->config->workspace,
	    .deadline = deadline_in_ms(PATIENCE_MS),
	    .context = o,
	    .open = open_imap,
	    .moved = on_moved,
	};
}

/* ---- names ------------------------------------------------------------------ */

static const struct mailbox_setting *
find_mailbox(const struct mailboxes *m, const char *name)
{
	bool inbox = folder_name_is_inbox(name);

	for (size_t i = 0; i < m->count; i++)
		if (inbox ? strcmp(m->list[i].name, "INBOX") == 0
			  : strcmp(m->list[i].folder, name) == 0)
			return &m->list[i];
	return NULL;
}

/* A folder that is followed has a mailbox of whatever name; any other, one of
 * its own name. */
static enum mt_status
read_folder(const struct operations *o, const char *name,
    struct folder *ret_folder, struct mt_error *err)
{
	const struct mailbox_setting *known;
	const char *folder = name, *mailbox = name;
	char *path = NULL;
	enum mt_status status = folder_name_check(name, err);

	if (status != MT_OK)
		return status;
	known = find_mailbox(&o->config->mailboxes, name);
	if (known) {
		folder = known->folder;
		mailbox = known->name;
	} else if (folder_name_is_inbox(name)) {
		folder = "inbox";
		mailbox = "INBOX";
	}
	if (asprintf(&path, "agents/%s/%s", o->config->agent, folder) < 0)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a name");
	*ret_folder =
	    (struct folder){.name = name, .mailbox = mailbox, .path = path};
	return MT_OK;
}

static void
folder_done(struct folder *folder)
{
	/* it is ours; const for everybody else */
	free((char *)(uintptr_t)folder->path);
}

/* ---- move ------------------------------------------------------------------- */

static enum mt_status
move_between(struct operations *o, const char *handle,
    const struct folder *from, const struct folder *to,
    struct folders_moved *ret_moved, struct mt_error *err)
{
	struct publisher *publisher = NULL;
	struct folders folders;
	enum mt_status status = operations_open_workspace(o, &publisher, err);

	if (status != MT_OK)
		return status;
	folders = operations_folders(o, publisher);
	status = folders_move(&folders, handle, from, to, ret_moved, err);
	publish_close(&publisher);
	return status;
}

static enum mt_status
move_named(struct operations *o, const char *handle, const char *from_name,
    const char *to_name, struct folders_moved *ret_moved, struct mt_error *err)
{
	struct folder from = {0}, to = {0};
	enum mt_status status = read_folder(o, from_name, &from, err);

	if (status == MT_OK)
		status = read_folder(o, to_name, &to, err);
	if (status == MT_OK)
		status = folder_name_check_handle(handle, err);
	if (status == MT_OK)
		status = move_between(o, handle, &from, &to, ret_moved, err);
	folder_done(&from);
	folder_done(&to);
	return status;
}

static void
add_number(struct json_object *report, const char *name, uint32_t number)
{
	char digits[16] = "";

	if (number)
		snprintf(digits, sizeof(digits), "%" PRIu32, number);
	report_add_text(report, name, digits);
}

enum mt_status
operations_move(struct operations *o, const char *handle, const char *from,
    const char *to, struct json_object **ret_report, struct mt_error *err)
{
	struct folders_moved moved = {.handle = ""};
	enum mt_status status = move_named(o, handle, from, to, &moved, err);

	*ret_report = json_object_new_object();
	report_add_text(*ret_report, "type", "move_email_response");
	report_add_outcome(*ret_report, status, err, "moved");
	if (status != MT_OK)
		return status;
	report_add_text(*ret_report, "uid", moved.handle);
	add_number(*ret_report, "imap_uid", moved.uid);
	add_number(*ret_report, "uidvalidity", moved.uidvalidity);
	return MT_OK;
}

/* ---- create ----------------------------------------------------------------- */

static enum mt_status
create(struct operations *o, const char *name, struct mt_error *err)
{
	struct publisher *publisher = NULL;
	struct folder folder = {0};
	struct folders folders;
	enum mt_status status = read_folder(o, name, &folder, err);

	if (status == MT_OK)
		status = operations_open_workspace(o, &publisher, err);
	if (status == MT_OK) {
		folders = operations_folders(o, publisher);
		status = folders_create(&folders, &folder, err);
	}
	if (status == MT_OK)
		log_info("Email folder created: %s", name);
	publish_close(&publisher);
	folder_done(&folder);
	return status;
}

enum mt_status
operations_create_folder(struct operations *o, const char *name,
    struct json_object **ret_report, struct mt_error *err)
{
	enum mt_status status = create(o, name, err);

	*ret_report = json_object_new_object();
	report_add_text(*ret_report, "type", "create_folder_response");
	report_add_outcome(*ret_report, status, err, "created");
	return status;
}

/* ---- what was cut short ----------------------------------------------------- */

static void
log_unfinished(const struct mt_error *err)
{
	log_error(
	    "a move that was cut short is not finished yet: %s", err->text);
}

void
operations_recover_moved(struct operations *o, struct publisher *publisher)
{
	const struct folders folders = operations_folders(o, publisher);
	struct mt_error err;

	if (folders_recover_files(&folders, &err) != MT_OK)
		log_unfinished(&err);
}

void
operations_resume_moves(struct operations *o, struct publisher *publisher)
{
	const struct folders folders = operations_folders(o, publisher);
	struct mt_error err;

	if (folders_recover(&folders, o->conn, &err) != MT_OK)
		log_error(
		    "a move that was cut short is not finished: %s", err.text);
}
