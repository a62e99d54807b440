/* SPDX-License-Identifier: ISC */
/* The asking end of the control socket. */
#ifndef MT_CONNECTOR_CONTROL_CLIENT_H
#define MT_CONNECTOR_CONTROL_CLIENT_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"

/*
 * Sends one line and reads one into `ret_reply` (without its line end).
 * MT_UNREACHABLE when nobody listens, or who does ends without an answer;
 * MT_RETRY_LATER when there is none until the deadline.
 */
enum mt_status control_ask(const char *path, const char *request,
    struct buf *ret_reply, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
