/* SPDX-License-Identifier: ISC */
/*
 * Looking for messages in the mailbox that is opened (imap_conn_examine,
 * imap_conn_select).  A search that the server refuses is a failure, MT_REFUSED
 * or MT_RETRY_LATER, never "there is none".
 *
 * What servers find is a hint: some look for words, some know no time zones.
 * Look at the envelopes.
 */
#ifndef MT_MAIL_IMAP_SEARCH_H
#define MT_MAIL_IMAP_SEARCH_H

#include "mail/imap_conn.h"

#include <stdbool.h>

/* The messages whose Message-ID field holds `message_id` (ASCII).  UIDs
 * ascending, each once; *ret_uids is the caller's to free. */
enum mt_status imap_conn_search_message_id(struct imap_conn *conn,
    const char *message_id, uint32_t **ret_uids, size_t *ret_count,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* The messages whose Date is about `date`: the day, the one before and the one
 * after, whatever the zone.  The same results. */
enum mt_status imap_conn_search_sent_on(struct imap_conn *conn, time_t date,
    uint32_t **ret_uids, size_t *ret_count, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Date, Subject, To, Cc and Message-ID, as they came. */
struct imap_header {
	uint32_t uid;
	const char *bytes;
	size_t len;
	bool is_cut; /* there is more, beyond IMAP_HEADER_MAX */
};

#define IMAP_HEADER_MAX 65536

/* Hands over these fields of messages (UIDs ascending, each once), for
 * envelope_parse; what is gone is left out.  `take` returns false to hear of no
 * more. */
enum mt_status imap_conn_headers(struct imap_conn *conn, const uint32_t *uids,
    size_t count, bool (*take)(void *context, const struct imap_header *header),
    void *context, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
