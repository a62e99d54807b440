/* SPDX-License-Identifier: ISC */
/*
 * The HTTP listener that a browser comes back to after a login: on 127.0.0.1
 * and ::1, on one port (RFC 8252 section 7.3).
 *
 * It serves any number of clients beside each other, none of which can hold up
 * another: a request has ten seconds and 8 KiB, and when all places are taken
 * the oldest connection makes room.  It knows HTTP, not OAuth: the caller
 * learns the target of a request that carries an answer, finds out what it is
 * worth, and says which page the browser gets.
 */
#ifndef MT_COMMAND_LISTENER_H
#define MT_COMMAND_LISTENER_H

#include "base/deadline.h"
#include "base/status.h"
#include "login_page.h"

#include <poll.h>
#include <stddef.h>

#define LISTENER_CONNECTIONS 32
#define LISTENER_POLL (2 + LISTENER_CONNECTIONS)

struct listener;

/*
 * Listens on `port`, or on a free one if it is 0.  One missing address family
 * is tolerated; a port that somebody else has in either is not, because the
 * browser would go there (MT_RETRY_LATER).  MT_USAGE for a port that only root
 * may have.  `account` is for the pages and must outlive the listener.
 */
enum mt_status listener_open(struct listener **ret_listener, long port,
    const char *account, struct mt_error *err) MT_MUST_CHECK;

/* Closes everything; accepts NULL. */
void listener_free(struct listener **listener);

long listener_port(const struct listener *listener);

/* Fills in what to poll for. */
void listener_watch(
    const struct listener *listener, struct pollfd fds[LISTENER_POLL]);

/* The time by which listener_serve() must be called again: the next connection
 * to run out of time, or `latest`. */
struct deadline listener_deadline(
    const struct listener *listener, struct deadline latest);

/*
 * Does what the polled events ask for, without blocking.  Returns the path and
 * query of a request that carries an answer, or NULL.  That request then waits
 * for listener_answer(), which must come before the next call; the text lives
 * until then.
 */
const char *listener_serve(
    struct listener *listener, const struct pollfd fds[LISTENER_POLL]);

/* Sends the page that the waiting request gets, and ends its connection. */
void listener_answer(
    struct listener *listener, enum login_page page, const char *detail);

#endif
