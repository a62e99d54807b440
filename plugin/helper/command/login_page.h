/* SPDX-License-Identifier: ISC */
/*
 * The pages that the browser shows when it arrives at the loopback listener.
 * Each is a whole HTTP response, self-contained, holds nothing secret and is
 * stored nowhere.  Pure.
 */
#ifndef MT_COMMAND_LOGIN_PAGE_H
#define MT_COMMAND_LOGIN_PAGE_H

#include "base/buf.h"

#define LOGIN_PAGE_MAX 8192 /* bytes of a response */

enum login_page {
	LOGIN_PAGE_DONE,       /* the login is complete */
	LOGIN_PAGE_REFUSED,    /* the person or the server said no */
	LOGIN_PAGE_FAILED,     /* the answer came, but no login came of it */
	LOGIN_PAGE_FOREIGN,    /* an answer that is not this login's */
	LOGIN_PAGE_WAITING,    /* nothing yet: the listener works */
	LOGIN_PAGE_NOT_FOUND,  /* another path */
	LOGIN_PAGE_BAD_METHOD, /* not GET */
	LOGIN_PAGE_BAD_REQUEST /* not HTTP, or too long */
};

/* Writes the response.  `detail` is the user who logged in, or one sentence that
 * says what is wrong with an answer; NULL where there is neither. */
void login_page_write(struct buf *response, enum login_page page,
    const char *account, const char *detail);

#endif
