/* SPDX-License-Identifier: ISC */
/*
 * Who logged in, as an ID token says it (OpenID Connect Core s2).  It comes from
 * the token endpoint over TLS, which stands in for its signature (s3.1.3.7).
 */
#ifndef MT_DAEMON_OAUTH_IDENTITY_H
#define MT_DAEMON_OAUTH_IDENTITY_H

#include "config.h"

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>

#define OAUTH_IDENTITY_NAME_SIZE (CONFIG_USER_MAX + 1)

enum oauth_name {
	OAUTH_NAME_PREFERRED, /* preferred_username */
	OAUTH_NAME_UPN,       /* Microsoft's */
	OAUTH_NAME_EMAIL,     /* unless the server doubts it */
	OAUTH_NAMES
};

/* What it says; "" where it says nothing. */
struct oauth_identity {
	char issuer[1024];
	char name[OAUTH_NAMES][OAUTH_IDENTITY_NAME_SIZE];
	bool for_client; /* it is meant for the client that was named */
};

/* False if it cannot be read, which an ID token need not be for us. */
bool oauth_identity_read(const struct secret *id_token, const char *client_id,
    struct oauth_identity *ret_identity);

/* The first name that it has, or NULL. */
const char *oauth_identity_name(const struct oauth_identity *identity);

/* Whether one of its names is that of the person who is to log in. */
bool oauth_identity_fits(const struct oauth_identity *identity,
    const struct account_settings *settings);

/* The person who is to log in. */
const char *oauth_identity_wanted(const struct account_settings *settings);

/* Whether the ID token is one of this account's server, client and person; if
 * not, why and what to do.  Where it cannot be read or names nobody (*ret_name
 * is ""), nobody can tell, and MT_OK is returned. */
enum mt_status oauth_identity_judge(const struct account_settings *settings,
    const struct secret *id_token, char ret_name[OAUTH_IDENTITY_NAME_SIZE],
    struct mt_error *err) MT_MUST_CHECK;

/* Both addresses are of one server. */
bool oauth_identity_same_server(const char *a, const char *b);

#endif
