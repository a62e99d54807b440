/* SPDX-License-Identifier: ISC */
/*
 * What crosses between a mail program and its server in XOAUTH2 (Google's and
 * Microsoft's) and OAUTHBEARER (RFC 7628).  Pure: bytes in, bytes out; no
 * libsasl2, no sockets, no base64 (the mail program does that).
 */
#ifndef MT_SASL_OAUTH_MESSAGE_H
#define MT_SASL_OAUTH_MESSAGE_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum oauth_mechanism {
	OAUTH_XOAUTH2,
	OAUTH_OAUTHBEARER,
};

#define OAUTH_MECHANISMS 2

#define OAUTH_USER_MAX 1024  /* bytes; libsasl2's own limit for a name */
#define OAUTH_HOST_MAX 255   /* bytes, RFC 1035 section 3.1 */
#define OAUTH_TOKEN_MAX 8192 /* bytes; the largest known are about 4 KB */

/* The name in the server's list of mechanisms. */
const char *oauth_mechanism_name(enum oauth_mechanism mechanism);

/* Whether it is one that can be sent: a token68 (RFC 6750 section 2.1) of at
 * most OAUTH_TOKEN_MAX bytes. */
bool oauth_message_is_token(const struct secret *token);

struct oauth_response {
	const char *user; /* authorization identity */
	const char *host; /* OAUTHBEARER only */
	unsigned port;    /* OAUTHBEARER only; 0: not known, not sent */
	const struct secret *token;
};

/*
 * Builds the initial client response.  MT_BAD_INPUT when the user or the host
 * is empty, too long or holds a control character (0x01 would let it forge a
 * field), or when the token is no bearer token (RFC 6750 section 2.1).
 */
enum mt_status oauth_message_encode(enum oauth_mechanism mechanism,
    const struct oauth_response *response, struct secret *ret_message,
    struct mt_error *err) MT_MUST_CHECK;

/* What the client answers to a refusal, to let the server end the exchange:
 * nothing (XOAUTH2) or 0x01 (RFC 7628 section 3.2.3).  NUL-terminated. */
const char *oauth_message_acknowledgement(enum oauth_mechanism mechanism);

/* Whether "AUTH MECHANISM <base64 of len bytes>" CRLF keeps to the 512 bytes
 * of an SMTP command line (RFC 4954 section 4). */
bool oauth_message_fits_auth_line(enum oauth_mechanism mechanism, size_t len);

/* Why a server refused a token, in printable ASCII; "" when it did not say. */
struct oauth_refusal {
	char status[32];
	char scope[256];
};

/*
 * Reads a challenge that came after the response.  False if it is not a
 * refusal, which is a JSON object; true even if the object is malformed, with
 * what could be read.  A server that sends a piece of the `token` back does
 * not get it into an error text: the member is left empty.
 */
bool oauth_message_read_refusal(const char *challenge, size_t len,
    const struct secret *token, struct oauth_refusal *ret_refusal);

#endif
