/* SPDX-License-Identifier: ISC */
#include "requests_impl.h"

#include <stddef.h>

/* ---- answering ---- */

void
asker_begin_reply(
    const struct asker *asker, struct secret *frame, const char *word)
{
	secret_init(frame, asker->requests->arena);
	token_wire_begin(frame, word);
}

void
asker_send_reply(struct asker *asker, struct secret *frame)
{
	connection_reply(asker->connection, frame, token_wire_end(frame));
	secret_done(frame);
}

void
asker_reply_ok(struct asker *asker)
{
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	asker_send_reply(asker, &frame);
}

void
asker_reply_failure(struct asker *asker, const struct account *account,
    const struct mt_error *failure)
{
	struct account_view view = {0};
	struct secret frame;

	if (account)
		account_view(account, &view);
	asker_begin_reply(
	    asker, &frame, token_wire_status_word(failure->status));
	token_wire_add(&frame, "text", failure->text);
	if (account)
		token_wire_add(
		    &frame, "account", account_settings_of(account)->name);
	if (failure->status == MT_RETRY_LATER)
		token_wire_add_number(&frame, "retry_s",
		    view.next_attempt_s ? view.next_attempt_s : 1);
	asker_send_reply(asker, &frame);
}

void
asker_reply_error(struct asker *asker, enum mt_status status, const char *text)
{
	struct mt_error error;

	mt_fail(&error, status, "%s", text);
	asker_reply_failure(asker, NULL, &error);
}

/* ---- finding the account ---- */

struct lookup
asker_lookup(const struct asker *asker, const char *request)
{
	return (struct lookup){
	    .accounts = asker->requests->accounts,
	    .peer = connection_peer(asker->connection),
	    .refusals = asker->requests->refusals,
	    .request = request,
	    .permit = asker->use == PERMIT_COUNT ? NULL : &asker->use,
	};
}

enum mt_status
asker_find_named(const struct asker *asker,
    const struct token_wire_message *message,
    bool (*may)(const struct peer *, const struct account_settings *),
    struct account **ret_account, struct mt_error *err)
{
	struct lookup lookup = asker_lookup(asker, message->verb);
	const char *name = token_wire_get(message, "account");

	if (!name)
		return mt_fail(
		    err, MT_BAD_INPUT, "the request lacks 'account'");
	return lookup_named(&lookup, name, may, ret_account, err);
}

struct account *
asker_managed_account(
    struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};

	if (asker_find_named(
		asker, message, access_may_manage, &account, &error) == MT_OK)
		return account;
	asker_reply_failure(asker, NULL, &error);
	return NULL;
}

struct account *
asker_account_of_person(
    struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = asker_managed_account(asker, message);
	struct mt_error error;

	if (!account ||
	    !account_settings_app_only(account_settings_of(account)))
		return account;
	mt_fail(&error, MT_BAD_CONFIG,
	    "account %s: nobody logs in to it, the application does so itself "
	    "('grant = client_credentials')",
	    account_settings_of(account)->name);
	asker_reply_failure(asker, NULL, &error);
	return NULL;
}

struct asker *
asker_of_token(struct account_waiter *waiter)
{
	return (struct asker *)(void *)((char *)waiter -
					offsetof(struct asker, token));
}
