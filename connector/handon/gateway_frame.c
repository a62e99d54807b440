/* SPDX-License-Identifier: ISC */
#include "handon/gateway_frame.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 64

/* ---- ours ---- */

static struct json_object *
frame_new(const char *type)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(type));
	return o;
}

static void
add(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void
add_frame(struct buf *b, struct json_object *o)
{
	buf_add_text(
	    b, json_object_to_json_string_ext(
		   o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

/* The token as a JSON string: built by hand, as nobody else wipes what it held.
 * What is no UTF-8 can be no token that the gateway has. */
static void
add_quoted(struct secret *frame, const struct secret *token)
{
	const char *text = secret_expose(token);
	char escape[8];

	secret_add(frame, "\"", 1);
	for (size_t i = 0; i < token->len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < ' ' || c == '"' || c == '\\') {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			secret_add(frame, escape, 6);
		} else {
			secret_add(frame, text + i, 1);
		}
	}
	secret_add(frame, "\"", 1);
}

void
gateway_frame_register(
    struct secret *frame, const char *connector_id, const struct secret *token)
{
	struct buf b = BUF_INIT(1024);
	struct json_object *o = frame_new("register");

	add(o, "connector_id", connector_id);
	add(o, "platform", "email");
	add_frame(&b, o);
	/* everything but the final brace */
	secret_add(frame, b.data, b.len ? b.len - 1 : 0);
	secret_add(frame, ",\"token\":", 9);
	add_quoted(frame, token);
	secret_add(frame, "}", 1);
	buf_done(&b);
}

void
gateway_frame_health(struct buf *b, const char *connector_id)
{
	struct json_object *o = frame_new("health");
	struct json_object *adapters = json_object_new_object();
	struct json_object *email = json_object_new_object();

	json_object_object_add(
	    email, "connected", json_object_new_boolean(true));
	json_object_object_add(adapters, "email", email);
	add(o, "connector_id", connector_id);
	json_object_object_add(o, "adapters", adapters);
	add_frame(b, o);
}

void
gateway_frame_message(struct buf *b, const char *agent, const char *content)
{
	struct json_object *o = frame_new("message");
	struct json_object *channel = json_object_new_object();
	struct json_object *trust = json_object_new_object();

	add(channel, "platform", "email");
	add(channel, "mailbox", agent);
	add(trust, "level", "unverified");
	add(o, "agent_name", agent);
	add(o, "content", content);
	json_object_object_add(o, "channel", channel);
	json_object_object_add(o, "trust", trust);
	json_object_object_add(o, "images", json_object_new_array());
	add_frame(b, o);
}

/* ---- theirs ---- */

static const struct {
	const char *name;
	enum gateway_frame_type type;
} types[] = {
    {"registered", GATEWAY_REGISTERED},
    {"agent_typing", GATEWAY_TYPING},
    {"agent_result", GATEWAY_RESULT},
    {"agent_error", GATEWAY_AGENT_ERROR},
    {"error", GATEWAY_ERROR},
};

/* The text of a member; "" if it is not there or no text. */
static const char *
member(struct json_object *o, const char *name)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static enum gateway_frame_type
type_of(struct json_object *o)
{
	const char *name = member(o, "type");

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(name, types[i].name) == 0)
			return types[i].type;
	return GATEWAY_IGNORED;
}

/* Whether a frame about an agent is about its session with us. */
static bool
is_our_channel(struct json_object *o, const char *agent)
{
	struct json_object *channel = NULL;

	if (!json_object_object_get_ex(o, "channel", &channel) ||
	    !json_object_is_type(channel, json_type_object))
		return true; /* not said */
	return strcmp(member(channel, "platform"), "email") == 0 &&
	       strcmp(member(channel, "mailbox"), agent) == 0;
}

static bool
says_no(struct json_object *o, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(o, name, &value) &&
	       !json_object_get_boolean(value);
}

static bool
copy(char to[GATEWAY_NAME_MAX], const char *text)
{
	return snprintf(to, GATEWAY_NAME_MAX, "%s", text) < GATEWAY_NAME_MAX;
}

static void
set_text(struct gateway_frame *frame, struct json_object *o)
{
	const char *text = member(o, "message");
	struct buf b = BUF_INIT(sizeof(frame->text) - 1);

	if (!*text)
		text = member(o, "error");
	if (!*text)
		text = member(o, "reason");
	buf_add_printable(&b, text, strlen(text), sizeof(frame->text) / 4);
	snprintf(frame->text, sizeof(frame->text), "%s", buf_text(&b));
	buf_done(&b);
}

static void
read_object(struct gateway_frame *frame, struct json_object *o)
{
	enum gateway_frame_type type = type_of(o);

	if (type == GATEWAY_ERROR || type == GATEWAY_AGENT_ERROR)
		set_text(frame, o);
	if (type == GATEWAY_ERROR || type == GATEWAY_REGISTERED) {
		frame->type = type;
		return;
	}
	if (type == GATEWAY_IGNORED ||
	    !copy(frame->agent, member(o, "agent_name")) ||
	    !copy(frame->session, member(o, "session_id")) || !*frame->agent ||
	    !is_our_channel(o, frame->agent) ||
	    (type == GATEWAY_TYPING && says_no(o, "is_typing")))
		return;
	frame->type = type;
}

void
gateway_frame_read(
    struct gateway_frame *ret_frame, const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *o = NULL;

	*ret_frame = (struct gateway_frame){.type = GATEWAY_IGNORED};
	if (tokener && len <= INT_MAX)
		o = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_object_is_type(o, json_type_object))
		read_object(ret_frame, o);
	json_object_put(o);
	if (tokener)
		json_tokener_free(tokener);
}
