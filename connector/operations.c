/* SPDX-License-Identifier: ISC */
#include "operations_impl.h"

#include "base/log.h"
#include "check.h"
#include "report.h"
#include "state/state.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static enum mt_status
set_names(struct operations *o, struct mt_error *err)
{
	const struct mailboxes *m = &o->config->mailboxes;
	const char *agent = o->config->agent;
	bool ok;

	o->folders = calloc(m->count + 1, sizeof(*o->folders));
	ok = o->folders &&
	     asprintf(&o->server, "%s:%u", o->config->imap.host,
		 o->config->imap.port) >= 0 &&
	     asprintf(&o->gateway_state, "agents/%s/state", agent) >= 0;
	for (size_t i = 0; i < m->count && ok; i++)
		ok = asprintf(&o->folders[i], "agents/%s/%s", agent,
			 m->list[i].folder) >= 0;
	if (!ok)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a name");
	return MT_OK;
}

enum mt_status
operations_open(struct operations **ret_operations, struct config *config,
    struct resources *resources, struct mt_error *err)
{
	struct operations *o = calloc(1, sizeof(*o));
	enum mt_status status;

	if (!o)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	o->config = config;
	o->resources = resources;
	status = set_names(o, err);
	if (status == MT_OK)
		status = session_open(&o->session, config, resources, err);
	if (status == MT_OK)
		status = operations_prepare_sending(o, err);
	if (status != MT_OK)
		operations_close(&o);
	else
		*ret_operations = o;
	return status;
}

void
operations_close(struct operations **operations)
{
	struct operations *o = *operations;

	if (!o)
		return;
	operations_leave(o);
	if (o->announced && o->resources->announcer)
		announcer_remove(o->resources->announcer, &o->announced);
	for (size_t i = 0; o->folders && i < o->config->mailboxes.count; i++)
		free(o->folders[i]);
	free(o->folders);
	free(o->gateway_state);
	free(o->server);
	free(o);
	*operations = NULL;
}

const struct config *
operations_config(const struct operations *o)
{
	return o->config;
}

const char *
operations_server(const struct operations *o)
{
	return o->server;
}

struct token_helper *
operations_helper(const struct operations *o)
{
	return o->session.helper;
}

const char *
operations_token_account(const struct operations *o)
{
	return o->token_account;
}

void
operations_show_bar(struct operations *o)
{
	o->show_bar = true;
}

void
operations_stop(struct operations *o)
{
	atomic_store(&o->stop, true);
}

enum mt_status
operations_open_workspace(struct operations *o,
    struct publisher **ret_publisher, struct mt_error *err)
{
	return publish_open(ret_publisher, o->config->workspace,
	    state_id(o->resources->state), err);
}

/* ---- check ---- */

enum mt_status
operations_check(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct publisher *publisher = NULL;
	enum mt_status status = operations_open_workspace(o, &publisher, err);

	publish_close(&publisher);
	*ret_report = json_object_new_object();
	report_add_text(*ret_report, "type", "check_response");
	report_add_text(*ret_report, "workspace", o->config->workspace);
	report_add_text(*ret_report, "state_dir", o->config->state_dir);
	if (status == MT_OK)
		status = check_logins(&o->session, *ret_report, err);
	else
		log_error("%s", err->text);
	report_add_outcome(*ret_report, status, err, "both servers let us in");
	return status;
}
