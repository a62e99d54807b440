/* SPDX-License-Identifier: ISC */
#include "token_admin.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Copies the path out of the reply, whose memory is needed for the next; false
 * if there is none. */
static bool
take_path(
    const struct token_wire_message *reply, char path[TOKEN_SOCKET_PATH_MAX])
{
	const char *named = token_wire_get(reply, "admin_socket");

	if (!named || *named != '/' || strlen(named) >= TOKEN_SOCKET_PATH_MAX)
		return false;
	memcpy(path, named, strlen(named) + 1);
	return true;
}

static enum mt_status
connect_there(struct token_client *client, const char *path,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status =
	    token_client_connect(client, path, deadline, err);

	/* its helper is there, only not for this one, in a jail perhaps */
	if (status == MT_NO_ACCOUNT)
		return mt_fail(err, MT_UNREACHABLE,
		    "this is answered at %s, and there is no such socket here",
		    path);
	if (status != MT_UNREACHABLE || access(path, W_OK) == 0 ||
	    errno != EACCES)
		return status;
	return mt_fail(err, MT_REFUSED,
	    "this is answered at %s, where only root and the user that "
	    "mailtokend runs as get in; run it as one of them, or have "
	    "'admin_group' set (mailtoken.conf(5))",
	    path);
}

enum mt_status
token_admin_call(struct token_client *client, int pass_fd,
    struct token_wire_message *ret_reply, struct deadline deadline,
    struct mt_error *err)
{
	char path[TOKEN_SOCKET_PATH_MAX];
	struct secret request;
	enum mt_status status;

	*ret_reply = (struct token_wire_message){0};
	secret_init(&request, NULL);
	secret_copy(&request, &client->frame);
	status = token_client_call(client, pass_fd, ret_reply, deadline, err);
	if (status == MT_NO_ACCOUNT && take_path(ret_reply, path)) {
		status = connect_there(client, path, deadline, err);
		secret_copy(&client->frame, &request);
		if (status == MT_OK && !secret_ok(&client->frame))
			status = mt_fail(err, MT_NO_MEMORY,
			    "no memory to ask the token helper");
		if (status == MT_OK)
			status = token_client_call(
			    client, pass_fd, ret_reply, deadline, err);
	}
	secret_done(&request);
	return status;
}
