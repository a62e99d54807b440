/* SPDX-License-Identifier: ISC */
#include "mail/imap_id.h"

#include "base/host.h"
#include "mail/imap_command.h"

#define COMMAND "ID (\"name\" \"mailtoken-connector\")"

/* Domains of NetEase: "Unsafe Login" is what they answer to strangers. */
static const char *const curious[] = {
    "163.com", "126.com", "yeah.net", "188.com", "netease.com"};

bool
imap_id_is_wanted(const char *host)
{
	for (size_t i = 0; i < sizeof(curious) / sizeof(*curious); i++)
		if (host_is_in(host, curious[i]))
			return true;
	return false;
}

enum mt_status
imap_id_introduce(
    struct imap_conn *conn, const char *host, struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status = MT_OK;

	if (!imap_id_is_wanted(host) || !imap_conn_offers(conn, "ID"))
		return MT_OK;
	status = imap_command_send(conn, COMMAND, NULL, err);
	if (status == MT_OK)
		status =
		    imap_command_reply(conn, NULL, NULL, NULL, &reply, err);
	if (status == MT_OK && reply.condition == IMAP_BYE)
		status = imap_command_failed(
		    conn, "ends the connection", &reply, err);
	return status;
}
