/* SPDX-License-Identifier: ISC */
/*
 * Puts what is known of an account into the words of the `status` reply, as
 * fields or as JSON.  Holds no secret.
 */
#ifndef MT_DAEMON_STATUS_REPORT_H
#define MT_DAEMON_STATUS_REPORT_H

#include "account.h"

/* Adds the fields to a frame that was begun. */
void status_report_add(struct secret *frame, const struct account *account);

/* Adds one field `json` with the same as an object. */
void status_report_add_json(
    struct secret *frame, const struct account *account);

#endif
