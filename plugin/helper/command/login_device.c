/* SPDX-License-Identifier: ISC */
#include "login.h"

#include "tokensock/token_admin.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Copies a field; true if the reply lacks it. */
static bool
copy(const struct token_wire_message *reply, const char *name, char **ret_text)
{
	const char *value = token_wire_get(reply, name);

	*ret_text = value && *value ? strdup(value) : NULL;
	return !*ret_text;
}

enum mt_status
login_begin_device(struct login *login, struct mt_error *err)
{
	struct token_client *client = &login->helper->client;
	struct token_wire_message reply;
	const char *id;
	enum mt_status status;

	token_wire_begin(&client->frame, "login-begin");
	token_wire_add(&client->frame, "account", login->account);
	token_wire_add(&client->frame, "device", "1");
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	status = token_admin_call(
	    client, -1, &reply, deadline_in_ms(HELPER_NETWORK_MS), err);
	if (status != MT_OK)
		return status;
	id = token_wire_get(&reply, "id");
	if (!id || !*id || strlen(id) >= sizeof(login->id) ||
	    copy(&reply, "verification_uri", &login->url) ||
	    copy(&reply, "user_code", &login->code))
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer lacks a field");
	copy(&reply, "verification_uri_complete", &login->whole_url);
	login->lifetime_s = token_wire_number(&reply, "expires_in", 86400, 900);
	memcpy(login->id, id, strlen(id) + 1);
	return MT_OK;
}

static enum mt_status
send_wait(struct login *login, struct mt_error *err)
{
	struct token_client *client = &login->helper->client;

	token_wire_begin(&client->frame, "login-wait");
	token_wire_add(&client->frame, "id", login->id);
	if (login->emit_fd >= 0)
		token_wire_add(&client->frame, "emit", "1");
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	return token_client_send(
	    client, login->emit_fd, deadline_in_ms(HELPER_CALL_MS), err);
}

/* The helper's verdict can be read, a signal came, or it was too long. */
static enum mt_status
wait_for_verdict(struct login *login, struct mt_error *err)
{
	struct pollfd fds[] = {
	    {login->signals, POLLIN, 0}, {login->helper->client.fd, POLLIN, 0}};
	struct deadline deadline =
	    deadline_in_ms(login->lifetime_s * 1000 + HELPER_NETWORK_MS);

	while (!fds[1].revents && !deadline_passed(deadline)) {
		fds[0].revents = 0;
		if (poll(fds, 2, deadline_left_ms(deadline)) < 0)
			continue; /* interrupted */
		if (fds[0].revents)
			return mt_fail(err, MT_NEEDS_LOGIN,
			    "the login was cancelled; nothing was stored");
	}
	return MT_OK;
}

/* Whoever stops waiting only has to hang up: the helper then stops, too. */
enum mt_status
login_wait_device(struct login *login, struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status = send_wait(login, err);

	if (status == MT_OK)
		status = wait_for_verdict(login, err);
	if (status == MT_OK)
		status = token_client_read(&login->helper->client, &reply,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK)
		login_tell(login, &reply);
	return status;
}
