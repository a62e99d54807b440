/* SPDX-License-Identifier: ISC */
/*
 * The inside of the requests, for requests.c (the table of verbs, who asks),
 * asker.c (what all of them need) and request_*.c (one subject each) only.
 */
#ifndef MT_DAEMON_REQUESTS_IMPL_H
#define MT_DAEMON_REQUESTS_IMPL_H

#include "lookup.h"
#include "requests.h"

#include "tokensock/account_name.h"
#include "tokensock/token_wire.h"

#define BY_NAME SERVICE_COUNT

/* One connection, behind server_data(). */
struct asker {
	struct requests *requests;
	struct connection *connection;
	bool administers; /* at the administration socket */
	/* what the request under way waits for */
	struct account_waiter token;
	struct login_waiter login;
	struct unlock_waiter unlock;
	struct discovery_waiter discovery;
	struct fd_reader *reader; /* of a seed or passphrase */
	/* of the login that waits for discovery; "": a device */
	char redirect_uri[256];
	char account[ACCOUNT_NAME_MAX + 1]; /* that either is for */
	bool proves;                        /* the seed, at once */
	/* what it is about, still true when the answer comes */
	enum mail_service service;      /* or BY_NAME */
	char host[LOOKUP_HOST_MAX + 1]; /* "": none was named */
	enum permit use;                /* that was named, or PERMIT_COUNT */
	char told[CONFIG_USER_MAX + 1]; /* whom the server is to be told */
	bool emits;
	/* events */
	bool subscribed;
	char subscribed_to[ACCOUNT_NAME_MAX + 1]; /* "": everything */
};

/* asker.c: */

/* A reply with this status word, for fields to be added; then send it. */
void asker_begin_reply(
    const struct asker *asker, struct secret *frame, const char *word);

/* Wipes the frame. */
void asker_send_reply(struct asker *asker, struct secret *frame);

void asker_reply_ok(struct asker *asker);

/* `account` may be NULL. */
void asker_reply_failure(struct asker *asker, const struct account *account,
    const struct mt_error *failure);

void asker_reply_error(
    struct asker *asker, enum mt_status status, const char *text);

/* Who asks, and for which use. */
struct lookup asker_lookup(const struct asker *asker, const char *request);

/* The account that is named, if `may` agrees. */
enum mt_status asker_find_named(const struct asker *asker,
    const struct token_wire_message *message,
    bool (*may)(const struct peer *, const struct account_settings *),
    struct account **ret_account, struct mt_error *err);

/* Finds the account for a request of the mailtoken command, or answers. */
struct account *asker_managed_account(
    struct asker *asker, const struct token_wire_message *message);

/* ... where there is a login of a person; or answers. */
struct account *asker_account_of_person(
    struct asker *asker, const struct token_wire_message *message);

/* Whose `token` it is. */
struct asker *asker_of_token(struct account_waiter *waiter);

/* request_status.c: */

/* Tells who has subscribed, and may use it, how the account is now. */
void asker_send_event(struct asker *asker, const struct account *account);

/* Each answers, now or later: */
typedef void request_handler(
    struct asker *asker, const struct token_wire_message *message);

/* request_token.c: */
request_handler request_exists, request_get, request_reject, request_refresh;

/* request_status.c: */
request_handler request_status, request_providers, request_subscribe;

/* request_login.c: */
request_handler request_login_begin, request_login_wait, request_login_finish,
    request_login_cancel, request_seed;

/* request_admin.c: */
request_handler request_logout, request_unlock, request_reload;

#endif
