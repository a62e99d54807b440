/* SPDX-License-Identifier: ISC */
/*
 * One authentication with XOAUTH2 or OAUTHBEARER, from the question whether
 * there is an account to the server's verdict.  Knows nothing of libsasl2: the
 * caller brings names and challenges and passes the outputs on.
 *
 *	ASK (find, fetch) -- begin --> HELD -- empty challenge --> SENT
 *	 \------------------------- begin ------------------------^
 *	SENT -- "{...}" --> REFUSED -- anything --> failure (MT_REFUSED)
 *	SENT -- anything else --> DONE
 *
 * The first output is never the last step: only so does the mail program read
 * the server's own reason after a refusal.
 */
#ifndef MT_SASL_OAUTH_EXCHANGE_H
#define MT_SASL_OAUTH_EXCHANGE_H

#include "base/secret.h"
#include "base/status.h"
#include "oauth_message.h"
#include "tokensock/token_client.h"

#include <stdbool.h>
#include <stddef.h>

#define OAUTH_SERVICE_MAX 32 /* bytes in a service's name */

/* How long the helper may take, for all questions of a kind in one exchange.
 * Together they bound what a mail program waits: 20 s. */
#define OAUTH_FIND_MS 1000
#define OAUTH_TOKEN_MS 18000
#define OAUTH_REPORT_MS 1000

enum oauth_state {
	OAUTH_ASK,     /* nothing sent yet */
	OAUTH_HELD,    /* the response waits for the server's go-ahead */
	OAUTH_SENT,    /* the response is with the server */
	OAUTH_REFUSED, /* the server said why it refuses */
	OAUTH_DONE,
};

struct oauth_exchange {
	enum oauth_mechanism mechanism;
	enum oauth_state state;
	char service[OAUTH_SERVICE_MAX + 1];
	char host[OAUTH_HOST_MAX + 1];
	unsigned port; /* 0: not known */
	int find_ms;   /* what is left of OAUTH_FIND_MS */
	int token_ms;  /* what is left of OAUTH_TOKEN_MS */
	struct token_paths paths;
	struct token_client client; /* kept from the question to the verdict */
	struct token_answer answer;
	struct secret response;
	struct oauth_refusal refusal;
	bool undecided; /* the last question found no account, or several */
	bool reported;  /* the helper knows of the refusal */
};

struct oauth_server {
	const char *service; /* "imap", "smtp", ... */
	const char *host;    /* as the mail program calls it */
	unsigned port;       /* 0: not known */
};

/*
 * Prepares an exchange; nothing is asked yet.  MT_BAD_INPUT when the service's
 * or the host's name is too long.  oauth_exchange_done() in either case.
 */
enum mt_status oauth_exchange_init(struct oauth_exchange *exchange,
    enum oauth_mechanism mechanism, const struct oauth_server *server,
    const struct token_paths *paths, uid_t trusted_uid,
    struct mt_error *err) MT_MUST_CHECK;

/* Ends the connection to the helper and wipes everything. */
void oauth_exchange_done(struct oauth_exchange *exchange);

/* Who logs in, as the mail program tells it.  NULL: not known, or not said. */
struct oauth_login {
	const char *user;    /* authentication identity */
	const char *authzid; /* authorization identity */
	const char *account; /* the helper's account that shall serve */
};

/*
 * Looks for a helper that has an account for this server and `login`; with an
 * empty login for any account at this server, then several are fine too.
 * `bring_token` says that the login is complete: if the token is there without
 * a wait it comes along.  MT_OK, also when a token has to be waited for;
 * MT_NO_ACCOUNT, MT_UNREACHABLE or what the helper says.  Blocks for what
 * earlier calls left of OAUTH_FIND_MS at most.
 */
enum mt_status oauth_exchange_find(struct oauth_exchange *exchange,
    const struct oauth_login *login, bool bring_token,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Gets a token for `login`, unless oauth_exchange_find() brought one.  Blocks
 * for what earlier calls left of OAUTH_TOKEN_MS at most.  After a failure of
 * this or the function before, `undecided` tells whether another login, or an
 * account by name, would help.
 */
enum mt_status oauth_exchange_fetch(struct oauth_exchange *exchange,
    const struct oauth_login *login, struct mt_error *err) MT_MUST_CHECK;

/* Takes a token that the mail program has itself; moved out of `token`. */
enum mt_status oauth_exchange_take_token(struct oauth_exchange *exchange,
    const struct oauth_login *login, struct secret *token,
    struct mt_error *err) MT_MUST_CHECK;

/* What the mail program has to send. */
struct oauth_output {
	const char *data; /* NULL: nothing, not even an empty response */
	size_t len;       /* owned by the exchange, until its next call */
};

/*
 * Builds the response from the token.  `client_first` says that the output
 * would travel on the AUTH command's line: where the protocol limits that line
 * and the response does not fit, the output is nothing, and the response
 * follows from oauth_exchange_answer().  On failure the state stays OAUTH_ASK
 * and the token is wiped.
 */
enum mt_status oauth_exchange_begin(struct oauth_exchange *exchange,
    bool client_first, struct oauth_output *ret_output,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Answers what the server sent after that (`len` may be 0, then `challenge` may
 * be NULL).  A refusal is reported to the helper, which takes OAUTH_REPORT_MS
 * at most, and acknowledged to the server; the step after that is MT_REFUSED.
 */
enum mt_status oauth_exchange_answer(struct oauth_exchange *exchange,
    const char *challenge, size_t len, struct oauth_output *ret_output,
    struct mt_error *err) MT_MUST_CHECK;

#endif
