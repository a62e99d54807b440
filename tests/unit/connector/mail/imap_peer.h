/* SPDX-License-Identifier: ISC */
/*
 * A server that is a script of the test: what it will say is sent before the
 * call that reads it, and what it was told is read afterwards.
 */
#ifndef MT_UNIT_IMAP_PEER_H
#define MT_UNIT_IMAP_PEER_H

#include "mail/imap_conn.h"

struct imap_peer {
	struct imap_conn *conn; /* the client's */
	int fd;                 /* the server's end */
	int listener;
	const char *capabilities;
};

/* A client that is logged in and has opened INBOX, with two messages; its next
 * tag is 3.  `capabilities` are those after the login. */
void imap_peer_open(struct imap_peer *peer, const char *capabilities);

/* Ends the server's side first: the client's LOGOUT has no answer. */
void imap_peer_close(struct imap_peer *peer);

/* What the server says. */
void imap_peer_say(const struct imap_peer *peer, const char *text);

/* The oldest line that the client sent and that was not expected yet. */
void imap_peer_expect(const struct imap_peer *peer, const char *line);

#endif
