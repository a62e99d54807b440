/* SPDX-License-Identifier: ISC */
/*
 * deliver_program WORKSPACE STATE COUNT
 *
 * A connector without a network, to be killed at any point: the real state,
 * MIME worker and workspace, and a mailbox that always has the same COUNT
 * messages.  Recovers, polls once, and prints the handle of each delivery.
 */
#include "delivery/publish.h"
#include "inbound/fetch.h"
#include "inbound/recover.h"
#include "mime/mime_pool.h"
#include "state/state.h"
#include "unit/connector/inbound/fake_imap.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* From the fourth message on, they come in batches of their own: the server
 * says that they are large. */
#define TOGETHER 3
#define ANNOUNCED (3u * 1024 * 1024)

static const char *const messages[] = {
    "From: Ann <ann@example.org>\r\n"
    "Subject: Plain\r\n"
    "Message-ID: <1@example.org>\r\n"
    "\r\n"
    "Hello\r\n",

    "From: Ben <ben@example.org>\r\n"
    "Subject: Two attachments\r\n"
    "Message-ID: <2@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n\r\nsee below\r\n"
    "--b\r\nContent-Type: application/pdf\r\n"
    "Content-Disposition: attachment; filename=one.pdf\r\n\r\n"
    "one\r\n"
    "--b\r\nContent-Type: image/png\r\n"
    "Content-Disposition: attachment; filename=two.png\r\n\r\n"
    "two\r\n"
    "--b--\r\n",

    "Content-Type: multipart/mixed; boundary=never\r\n"
    "\r\n"
    "defective: kept as it came\r\n",
};

static void
on_delivery(void *context, const struct inbound_delivery *delivery)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s\n", delivery->handle);

	(void)context;
	/* not by stdio, which filecalls.so does not see */
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		abort();
}

static void
on_notice(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "%s\n", sentence);
}

static enum mt_status
open_means(struct inbound *in, const char *workspace, const char *state,
    struct mt_error *err)
{
	enum mt_status status = state_open(&in->state, state, err);

	if (status == MT_OK)
		status = state_lock_deliverer(in->state, err);
	if (status == MT_OK)
		status = publish_open(
		    &in->publisher, workspace, state_id(in->state), err);
	in->mime = mime_pool_new(MIME_WORKER, 1);
	if (status == MT_OK && !in->mime)
		status = mt_fail(err, MT_NO_MEMORY, "no memory");
	return status;
}

int
main(int argc, char **argv)
{
	static struct imap_conn server = {.uidvalidity = 7};
	struct inbound in = {
	    .account = "a@example.org",
	    .mailbox = "INBOX",
	    .folder = "agents/email/inbox",
	    .gateway_state = "agents/email/state",
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .delivered = on_delivery,
	    .notice = on_notice,
	};
	struct mt_error err = {0};
	enum mt_status status;

	if (argc != 4)
		return mt_exit_code(MT_USAGE);
	for (long i = 0; i < strtol(argv[3], NULL, 10); i++)
		fake_imap_add(&server, messages[i % 3])->announced =
		    i < TOGETHER ? 0 : ANNOUNCED;
	status = open_means(&in, argv[1], argv[2], &err);
	if (status == MT_OK)
		status = recover_all(&in, &err);
	if (status == MT_OK)
		status = fetch_poll(&in, &server, &err);
	if (status != MT_OK)
		fprintf(stderr, "%s\n", err.text);
	mime_pool_free(&in.mime);
	publish_close(&in.publisher);
	state_close(&in.state);
	return mt_exit_code(status);
}
