/* SPDX-License-Identifier: ISC */
#include "request.h"

#include "base/settings.h"
#include "control_line.h"
#include "report.h"

#include <json-c/json.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *type;
	const char *answer;
} kinds[] = {
    [REQUEST_SEND] = {"send_email_request", "send_email_response"},
    [REQUEST_SAVE_DRAFT] = {"save_draft_request", "save_draft_response"},
    [REQUEST_MOVE] = {"move_email_request", "move_email_response"},
    [REQUEST_CREATE_FOLDER] = {"create_folder_request",
	"create_folder_response"},
    [REQUEST_QUEUE] = {"queue_request", "queue_response"},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

#define OF(name) (1u << (name))
#define ANY UINT_MAX

/* The members, for whom they are, and for whom they must be. */
static const struct member {
	const char *name;
	size_t offset;
	unsigned of;
	unsigned required;
} members[] = {
    {"request_id", offsetof(struct request, request_id), ANY, 0},
    {"agent_name", offsetof(struct request, agent_name), ANY, 0},
    {"draft_path", offsetof(struct request, draft_path),
	OF(REQUEST_SEND) | OF(REQUEST_SAVE_DRAFT), 0},
    {"draft_sha256", offsetof(struct request, draft_sha256),
	OF(REQUEST_SEND) | OF(REQUEST_SAVE_DRAFT), 0},
    {"uid", offsetof(struct request, uid), OF(REQUEST_MOVE), OF(REQUEST_MOVE)},
    {"source_folder", offsetof(struct request, source_folder), OF(REQUEST_MOVE),
	OF(REQUEST_MOVE)},
    {"dest_folder", offsetof(struct request, dest_folder), OF(REQUEST_MOVE),
	OF(REQUEST_MOVE)},
    {"folder_name", offsetof(struct request, folder_name),
	OF(REQUEST_CREATE_FOLDER), OF(REQUEST_CREATE_FOLDER)},
    {"action", offsetof(struct request, action_name), OF(REQUEST_QUEUE), 0},
    {"entry", offsetof(struct request, entry_name), OF(REQUEST_QUEUE), 0},
};

#define MEMBERS (sizeof(members) / sizeof(*members))

static char **
text_at(const struct request *request, size_t offset)
{
	return (char **)(void *)((char *)(uintptr_t)request + offset);
}

bool
request_find(const char *type, enum request_name *ret_name)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].type, type) == 0) {
			*ret_name = (enum request_name)i;
			return true;
		}
	}
	return false;
}

/* ---- reading ---- */

static enum mt_status
copy(char **ret, const char *text, struct mt_error *err)
{
	*ret = strdup(text);
	return *ret ? MT_OK
		    : mt_fail(err, MT_NO_MEMORY, "no memory for a request");
}

static enum mt_status
read_member(struct request *r, const struct member *m,
    struct json_object *frame, struct mt_error *err)
{
	const char *text;
	enum mt_status status = control_line_text(frame, m->name, &text, err);
	bool required = m->required & OF(r->name);

	if (status != MT_OK)
		return status;
	if (required && !text)
		return mt_fail(
		    err, MT_BAD_INPUT, "missing required field: %s", m->name);
	if (required && !*text)
		return mt_fail(
		    err, MT_BAD_INPUT, "empty required field: %s", m->name);
	/* elsewhere nothing is as good as nothing said */
	if (!text || !*text)
		return MT_OK;
	return copy(text_at(r, m->offset), text, err);
}

static enum mt_status
read_draft(struct request *r, struct json_object *frame, struct mt_error *err)
{
	struct json_object *draft = NULL;

	json_object_object_get_ex(frame, "draft", &draft);
	if (draft && !json_object_is_type(draft, json_type_object))
		return mt_fail(
		    err, MT_BAD_INPUT, "draft must be a JSON object");
	if (!draft && !r->draft_path)
		return mt_fail(
		    err, MT_BAD_INPUT, "missing required field: draft_path");
	if (!draft)
		return MT_OK;
	return copy(&r->draft,
	    json_object_to_json_string_ext(draft, JSON_C_TO_STRING_PLAIN), err);
}

static enum mt_status
read_action(struct request *r, struct mt_error *err)
{
	static const char *const words[] = {
	    [REQUEST_QUEUE_LIST] = "list",
	    [REQUEST_QUEUE_SHOW] = "show",
	    [REQUEST_QUEUE_RETRY] = "retry",
	    [REQUEST_QUEUE_DROP] = "drop",
	};
	const char *action = r->action_name ? r->action_name : words[0];
	size_t i = 0;
	long entry = 0;

	while (
	    i < sizeof(words) / sizeof(*words) && strcmp(words[i], action) != 0)
		i++;
	if (i == sizeof(words) / sizeof(*words))
		return mt_fail(err, MT_BAD_INPUT,
		    "action is '%.40s'; there are list, show, retry and drop",
		    action);
	r->action = (enum request_action)i;
	if (r->action == REQUEST_QUEUE_LIST)
		return MT_OK;
	if (!r->entry_name)
		return mt_fail(
		    err, MT_BAD_INPUT, "missing required field: entry");
	if (!settings_number(r->entry_name, 1, LONG_MAX, &entry))
		return mt_fail(err, MT_BAD_INPUT,
		    "entry must be the id of an entry, as list shows it");
	r->entry = entry;
	return MT_OK;
}

enum mt_status
request_read(struct request *r, enum request_name name,
    struct json_object *frame, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	*r = (struct request){.name = name};
	for (size_t i = 0; i < MEMBERS && status == MT_OK; i++)
		if (members[i].of & OF(name))
			status = read_member(r, &members[i], frame, err);
	if (status == MT_OK &&
	    (name == REQUEST_SEND || name == REQUEST_SAVE_DRAFT))
		status = read_draft(r, frame, err);
	if (status == MT_OK && name == REQUEST_QUEUE)
		status = read_action(r, err);
	return status;
}

void
request_done(struct request *r)
{
	for (size_t i = 0; i < MEMBERS; i++)
		free(*text_at(r, members[i].offset));
	free(r->draft);
	*r = (struct request){.name = r->name};
}

static bool
same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
request_equals(const struct request *a, const struct request *b)
{
	if (a->name != b->name || !same(a->draft, b->draft))
		return false;
	for (size_t i = 0; i < MEMBERS; i++)
		if (!same(*text_at(a, members[i].offset),
			*text_at(b, members[i].offset)))
			return false;
	return true;
}

/* ---- answers ---- */

const char *
request_answer_type(enum request_name name)
{
	return kinds[name].answer;
}

struct json_object *
request_answer(
    enum request_name name, enum mt_status status, const char *detail)
{
	struct json_object *answer = json_object_new_object();

	report_add_text(answer, "type", kinds[name].answer);
	json_object_object_add(
	    answer, "success", json_object_new_boolean(status == MT_OK));
	report_add_text(answer, "detail", detail);
	return answer;
}
