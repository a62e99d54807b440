/* SPDX-License-Identifier: ISC */
/*
 * Shows the status of accounts to a person: a table of several, or one with
 * all its details.  Pure: replies of the helper in, text out.
 */
#ifndef MT_COMMAND_STATUS_VIEW_H
#define MT_COMMAND_STATUS_VIEW_H

#include "base/buf.h"
#include "tokensock/token_wire.h"

#include <stddef.h>

#define STATUS_VIEW_WIDTH 80        /* columns */
#define STATUS_VIEW_DURATION_MAX 32 /* bytes */

/* What is known of one account; the strings are its own. */
struct status_row {
	char *account;
	char *state;
	char *user;
	char *provider;
	char *login_at;
	char *identity;
	char *refreshed_at;
	char *text;  /* the last error, or empty */
	char *alarm; /* what needs a person's eye, or empty */
	long serial; /* -1 in this and what follows: not known */
	long expires_in_s;
	long next_attempt_s;
	long in_use; /* 0 or 1 */
	long next_refresh_s;
	long server_failures; /* in a row */
	long server_trial_s;
};

/* Copies a reply to `status` with an account.  MT_NO_MEMORY, and then nothing
 * is to be released. */
enum mt_status status_row_read(struct status_row *ret_row, const char *account,
    const struct token_wire_message *reply, struct mt_error *err) MT_MUST_CHECK;

void status_row_done(struct status_row *row);

/* One line for each account, and beneath it those that say what is wrong. */
void status_view_table(
    struct buf *out, const struct status_row *rows, size_t count);

/* All of one account. */
void status_view_detail(struct buf *out, const struct status_row *row);

/* "53 min", "3 h", or "-" where there is nothing that lasts (0, negative). */
void status_view_duration(char ret_text[STATUS_VIEW_DURATION_MAX], long s);

#endif
