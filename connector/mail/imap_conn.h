/* SPDX-License-Identifier: ISC */
/*
 * One IMAP connection (RFC 3501): connect, TLS, log in, read.  The only user
 * of libetpan for IMAP.  Any failure but a tagged NO to a login leaves the
 * connection unusable, where nothing else is said: close it.
 *
 * Every call blocks until its deadline at most, and only one thread at a time
 * may use a connection.
 */
#ifndef MT_MAIL_IMAP_CONN_H
#define MT_MAIL_IMAP_CONN_H

#include "base/deadline.h"
#include "base/status.h"
#include "mail/mail_server.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct imap_conn;
struct net_trust;

/*
 * Connects, upgrades to TLS, reads the capabilities and logs in.
 * MT_RETRY_LATER: network or server trouble; MT_BAD_CONFIG: certificate or
 * host name wrong, no usable mechanism, STARTTLS missing; MT_NEEDS_LOGIN: the
 * credentials were refused (*ret_login says whether by the server), or what
 * the SASL module said.  On failure *ret_conn is untouched.
 */
enum mt_status imap_conn_open(struct imap_conn **ret_conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Logs out if the connection is healthy (2 s at most), and releases it.  One
 * that is being watched is closed at once, without a word. */
void imap_conn_close(struct imap_conn **conn);

/* Releases it at once, without a word to the server. */
void imap_conn_drop(struct imap_conn **conn);

/* The mechanism that logged in, or "LOGIN" for the command. */
const char *imap_conn_mechanism(const struct imap_conn *conn);

struct imap_mailbox {
	uint32_t uidvalidity;
	uint32_t uidnext; /* 0: the server did not say */
	uint32_t exists;
};

/* EXAMINE: opens a mailbox read-only.  Its name may be UTF-8. */
enum mt_status imap_conn_examine(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Messages; about as many are listed at once. */
#define IMAP_PIECE 20000

/*
 * Divides what there is from `first_uid` on into pieces of about IMAP_PIECE
 * messages, however the UIDs lie: *ret_last, the caller's to free, are the last
 * UIDs of all pieces but the last, ascending, in one command at most.  None: it
 * is one piece.  `mailbox` is as it was opened.
 */
enum mt_status imap_conn_divide(struct imap_conn *conn,
    const struct imap_mailbox *mailbox, uint32_t first_uid, uint32_t **ret_last,
    size_t *ret_count, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

struct imap_summary {
	uint32_t uid;
	uint32_t size; /* RFC822.SIZE */
};

/*
 * The messages from `first_uid` to `last_uid` (UINT32_MAX: all from there on),
 * in ascending order (what the server sends beside them, such as the last
 * message for an empty range, is dropped).  *ret_list is the caller's to free.
 * Memory: see imap_conn_uids.
 */
enum mt_status imap_conn_list(struct imap_conn *conn, uint32_t first_uid,
    uint32_t last_uid, struct imap_summary **ret_list, size_t *ret_count,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* The same for these UIDs (ascending, each once); what is gone is not in the
 * list. */
enum mt_status imap_conn_sizes(struct imap_conn *conn, const uint32_t *uids,
    size_t count, struct imap_summary **ret_list, size_t *ret_count,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/*
 * Which UIDs from `first_uid` to `last_uid` are in use, ascending.  *ret_uids is
 * the caller's to free.  *ret_newest, if not NULL, is the latest INTERNALDATE of
 * all these, 0 if there is none.  The whole answer is in memory meanwhile, some
 * 50 bytes for a message: ask piece by piece.
 */
enum mt_status imap_conn_uids(struct imap_conn *conn, uint32_t first_uid,
    uint32_t last_uid, uint32_t **ret_uids, size_t *ret_count,
    time_t *ret_newest, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

struct imap_description {
	uint32_t uid;
	uint32_t size;
	time_t internal_date;   /* 0: not told */
	const char *message_id; /* the field's value as it came, or "" */
};

/* Hands over what tells these messages (UIDs ascending, each once) from
 * others, in the order in which it comes; what is gone is left out. */
enum mt_status imap_conn_describe(struct imap_conn *conn, const uint32_t *uids,
    size_t count,
    void (*take)(void *context, const struct imap_description *description),
    void *context, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Takes messages as they stream in.  For each message begin(), data() any
 * number of times, end(); a failure ends the fetch and is its result.  The UID
 * is known at the end only, because a server may send it last.
 */
struct imap_fetch_sink {
	void *context;
	enum mt_status (*begin)(void *context, struct mt_error *err);
	enum mt_status (*data)(
	    void *context, const void *bytes, size_t len, struct mt_error *err);
	enum mt_status (*end)(void *context, uint32_t uid, time_t internal_date,
	    struct mt_error *err);
};

/*
 * Fetches the whole messages with these UIDs (ascending, each once) in as few
 * commands as their lines allow, with BODY.PEEK[]: nothing is marked as read.  Messages that are gone are simply
 * not reported.  A message beyond `max_bytes` fails with MT_RETRY_LATER; leave
 * such ones out by their size.  Memory does not grow with message size.
 */
enum mt_status imap_conn_fetch(struct imap_conn *conn, const uint32_t *uids,
    size_t count, size_t max_bytes, const struct imap_fetch_sink *sink,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

#endif
