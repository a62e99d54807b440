/* SPDX-License-Identifier: ISC */
#include "helper.h"

#include "base/log.h"
#include "private_helper.h"
#include "tokensock/module_settings.h"

#include <stdio.h>

void
helper_init(struct helper *helper, const char *socket, const char *config)
{
	*helper = (struct helper){.config = config};
	token_client_init(
	    &helper->client, module_settings_trusted_uid(MT_SASL_SETTINGS));
	if (socket) {
		helper->named = true;
		/* one that does not fit finds nobody */
		if (!token_paths_add(&helper->paths, socket))
			log_warning("%s is no socket's path", socket);
		return;
	}
	helper->named = token_paths_add_environment(&helper->paths);
	token_paths_add_standard(&helper->paths, false);
}

/* Nobody there to connect to, as against somebody who is not to be trusted. */
static bool
is_absence(enum mt_status status)
{
	return status == MT_NO_ACCOUNT || status == MT_UNREACHABLE;
}

static enum mt_status
start_private(struct helper *helper, struct mt_error *err)
{
	struct mt_error why = {0};
	int fd;

	log_debug("no helper is running: starting a private one");
	if (private_helper_start(
		helper->config, &helper->private_pid, &fd, &why) != MT_OK)
		return mt_fail(err, why.status,
		    "no token helper is running, and %s", why.text);
	helper->somebody = true;
	helper->failure = (struct mt_error){0};
	token_client_adopt(&helper->client, fd);
	return MT_OK;
}

/* All paths have been tried. */
static enum mt_status
no_more(struct helper *helper, struct mt_error *err)
{
	if (helper->failure.status != MT_OK && helper->somebody) {
		*err = helper->failure;
		return err->status;
	}
	if (helper->somebody)
		return mt_fail(err, MT_NO_ACCOUNT, "no such account");
	if (!helper->named && !helper->only_running)
		return start_private(helper, err);
	if (helper->failure.status != MT_OK)
		return mt_fail(err, MT_UNREACHABLE,
		    "%s; is mailtokend running, and for this user?",
		    helper->failure.text);
	return mt_fail(err, MT_UNREACHABLE,
	    "no token helper listens on %s; is mailtokend running?",
	    helper->paths.count ? helper->paths.path[0] : "that socket");
}

enum mt_status
helper_next(
    struct helper *helper, struct deadline deadline, struct mt_error *err)
{
	while (helper->next < helper->paths.count) {
		const char *path = helper->paths.path[helper->next++];
		struct mt_error why = {0};
		enum mt_status status =
		    token_client_connect(&helper->client, path, deadline, &why);

		if (status == MT_OK) {
			log_debug("asking the helper at %s", path);
			helper->somebody = true;
			return MT_OK;
		}
		log_debug("%s", why.text);
		helper->somebody |= !is_absence(status);
		if (status != MT_NO_ACCOUNT && helper->failure.status == MT_OK)
			helper->failure = why;
	}
	return no_more(helper, err);
}

void
helper_add_query(
    struct helper *helper, const struct token_query *query, const char *use)
{
	const struct {
		const char *name, *value;
	} fields[] = {
	    {"account", query->account},
	    {"service", query->service},
	    {"host", query->host},
	    {"user", query->user},
	    {"for", use},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].value)
			token_wire_add(&helper->client.frame, fields[i].name,
			    fields[i].value);
}

static enum mt_status
ask_exists(struct helper *helper, const struct token_query *query,
    const char *use, struct deadline deadline, struct mt_error *err)
{
	struct token_wire_message reply;
	const char *account;
	enum mt_status status;

	token_wire_begin(&helper->client.frame, "exists");
	helper_add_query(helper, query, use);
	if (!token_wire_end(&helper->client.frame))
		return mt_fail(err, MT_USAGE, "the account's name is too long");
	status = token_client_call(&helper->client, -1, &reply, deadline, err);
	if (status != MT_OK)
		return status;
	account = token_wire_get(&reply, "account");
	snprintf(helper->account, sizeof(helper->account), "%s",
	    account ? account : "");
	return MT_OK;
}

enum mt_status
helper_find_for(struct helper *helper, const struct token_query *query,
    const char *use, struct deadline deadline, struct mt_error *err)
{
	struct mt_error none = {0};
	enum mt_status status;

	while ((status = helper_next(helper, deadline, err)) == MT_OK) {
		struct mt_error why = {0};

		status = ask_exists(helper, query, use, deadline, &why);
		if (status == MT_OK)
			return MT_OK;
		log_debug("%s", why.text);
		if (status == MT_NO_ACCOUNT)
			none = why;
		else if (helper->failure.status == MT_OK)
			helper->failure = why;
	}
	if (status == MT_NO_ACCOUNT && none.status == MT_NO_ACCOUNT)
		*err = none;
	return status;
}

enum mt_status
helper_find(struct helper *helper, const char *account,
    struct deadline deadline, struct mt_error *err)
{
	struct token_query query = {.account = account};

	return helper_find_for(helper, &query, NULL, deadline, err);
}

enum mt_status
helper_done(struct helper *helper, enum mt_status status, struct mt_error *err)
{
	struct mt_error why = {0};

	token_client_done(&helper->client);
	if (helper->private_pid == 0)
		return status;
	if (private_helper_end(helper->private_pid, &why) == MT_OK)
		return status;
	if (status != MT_UNREACHABLE) {
		log_debug("%s", why.text);
		return status;
	}
	*err = why;
	return why.status;
}
