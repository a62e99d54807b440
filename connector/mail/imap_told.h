/* SPDX-License-Identifier: ISC */
/*
 * Commands whose answers may hold news: what their dialogues have in common
 * (imap_watch.c, imap_status.c).
 */
#ifndef MT_MAIL_IMAP_TOLD_H
#define MT_MAIL_IMAP_TOLD_H

#include "mail/imap_priv.h"

/*
 * As imap_command_reply, with news taken in; "* BYE" is a failure.  A failure
 * leaves the connection broken.
 */
enum mt_status imap_told_reply(struct imap_conn *conn, const char **ret_request,
    struct imap_reply *ret_reply, struct mt_error *err) MT_MUST_CHECK;

/* Is it the reply to the command in progress? */
bool imap_told_is_tagged(const struct imap_conn *conn, const char *line,
    struct imap_reply *ret_reply);

/* Fail: the connection cannot be used any more; the server sent nonsense. */
enum mt_status imap_told_broken(struct imap_conn *conn, struct mt_error *err);
enum mt_status imap_told_wrong(struct imap_conn *conn, struct mt_error *err);

/* Hands out what is new since the last time. */
void imap_told_give(struct imap_conn *conn, struct imap_news *ret_news);

#endif
