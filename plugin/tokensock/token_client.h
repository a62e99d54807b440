/* SPDX-License-Identifier: ISC */
/*
 * Asks the token helper (docs/protocol.md).  libc only: it runs inside foreign
 * mail programs, as part of the SASL module, as well as in our own.  No
 * threads, no signals, no environment writes; every wait ends at a deadline.
 */
#ifndef MT_TOKENSOCK_TOKEN_CLIENT_H
#define MT_TOKENSOCK_TOKEN_CLIENT_H

#include "base/deadline.h"
#include "base/secret.h"
#include "base/status.h"
#include "tokensock/account_name.h"
#include "tokensock/token_wire.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define TOKEN_SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define TOKEN_SOCKET_PATHS_MAX 8
/* Bytes in an account's name, NUL counted. */
#define TOKEN_ACCOUNT_MAX (ACCOUNT_NAME_MAX + 1)
#define TOKEN_USER_MAX 1025 /* bytes in a login name, NUL counted */

/* Socket paths in the order in which they are asked. */
struct token_paths {
	char path[TOKEN_SOCKET_PATHS_MAX][TOKEN_SOCKET_PATH_MAX];
	bool named[TOKEN_SOCKET_PATHS_MAX]; /* somebody wants a helper there */
	size_t count;
};

/* Adds a path that somebody named; false if it is too long, empty or there is
 * no room. */
bool token_paths_add(struct token_paths *paths, const char *path);

/* Adds the path of MAILTOKEN_SOCKET, unless the process runs with privileges
 * that its caller does not have (secure_getenv(3)).  False if it is not set. */
bool token_paths_add_environment(struct token_paths *paths);

/* Adds /run/user/<euid>/mailtoken/socket and /run/mailtoken/socket, where a
 * helper may be or not; `system_named`: somebody wants one at the second. */
void token_paths_add_standard(struct token_paths *paths, bool system_named);

/* One connection to one helper. */
struct token_client {
	int fd; /* -1: closed */
	uid_t trusted_uid;
	struct secret frame; /* request, then reply */
	struct secret early; /* came behind the reply: the next frame */
};

/*
 * Prepares a closed client.  Helpers that run as root or as the effective uid
 * are trusted; `trusted_uid` adds one more ((uid_t)-1: none).
 */
void token_client_init(struct token_client *client, uid_t trusted_uid);

/* Closes and wipes. */
void token_client_done(struct token_client *client);

/*
 * Connects to the helper at `path`.  MT_UNREACHABLE when nobody listens,
 * MT_NO_ACCOUNT when there is no such socket at all, MT_BAD_CONFIG when an
 * untrusted uid listens.  Blocks until `deadline` at most.
 */
enum mt_status token_client_connect(struct token_client *client,
    const char *path, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes over a connected descriptor, whose other end is a child of ours. */
void token_client_adopt(struct token_client *client, int fd);

/*
 * Sends the frame that the caller built in client->frame, with `pass_fd` (-1:
 * none) beside it, and reads the reply into the same memory.  The status of
 * the reply is returned, its text becomes the error; *ret_reply is filled
 * whenever a well-formed reply came, and lives until the next call.  A broken
 * connection is MT_UNREACHABLE and closes the client.
 */
enum mt_status token_client_call(struct token_client *client, int pass_fd,
    struct token_wire_message *ret_reply, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* The first half of token_client_call, for a caller who waits for the reply with
 * other things; token_client_read() is the second. */
enum mt_status token_client_send(struct token_client *client, int pass_fd,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* Reads one more frame (an event, or a reply).  As token_client_call. */
enum mt_status token_client_read(struct token_client *client,
    struct token_wire_message *ret_message, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Which account: by name, or by what a mail program knows, or both.  NULL: not
 * given. */
struct token_query {
	const char *account;
	const char *service;
	const char *host;
	const char *user;    /* login name, authentication identity */
	const char *authzid; /* authorization identity, if it is another */
};

/*
 * Goes through `paths`, connects to the first helper that knows an account for
 * `query`, and leaves the connection open, whatever that helper says about the
 * account.  MT_NO_ACCOUNT when none of those that answer knows one;
 * MT_UNREACHABLE when none does and one that should be there does not answer (a
 * helper that is down must not look like "no account").  It should be there if
 * its path was named, or if there is a socket; but not at a standard path that
 * this user may not connect to.
 */
enum mt_status token_client_find(struct token_client *client,
    const struct token_paths *paths, const struct token_query *query,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

struct token_answer {
	char account[TOKEN_ACCOUNT_MAX]; /* also of a failure; "": not told */
	char user[TOKEN_USER_MAX]; /* whom the mail server is to be told */
	long serial;
	long expires_in_s;
	struct secret token; /* the caller's: init before, done after */
};

/*
 * Gets an access token with at least `min_ttl_s` seconds to live on the open
 * connection.  MT_OK, or the status of the helper's reply.
 */
enum mt_status token_client_get(struct token_client *client,
    const struct token_query *query, long min_ttl_s,
    struct token_answer *ret_answer, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * As token_client_find, but brings the token along if it is there without a
 * wait: one round trip.  MT_RETRY_LATER when the account is known and its token
 * is not there; token_client_get() on the connection waits for it.  A token
 * that is all there is may have less than `min_ttl_s` to live.
 */
enum mt_status token_client_find_token(struct token_client *client,
    const struct token_paths *paths, const struct token_query *query,
    long min_ttl_s, struct token_answer *ret_answer, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Tells the helper that a server refused the token with this serial. */
enum mt_status token_client_reject(struct token_client *client,
    const char *account, long serial, struct deadline deadline,
    struct mt_error *err);

#endif
