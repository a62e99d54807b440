/* SPDX-License-Identifier: ISC */
/*
 * One UID FETCH by libetpan, for imap_list and imap_fetch.  libetpan's handlers
 * are used, not its result list: they keep memory flat, and with a list a
 * tagged NO after some messages would pass for success.
 */
#ifndef MT_MAIL_IMAP_UID_FETCH_H
#define MT_MAIL_IMAP_UID_FETCH_H

#include "mail/imap_priv.h"
#include "mail/imap_search.h"

/* What to ask for. */
enum imap_items {
	IMAP_ITEMS_UID,
	IMAP_ITEMS_DATE,        /* UID INTERNALDATE */
	IMAP_ITEMS_SIZE,        /* UID RFC822.SIZE */
	IMAP_ITEMS_DESCRIPTION, /* and INTERNALDATE, the Message-ID field */
	IMAP_ITEMS_HEADER, /* UID, IMAP_HEADER_FIELDS up to IMAP_HEADER_MAX */
	IMAP_ITEMS_WHOLE,  /* UID INTERNALDATE BODY.PEEK[] */
};

#define IMAP_HEADER_FIELDS "DATE SUBJECT TO CC MESSAGE-ID"

/* What a FETCH response says, as far as it matters here. */
struct imap_answer {
	uint32_t uid;
	uint32_t size;
	bool has_size;
	time_t internal_date;
	const struct mailimap_msg_att_body_section *body; /* NULL: none */
};

struct imap_answer imap_answer_read(const struct mailimap_msg_att *att);

/* Sets what is called for each message and each piece of a body; NULL, NULL in
 * the end. */
void imap_uid_fetch_handlers(struct imap_conn *conn,
    mailimap_msg_att_handler *on_message, mailimap_msg_body_handler *on_body,
    void *context);

/* Begins a FETCH of so many messages, with this many bytes of each at most (0:
 * no literals). */
void imap_uid_fetch_begin(struct imap_conn *conn, struct deadline deadline,
    size_t count, uint64_t max_message);

/* The next set of UIDs from *next on, neighbours as ranges, as many as one
 * command may hold.  NULL: no memory. */
struct mailimap_set *imap_uid_set(
    const uint32_t *uids, size_t count, size_t *next);

/* Runs it; takes the ownership of `set`, which may be NULL. */
enum mt_status imap_uid_fetch(struct imap_conn *conn, struct mailimap_set *set,
    enum imap_items items, struct mt_error *err) MT_MUST_CHECK;

/* A FETCH of the UIDs of these sequence numbers; the same otherwise. */
enum mt_status imap_fetch_numbers(struct imap_conn *conn,
    struct mailimap_set *set, struct mt_error *err) MT_MUST_CHECK;

#endif
