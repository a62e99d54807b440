/* SPDX-License-Identifier: ISC */
/* Sending by a program that does one thing: a sender with a loop of its own. */
#ifndef MT_CONNECTOR_SENDER_ONCE_H
#define MT_CONNECTOR_SENDER_ONCE_H

#include "sender.h"

/*
 * Works the outbox until the entry is decided and its copy filed, as
 * sender_watch_filed, and reports of it.  What is under way then is waited for:
 * a server that has a whole message may owe the answer for ten minutes.  Fails
 * only without memory; what keeps it from sending is in the report.
 */
enum mt_status sender_once(const struct sender_settings *settings,
    int64_t entry, int64_t patience_ms, struct send_report *ret_report,
    struct mt_error *err) MT_MUST_CHECK;

/* The same with everything that is due.  Fails with what kept it from sending;
 * MT_RETRY_LATER when another process sends. */
enum mt_status sender_once_all(const struct sender_settings *settings,
    int64_t patience_ms, struct mt_error *err) MT_MUST_CHECK;

#endif
