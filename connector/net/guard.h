/* SPDX-License-Identifier: ISC */
/*
 * Checks every string before it goes into a command line: neither libetpan nor
 * our own lines quote a CR LF, so one in a user name or an address would be a
 * command of its own.
 *
 * Each check returns NULL if the text may be sent, else what is wrong with it,
 * to be put behind its name: "is empty", "holds a control character".
 */
#ifndef MT_NET_GUARD_H
#define MT_NET_GUARD_H

#include <stddef.h>

#define GUARD_LOGIN_MAX 1024   /* what libsasl2 takes as a name */
#define GUARD_MAILBOX_MAX 1000 /* keeps a command line below 8192 bytes */
#define GUARD_ADDRESS_MAX 254  /* RFC 5321 section 4.5.3.1.3, without <> */
#define GUARD_HOST_MAX 255

/* A login name or password: any bytes but control characters. */
const char *guard_login(const char *text);

/* A mailbox name as it goes on the wire: ASCII (RFC 3501 section 5.1.3). */
const char *guard_mailbox(const char *text);

/* A mail address in an SMTP path: ASCII without spaces and angle brackets. */
const char *guard_address(const char *text);

/* The same where the server offers SMTPUTF8: not only ASCII (RFC 6531). */
const char *guard_utf8_address(const char *text);

/* A host name or address to connect to. */
const char *guard_host(const char *text);

#endif
