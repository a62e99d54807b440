/* SPDX-License-Identifier: ISC */
/*
 * A request about one account, as the gateway's frames word it: which there are,
 * what each must have, and how each is answered.  Knows nothing of what is then
 * done.
 */
#ifndef MT_CONNECTOR_REQUEST_H
#define MT_CONNECTOR_REQUEST_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

enum request_name {
	REQUEST_SEND,
	REQUEST_SAVE_DRAFT,
	REQUEST_MOVE,
	REQUEST_CREATE_FOLDER,
	REQUEST_QUEUE,
};

enum request_action {
	REQUEST_QUEUE_LIST,
	REQUEST_QUEUE_SHOW,
	REQUEST_QUEUE_RETRY,
	REQUEST_QUEUE_DROP,
};

/* Its texts are its own; NULL: not given. */
struct request {
	enum request_name name;
	char *request_id;
	char *agent_name;
	char *draft; /* the object, as JSON */
	char *draft_path;
	char *draft_sha256;
	char *uid;
	char *source_folder;
	char *dest_folder;
	char *folder_name;
	char *action_name;
	char *entry_name;

	/* what the last two mean */
	enum request_action action;
	int64_t entry;
};

/* Whether there is such a request; *ret_name: which. */
bool request_find(const char *type, enum request_name *ret_name);

/*
 * Reads what the frame holds; members that nobody knows count for nothing.
 * MT_BAD_INPUT: "missing required field: <f>", "empty required field: <f>", or
 * what else is wrong.  In any case request_done.
 */
enum mt_status request_read(struct request *ret_request, enum request_name name,
    struct json_object *frame, struct mt_error *err) MT_MUST_CHECK;

void request_done(struct request *request);

/* Whether both are the same, and have the same request_id. */
bool request_equals(const struct request *a, const struct request *b);

/* "send_email_response" and so on. */
const char *request_answer_type(enum request_name name);

/* The answer that says that nothing came of it, or (MT_OK) that something did:
 * the caller's to put. */
struct json_object *request_answer(enum request_name name,
    enum mt_status status, const char *detail) MT_MUST_CHECK;

#endif
