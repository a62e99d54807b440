/* SPDX-License-Identifier: ISC */
/*
 * Events as agents and programs read them.  What a sender wrote (From, Subject)
 * is cut and stays on one line, so that it cannot pass for a line of ours.
 * Pure.
 */
#ifndef MT_HANDON_EVENT_TEXT_H
#define MT_HANDON_EVENT_TEXT_H

#include "base/buf.h"
#include "state/event_queue.h"

#define EVENT_ID_SIZE 33

/*
 * The prompt of an agent.  For one message it is the gateway's own:
 *
 *     New email received.
 *     UID: 7
 *     From: ...
 *     Subject: ...
 *     Path: /workspace/agents/email/inbox/7/message.json
 *
 * for several "New emails received: 3" and, after an empty line each, the last
 * four lines of every one.
 */
void event_text_prompt(struct buf *b, const struct event_list *list);

/* One message as a JSON object on one line, without a line end. */
void event_text_json(
    struct buf *b, const struct event *event, const char *agent);

/*
 * The body of the webhook: {"type":"email_received","event_id":...,"agent":...,
 * "text":<the prompt>,"emails":[<as event_text_json>]}.
 */
void event_text_body(
    struct buf *b, const struct event_list *list, const char *agent);

/* What tells an event from every other, also after a restart: a digest of
 * account, mailbox, UIDVALIDITY and UID; of several events, of all of these. */
void event_text_id(
    const struct event *events, size_t count, char ret_id[EVENT_ID_SIZE]);

#endif
