/* SPDX-License-Identifier: ISC */
/*
 * The frames of the gateway's connector WebSocket, JSON objects each: those we
 * send, and what we take from those that come.  Pure.
 */
#ifndef MT_HANDON_GATEWAY_FRAME_H
#define MT_HANDON_GATEWAY_FRAME_H

#include "base/buf.h"
#include "base/secret.h"

#include <stddef.h>

#define GATEWAY_NAME_MAX 128

/* {"type":"register",...}, which holds the token. */
void gateway_frame_register(
    struct secret *frame, const char *connector_id, const struct secret *token);

/* {"type":"health",...} */
void gateway_frame_health(struct buf *b, const char *connector_id);

/* {"type":"message",...}: mail is untrusted.  The channel is always the same
 * for an agent, or each message would have a session of its own. */
void gateway_frame_message(
    struct buf *b, const char *agent, const char *content);

enum gateway_frame_type {
	GATEWAY_IGNORED, /* what does not concern us, or makes no sense */
	GATEWAY_REGISTERED,
	GATEWAY_TYPING,      /* an agent has accepted a message */
	GATEWAY_RESULT,      /* it is done with it */
	GATEWAY_AGENT_ERROR, /* and that it failed */
	GATEWAY_ERROR,       /* the gateway refuses what was sent last */
};

/* A frame from the gateway. */
struct gateway_frame {
	enum gateway_frame_type type;
	char agent[GATEWAY_NAME_MAX];
	char session[GATEWAY_NAME_MAX]; /* "": not said */
	char text[256];                 /* of an error, printable */
};

/* Reads a frame; whatever it is, *ret_frame is filled. */
void gateway_frame_read(
    struct gateway_frame *ret_frame, const char *text, size_t len);

#endif
