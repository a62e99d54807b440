/* SPDX-License-Identifier: ISC */
/* The requests of who administers: logout, unlock, reload. */
#include "requests_impl.h"

#include "fd_reader.h"

#include <stddef.h>

static void
answer_logout(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	static const char *const words[] = {
	    [REVOKED_NO] = "no",
	    [REVOKED_YES] = "yes",
	    [REVOKED_UNSUPPORTED] = "unsupported",
	    [REVOKED_NOTHING] = "nothing",
	};
	struct asker *asker = asker_of_token(waiter);
	struct secret frame;

	if (result->status != MT_OK) {
		asker_reply_failure(asker, account, result);
		return;
	}
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "revoked", words[waiter->revoked]);
	asker_send_reply(asker, &frame);
}

void
request_logout(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = asker_account_of_person(asker, message);

	if (!account)
		return;
	asker->token.answer = answer_logout;
	account_logout(
	    account, &asker->token, token_wire_number(message, "local", 1, 0));
}

/* ---- passphrases ---- */

static void
reply_later(struct asker *asker, const struct mt_error *why, long retry_s)
{
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(why->status));
	token_wire_add(&frame, "text", why->text);
	if (why->status == MT_RETRY_LATER)
		token_wire_add_number(&frame, "retry_s", retry_s);
	asker_send_reply(asker, &frame);
}

static void
answer_unlock(struct unlock_waiter *waiter, const struct mt_error *result)
{
	struct asker *asker =
	    (struct asker *)(void *)((char *)waiter -
				     offsetof(struct asker, unlock));

	if (result->status == MT_OK)
		asker_reply_ok(asker);
	else
		asker_reply_failure(asker, NULL, result);
}

static void
on_passphrase(
    void *context, struct secret *passphrase, const struct mt_error *result)
{
	struct asker *asker = context;
	struct unlock *unlock = asker->requests->unlock;
	struct mt_error error = *result;
	long retry_s = 1;

	asker->reader = NULL;
	if (error.status == MT_OK && passphrase->len > KEY_PASSPHRASE_MAX)
		mt_fail(&error, MT_BAD_INPUT,
		    "a passphrase has at most %d bytes", KEY_PASSPHRASE_MAX);
	if (error.status == MT_OK)
		error.status = unlock_check(unlock, &retry_s, &error);
	if (error.status != MT_OK) {
		reply_later(asker, &error, retry_s);
		return;
	}
	asker->unlock.answer = answer_unlock;
	unlock_try(unlock, passphrase, &asker->unlock);
}

static void
reply_need(struct asker *asker)
{
	static const char *const words[] = {
	    [STORE_KEY_NEEDS_NOTHING] = "nothing",
	    [STORE_KEY_NEEDS_PASSPHRASE] = "passphrase",
	    [STORE_KEY_NEEDS_NEW_PASSPHRASE] = "new",
	};
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "needs",
	    words[store_key_need(asker->requests->unlock->key)]);
	asker_send_reply(asker, &frame);
}

void
request_unlock(struct asker *asker, const struct token_wire_message *message)
{
	struct mt_error error = {0};
	int fd;

	(void)message;
	if (!access_may_administer(connection_peer(asker->connection))) {
		lookup_no_account(&error);
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	fd = connection_take_fd(asker->connection);
	if (fd < 0) {
		reply_need(asker);
		return;
	}
	if (fd_reader_start(asker->requests->loop, asker->requests->arena, fd,
		FD_READER_PASSPHRASE, on_passphrase, asker, &asker->reader,
		&error) != MT_OK)
		asker_reply_failure(asker, NULL, &error);
}

/* ---- the settings ---- */

/* Who may not is told what everybody is told of what is not theirs. */
void
request_reload(struct asker *asker, const struct token_wire_message *message)
{
	struct requests *requests = asker->requests;
	const struct peer *peer = connection_peer(asker->connection);
	struct mt_error error = {0};
	struct secret frame;
	size_t accounts = 0, left_out = 0;

	(void)message;
	if (!access_may_administer(peer))
		lookup_no_account(&error);
	else
		error.status = requests->reload(
		    requests->reload_context, &accounts, &left_out, &error);
	if (error.status != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add_number(&frame, "accounts", (long)accounts);
	token_wire_add_number(&frame, "left_out", (long)left_out);
	asker_send_reply(asker, &frame);
}
