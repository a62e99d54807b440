/* SPDX-License-Identifier: ISC */
#include "socketmap.h"

#include "lookup.h"
#include "socketmap_wire.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 20000

static const enum permit use = PERMIT_SOCKETMAP;

/* One connection, behind server_data(). */
struct asker {
	struct socketmap *socketmap;
	struct connection *connection;
	struct account_waiter token;
	/* what it is about, still true when the answer comes */
	enum mail_service service;
	char host[LOOKUP_HOST_MAX + 1]; /* "": by a login name */
};

static void
send_reply(struct asker *asker, struct secret *reply)
{
	connection_reply(asker->connection, reply, secret_ok(reply));
	secret_done(reply);
}

static void
reply_word(struct asker *asker, const char *word, const char *text)
{
	struct secret reply;

	secret_init(&reply, asker->socketmap->arena);
	socketmap_wire_reply(&reply, word, text);
	send_reply(asker, &reply);
}

static void
reply_text(
    struct asker *asker, const char *word, const struct mt_error *failure)
{
	char text[MT_ERROR_TEXT_MAX + sizeof("mailtoken: ")];

	snprintf(text, sizeof(text), "mailtoken: %s", failure->text);
	reply_word(asker, word, text);
}

/* Postfix logs the text of TEMP and PERM, and keeps the mail for later, after
 * both.  After NOTFOUND it does without a login, and the mail may bounce. */
static void
refuse(struct asker *asker, const struct mt_error *failure)
{
	if (failure->status == MT_NO_ACCOUNT)
		reply_word(asker, "NOTFOUND", "");
	else
		reply_text(asker, "PERM", failure);
}

static struct lookup
lookup_of(const struct asker *asker)
{
	return (struct lookup){
	    .accounts = asker->socketmap->accounts,
	    .peer = connection_peer(asker->connection),
	    .refusals = asker->socketmap->refusals,
	    .request = "socketmap",
	    .permit = &use,
	};
}

/* The login name of an entry: whom the server is to be told. */
static const char *
user_of(const struct asker *asker, const struct account *account)
{
	return lookup_told_user(
	    account_settings_of(account), asker->service, NULL);
}

static enum mt_status
check_user(const struct asker *asker, const struct account *account,
    struct mt_error *err)
{
	if (!strchr(user_of(asker, account), ':'))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "account %s: a login name with a colon cannot stand in a table of "
	    "passwords",
	    account_settings_of(account)->name);
}

static void
audit(const struct asker *asker, const struct account *account)
{
	const struct account_settings *s = account_settings_of(account);

	access_log_token(connection_peer(asker->connection), account,
	    permit_word(use), mail_service_name(asker->service),
	    *asker->host ? s->provider.host[asker->service] : NULL,
	    user_of(asker, account));
}

static void
answer_token(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker =
	    (struct asker *)(void *)((char *)waiter -
				     offsetof(struct asker, token));
	struct lookup lookup = lookup_of(asker);
	struct mt_error error = {0};
	struct secret reply;

	/* what find() found may have changed since */
	if (lookup_confirm(&lookup, account, asker->service, asker->host,
		&error) != MT_OK ||
	    check_user(asker, account, &error) != MT_OK) {
		refuse(asker, &error);
		return;
	}
	if (result->status != MT_OK) {
		reply_text(asker, "TEMP", result);
		return;
	}
	audit(asker, account);
	secret_init(&reply, asker->socketmap->arena);
	socketmap_wire_found(
	    &reply, user_of(asker, account), account_token(account));
	send_reply(asker, &reply);
}

static enum mt_status
find(struct asker *asker, const struct socketmap_query *query,
    struct account **ret_account, struct mt_error *err)
{
	struct lookup lookup = lookup_of(asker);
	const struct mail_login login = {
	    .service = lookup_service(query->map),
	    .host = query->host,
	    .user = query->user,
	};
	enum mt_status status;

	asker->service = login.service;
	if (query->host && strlen(query->host) > LOOKUP_HOST_MAX)
		return lookup_no_account(err);
	snprintf(asker->host, sizeof(asker->host), "%s",
	    query->host ? query->host : "");
	if (asker->service == SERVICE_OTHER)
		return mt_fail(err, MT_BAD_INPUT,
		    "the name of the map, '%s', is no service", query->map);
	status = lookup_login(&lookup, &login, ret_account, err);
	return status == MT_OK ? check_user(asker, *ret_account, err) : status;
}

static void
on_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	struct asker *asker = server_data(connection);
	struct socketmap_query query;
	struct account *account = NULL;
	struct mt_error error = {0};

	asker->socketmap = context;
	asker->connection = connection;
	if (!socketmap_wire_parse(frame, len, &query))
		mt_fail(&error, MT_BAD_INPUT, "this is no request for a table");
	else if (find(asker, &query, &account, &error) == MT_OK) {
		asker->token.answer = answer_token;
		account_get(account, &asker->token, 0, WAIT_MS);
		return;
	}
	refuse(asker, &error);
}

/* Who leaves stops waiting; what was begun goes on. */
static void
on_closed(void *context, struct connection *connection)
{
	struct asker *asker = server_data(connection);

	(void)context;
	account_leave(&asker->token);
}

void
socketmap_init(struct socketmap *socketmap, struct secret_arena *arena,
    struct accounts *accounts, struct log_limit *refusals)
{
	*socketmap = (struct socketmap){
	    .arena = arena,
	    .accounts = accounts,
	    .refusals = refusals,
	    .handler =
		{
		    .cut = socketmap_wire_cut,
		    .request = on_request,
		    .closed = on_closed,
		    .context = socketmap,
		    .data_size = sizeof(struct asker),
		},
	};
}
