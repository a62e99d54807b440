/* SPDX-License-Identifier: ISC */
/*
 * Waiting for mail on a logged-in IMAP connection: IDLE (RFC 2177), NOTIFY
 * (RFC 5465) and, for servers without, STATUS and NOOP.
 *
 * A connection that is watched belongs to a loop: imap_watch_read takes in
 * what has arrived and never waits.  All other calls here block until their
 * deadline at most.  Any failure leaves the connection unusable where nothing
 * else is said: close it.
 *
 * Nothing that the server told is lost between the calls: what came in answer
 * to other commands (a FETCH, for instance) is in the next news.
 */
#ifndef MT_MAIL_IMAP_WATCH_H
#define MT_MAIL_IMAP_WATCH_H

#include "mail/imap_conn.h"
#include "mail/imap_news.h"

enum imap_push {
	IMAP_PUSH_NONE,
	IMAP_PUSH_IDLE,   /* the opened mailbox */
	IMAP_PUSH_NOTIFY, /* others as well, with an IDLE beneath */
};

/*
 * The best that the server offers, by its capabilities after the login.  After
 * a NOTIFY that was refused or has overflowed it is IMAP_PUSH_IDLE.
 */
enum imap_push imap_watch_offered(const struct imap_conn *conn);

/*
 * Begins to watch the opened mailbox, and with IMAP_PUSH_NOTIFY also the
 * others in `mailboxes` (`count`, at most 64; UTF-8), which are copied.  Returns when the
 * server has agreed; imap_watch_push says to what: to IDLE only, where it
 * refuses the NOTIFY or there are no mailboxes.  From then on only imap_watch_read, imap_watch_end and
 * imap_conn_close may be called, beside what takes a const connection.
 *
 * With the same mailboxes in the same order as the last time, only those that
 * have changed since they were last told are news.
 *
 * MT_BAD_INPUT: a name that can be none, and a server that refuses IDLE
 * (MT_REFUSED) leave the connection as it was.
 */
enum mt_status imap_watch_begin(struct imap_conn *conn, enum imap_push push,
    const char *const *mailboxes, size_t count, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* What is in force: what imap_watch_begin has come to. */
enum imap_push imap_watch_push(const struct imap_conn *conn);

/*
 * Which of the mailboxes the server really watches: bit i for mailboxes[i].
 * It says so by telling their status at the beginning, so ask after the first
 * imap_watch_read.  Mailboxes that are not there are none, and neither are, with
 * Dovecot 2.3, those with names outside ASCII: ask for their STATUS in turn.
 */
uint64_t imap_watch_covered(const struct imap_conn *conn);

/* What was last told of mailboxes[i]; false: nothing.  0 in it: not told. */
bool imap_watch_status(
    const struct imap_conn *conn, size_t i, struct imap_mailbox *ret_mailbox);

/* The descriptor for poll(2), level-triggered; never changes. */
int imap_watch_fd(const struct imap_conn *conn);

/*
 * Takes in what has arrived, without waiting; to be called when the descriptor
 * is readable, and once right after imap_watch_begin, as something may have
 * arrived with its answer, where the descriptor does not show it.  *ret_news is
 * cleared first, and filled on failure too.  Takes no more than some 64 KiB at
 * a time; the rest keeps the descriptor readable.
 *
 * MT_RETRY_LATER: the connection broke, or the server sent what no server
 * does, or without end.  After `bye` the next call fails so.
 */
enum mt_status imap_watch_read(struct imap_conn *conn,
    struct imap_news *ret_news, struct mt_error *err) MT_MUST_CHECK;

/*
 * Ends watching (DONE) and waits for the answer: the connection is then as
 * after imap_conn_examine.  What was told meanwhile is in *ret_news, on
 * failure too.
 */
enum mt_status imap_watch_end(struct imap_conn *conn,
    struct imap_news *ret_news, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * STATUS (MESSAGES UIDNEXT UIDVALIDITY) of a mailbox (UTF-8) that is not the
 * opened one.  MT_BAD_INPUT: there is none of this name, or it may not be
 * read; the connection is good.  MT_RETRY_LATER with a tagged NO that sounds
 * temporary, too: imap_conn_is_usable tells.
 */
enum mt_status imap_conn_status(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* NOOP: a sign of life, and the news of the opened mailbox (on failure too). */
enum mt_status imap_conn_noop(struct imap_conn *conn,
    struct imap_news *ret_news, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* May the connection still be used? */
bool imap_conn_is_usable(const struct imap_conn *conn);

/* When the server's last byte came: milliseconds of CLOCK_MONOTONIC. */
int64_t imap_conn_last_byte_ms(const struct imap_conn *conn);

/* Has the server this capability ("MOVE", "ID"), in any case? */
bool imap_conn_offers(const struct imap_conn *conn, const char *capability);

#endif
