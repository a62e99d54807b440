/* SPDX-License-Identifier: ISC */
/*
 * One authentication with XOAUTH2 or OAUTHBEARER, from the question whether
 * there is an account to the server's verdict.  Knows nothing of libsasl2: the
 * caller brings names and challenges and passes the outputs on.
 *
 *	ASK -- begin --> HELD -- empty challenge --> SENT
 *	 \------------------- begin ------------------^
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

/* How long the helper may take.  Together they bound what a mail program waits
 * in one exchange: 20 s. */
#define OAUTH_FIND_MS 1000
#define OAUTH_TOKEN_MS 18000
#define OAUTH_REPORT_MS 1000

enum oauth_state {
	OAUTH_ASK,     /* no token yet */
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
	int token_ms;  /* OAUTH_TOKEN_MS */
	struct token_paths paths;
	struct token_client client; /* kept from the question to the verdict */
	struct token_answer answer;
	struct secret response;
	struct oauth_refusal refusal;
	char user[OAUTH_USER_MAX + 1]; /* that the server was told */
	bool reported;                 /* the helper knows of the refusal */
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

/*
 * Asks whether a helper has an account for this server and `user` (the login
 * name; NULL: not known yet, then several accounts are fine too).  MT_OK,
 * MT_NO_ACCOUNT, MT_UNREACHABLE or what the helper says.  Blocks for
 * OAUTH_FIND_MS at most.
 */
enum mt_status oauth_exchange_find(struct oauth_exchange *exchange,
    const char *user, struct mt_error *err) MT_MUST_CHECK;

/* What the mail program has to send. */
struct oauth_output {
	const char *data; /* NULL: nothing, not even an empty response */
	size_t len;       /* owned by the exchange, until its next call */
};

/*
 * Gets a token for the login `user` and builds the response; `authzid` is whom
 * the server is told (the authorization identity).  `client_first` says that
 * the output would travel on the AUTH command's line: where the protocol limits
 * that line and the response does not fit, the output is nothing, and the
 * response follows from oauth_exchange_answer().  On failure the state stays
 * OAUTH_ASK.  Blocks for OAUTH_TOKEN_MS at most.
 */
enum mt_status oauth_exchange_begin(struct oauth_exchange *exchange,
    const char *user, const char *authzid, bool client_first,
    struct oauth_output *ret_output, struct mt_error *err) MT_MUST_CHECK;

/*
 * Answers what the server sent after that (`len` may be 0, then `challenge` may
 * be NULL).  A refusal is reported to the helper, which takes OAUTH_REPORT_MS
 * at most, and acknowledged to the server; the step after that is MT_REFUSED.
 */
enum mt_status oauth_exchange_answer(struct oauth_exchange *exchange,
    const char *challenge, size_t len, struct oauth_output *ret_output,
    struct mt_error *err) MT_MUST_CHECK;

#endif
