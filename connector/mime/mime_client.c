/* SPDX-License-Identifier: ISC */
#include "mime_client.h"

#include "mime_process.h"
#include "mime_reply.h"
#include "mime_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever a library leaks or a message has broken ends with the process. */
#define MESSAGES_PER_WORKER 1000

#define ATTEMPTS 2

const struct mime_limits mime_limits_default = {
    .max_header_bytes = 64 * 1024,
    .max_body_bytes = 4 * 1024 * 1024,
    .max_attachments = 1000,
    .max_attachment_bytes = 256 * 1024 * 1024,
};

struct mime_client {
	char *worker_path;
	struct mime_process process;
	unsigned served; /* messages, by this process */
	uint8_t buffer[MIME_WIRE_MAX + 1];
};

/* What became of one attempt. */
enum outcome {
	DONE,
	CRASHED,
	STALLED,
	NONSENSE,
	FAILED, /* no fault of the message; there is an error */
};

struct mime_client *
mime_client_new(const char *worker_path)
{
	struct mime_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->process = (struct mime_process)MIME_PROCESS_INIT;
	client->worker_path = strdup(worker_path);
	if (!client->worker_path)
		mime_client_free(&client);
	return client;
}

void
mime_client_free(struct mime_client **client)
{
	if (!*client)
		return;
	mime_process_stop(&(*client)->process);
	free((*client)->worker_path);
	free(*client);
	*client = NULL;
}

/* Sees to it that there is a worker which waits for a message. */
static enum mt_status
prepare_worker(
    struct mime_client *client, struct deadline deadline, struct mt_error *err)
{
	if (client->served < MESSAGES_PER_WORKER &&
	    mime_process_is_idle(&client->process))
		return MT_OK;
	mime_process_stop(&client->process);
	client->served = 0;
	return mime_process_start(
	    &client->process, client->worker_path, deadline, err);
}

/* Receives until the reply is whole or cannot become so. */
static enum outcome
receive_reply(struct mime_client *client, struct mime_reply *reply,
    struct deadline deadline, struct mt_error *err)
{
	struct mime_frame frame;

	for (;;) {
		switch (mime_wire_receive(
		    client->process.fd, client->buffer, &frame, deadline)) {
		case MIME_WIRE_CLOSED:
			return CRASHED;
		case MIME_WIRE_LATE:
			return STALLED;
		case MIME_WIRE_GARBAGE:
			return NONSENSE;
		case MIME_WIRE_FRAME:
			break;
		}
		switch (mime_reply_take(reply, &frame, err)) {
		case MIME_REPLY_MORE:
			break;
		case MIME_REPLY_DONE:
			return DONE;
		case MIME_REPLY_GARBAGE:
			return NONSENSE;
		case MIME_REPLY_FAILED:
			return FAILED;
		}
	}
}

/* Has the worker parse the message once.  Only after DONE is the worker still
 * there, and are the attachments; *ret_signal is what ended it, if known. */
static enum outcome
attempt(struct mime_client *client, int raw_fd, struct mime_reply *reply,
    const struct mime_limits *limits, struct deadline deadline, int *ret_signal,
    struct mt_error *err)
{
	enum outcome outcome;

	if (prepare_worker(client, deadline, err) != MT_OK)
		return FAILED;
	outcome = CRASHED;
	if (mime_wire_send_request(client->process.fd, raw_fd, limits))
		outcome = receive_reply(client, reply, deadline, err);
	client->served++;
	if (outcome == DONE)
		return DONE;
	*ret_signal = mime_process_stop(&client->process);
	mime_reply_discard(reply);
	return outcome;
}

static void
describe(char *out, size_t size, enum outcome outcome, int signal)
{
	const char *what = "answered nonsense";
	int len;

	if (outcome == CRASHED)
		what = "crashed";
	else if (outcome == STALLED)
		what = "did not finish in time";
	len = snprintf(out, size,
	    "the message could not be taken apart: the MIME worker %s twice",
	    what);
	if (outcome == CRASHED && signal)
		snprintf(out + len, size - (size_t)len, " (signal %d)", signal);
}

/* A message that says only what is wrong, through the same gate as others. */
static enum mt_status
give_up(enum outcome outcome, int signal, const struct mime_limits *limits,
    struct mime_message *ret_message, struct mt_error *err)
{
	static const uint8_t flags = MIME_DONE_UNPARSED;
	char sentence[MIME_WIRE_DEFECT_MAX];
	struct mime_reply *reply = mime_reply_new(-1, limits);
	enum mt_status status;
	struct mime_frame defect = {MIME_FRAME_DEFECT, sentence, 0};
	struct mime_frame done = {MIME_FRAME_DONE, &flags, 1};

	describe(sentence, sizeof(sentence), outcome, signal);
	defect.len = strlen(sentence);
	if (reply && mime_reply_take(reply, &defect, err) == MIME_REPLY_MORE &&
	    mime_reply_take(reply, &done, err) == MIME_REPLY_DONE)
		status = mime_reply_finish(reply, ret_message, err);
	else
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	mime_reply_free(&reply);
	return status;
}

enum mt_status
mime_client_parse(struct mime_client *client, int raw_fd, int dir_fd,
    const struct mime_limits *limits, struct mime_message *ret_message,
    struct deadline deadline, struct mt_error *err)
{
	enum outcome outcome = CRASHED;
	struct mt_error own;
	int signal = 0;

	if (!err)
		err = &own;
	if (deadline_passed(deadline))
		return mt_fail(err, MT_RETRY_LATER,
		    "there was no time left to take the message apart");
	for (int left = ATTEMPTS; left > 0; left--) {
		struct mime_reply *reply = mime_reply_new(dir_fd, limits);
		enum mt_status status = MT_OK;

		if (!reply)
			return mt_fail(
			    err, MT_NO_MEMORY, "no memory for a message");
		/* a first attempt that stalls leaves time for a second */
		outcome = attempt(client, raw_fd, reply, limits,
		    deadline_in_ms(deadline_left_ms(deadline) / left), &signal,
		    err);
		if (outcome == DONE)
			status = mime_reply_finish(reply, ret_message, err);
		mime_reply_free(&reply);
		if (outcome == DONE)
			return status;
		if (outcome == FAILED)
			return err->status;
	}
	return give_up(outcome, signal, limits, ret_message, err);
}
