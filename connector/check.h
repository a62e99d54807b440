/* SPDX-License-Identifier: ISC */
/* Tries both logins, for an operator who has just written the settings. */
#ifndef MT_CONNECTOR_CHECK_H
#define MT_CONNECTOR_CHECK_H

#include "base/status.h"

struct json_object;
struct session;

/*
 * Logs in to the IMAP and to the submission server, logs how it went, and adds
 * "imap" and "smtp" to the report.  Returns the first failure.  Blocks for two
 * minutes at most.
 */
enum mt_status check_logins(
    struct session *session, struct json_object *report, struct mt_error *err);

#endif
