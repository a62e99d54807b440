/* SPDX-License-Identifier: ISC */
/* The requests that bring a login: login-begin and what follows it, seed. */
#include "requests_impl.h"

#include "fd_reader.h"

#include "base/log.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PROOF_WAIT_MS 60000

static struct asker *
asker_of_login(struct login_waiter *waiter)
{
	return (struct asker *)(void *)((char *)waiter -
					offsetof(struct asker, login));
}

static void
answer_code(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_login(waiter);
	const struct oauth_device *device;
	struct secret frame;

	if (result->status != MT_OK) {
		asker_reply_failure(asker, account, result);
		return;
	}
	device = login_device(waiter->begun);
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "id", login_id(waiter->begun));
	token_wire_add(&frame, "user_code", device->user_code);
	token_wire_add(&frame, "verification_uri", device->address);
	if (*device->whole_address)
		token_wire_add(
		    &frame, "verification_uri_complete", device->whole_address);
	token_wire_add_number(&frame, "expires_in", device->expires_in_s);
	asker_send_reply(asker, &frame);
}

static void
begin_login(struct asker *asker, struct account *account)
{
	struct login *login = NULL;
	struct mt_error error = {0};
	struct secret frame, url;

	if (!*asker->redirect_uri) {
		asker->login.answer = answer_code;
		login_begin_device(
		    asker->requests->logins, account, &asker->login);
		return;
	}
	secret_init(&url, asker->requests->arena);
	if (login_begin(asker->requests->logins, account, asker->redirect_uri,
		&login, &url, &error) != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
	} else {
		asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
		token_wire_add(&frame, "id", login_id(login));
		token_wire_add_secret(&frame, "url", &url);
		asker_send_reply(asker, &frame);
	}
	secret_done(&url);
}

/* The account that the request under way is for, if it is still there and the
 * peer's to manage: the settings may have been read again since. */
static struct account *
account_of_request(const struct asker *asker)
{
	struct account *account =
	    accounts_find(asker->requests->accounts, asker->account);

	return account && access_may_manage(connection_peer(asker->connection),
			      account_settings_of(account))
		   ? account
		   : NULL;
}

static void
on_discovered(struct discovery_waiter *waiter, const struct provider *found,
    const struct mt_error *result)
{
	struct asker *asker =
	    (struct asker *)(void *)((char *)waiter -
				     offsetof(struct asker, discovery));
	struct account *account = account_of_request(asker);
	struct mt_error error = *result;

	if (error.status == MT_OK && !account)
		lookup_no_account(&error);
	if (error.status == MT_OK && !account_has_endpoints(account))
		error.status = account_take_endpoints(account, found, &error);
	if (error.status == MT_OK)
		begin_login(asker, account);
	else
		asker_reply_failure(asker, NULL, &error);
}

/* Begins the login that the asker's fields describe, when its endpoints are
 * known. */
static void
find_endpoints(struct asker *asker, struct account *account)
{
	const struct account_settings *settings = account_settings_of(account);
	const struct provider *found = NULL;
	struct mt_error error = {0};

	if (account_has_endpoints(account)) {
		begin_login(asker, account);
		return;
	}
	snprintf(asker->account, sizeof(asker->account), "%s", settings->name);
	asker->discovery.answer = on_discovered;
	found = discovery_ask(
	    asker->requests->discovery, settings, &asker->discovery, &error);
	if (found || error.status != MT_OK)
		on_discovered(&asker->discovery, found, &error);
}

void
request_login_begin(
    struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = asker_account_of_person(asker, message);
	const char *redirect_uri = token_wire_get(message, "redirect_uri");
	bool device = token_wire_number(message, "device", 1, 0);

	if (!account)
		return;
	if (device)
		redirect_uri = "";
	if (!redirect_uri || !*redirect_uri == !device ||
	    strlen(redirect_uri) >= sizeof(asker->redirect_uri)) {
		asker_reply_error(asker, MT_BAD_INPUT,
		    "the request lacks 'redirect_uri', or it is too long");
		return;
	}
	memcpy(asker->redirect_uri, redirect_uri, strlen(redirect_uri) + 1);
	find_endpoints(asker, account);
}

/* The login that is named, if the peer may end it. */
static struct login *
named_login(struct asker *asker, const struct token_wire_message *message)
{
	const char *id = token_wire_get(message, "id");
	struct login *login =
	    id ? login_find(asker->requests->logins, id) : NULL;

	if (login && !access_may_manage(connection_peer(asker->connection),
			 account_settings_of(login_account(login))))
		return NULL;
	return login;
}

static void
reply_login(
    struct asker *asker, const struct account *account, const char *identity)
{
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	token_wire_add(&frame, "user", account_settings_of(account)->user);
	if (*identity)
		token_wire_add(&frame, "identity", identity);
	asker_send_reply(asker, &frame);
}

static void
answer_login(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_login(waiter);

	if (result->status != MT_OK || !account) {
		asker_reply_failure(asker, account, result);
		return;
	}
	if (asker->emits)
		log_info("account=%s uid=%lu: refresh token of a new login "
			 "written to a file of the caller's",
		    account_settings_of(account)->name,
		    (unsigned long)connection_peer(asker->connection)->uid);
	reply_login(asker, account, waiter->identity);
}

/* The login that is to end, and the descriptor for its refresh token (-1: it is
 * stored); or answers. */
static struct login *
ending_login(
    struct asker *asker, const struct token_wire_message *message, int *ret_fd)
{
	const char *emit = token_wire_get(message, "emit");
	struct login *login = named_login(asker, message);

	*ret_fd = -1;
	asker->emits = emit && strcmp(emit, "1") == 0;
	if (!login) {
		asker_reply_error(asker, MT_NEEDS_LOGIN,
		    "there is no such login under way; it was ended by "
		    "another, is too old, or was finished");
		return NULL;
	}
	if (asker->emits &&
	    (*ret_fd = connection_take_fd(asker->connection)) < 0) {
		asker_reply_error(asker, MT_BAD_INPUT,
		    "emit=1 needs one descriptor beside the request");
		return NULL;
	}
	asker->login.answer = answer_login;
	return login;
}

void
request_login_wait(
    struct asker *asker, const struct token_wire_message *message)
{
	int fd;
	struct login *login = ending_login(asker, message, &fd);

	if (login)
		login_wait(login, fd, &asker->login);
}

void
request_login_finish(
    struct asker *asker, const struct token_wire_message *message)
{
	const char *redirect = token_wire_get(message, "redirect");
	int fd;
	struct login *login = ending_login(asker, message, &fd);

	if (login)
		login_finish(asker->requests->logins, login,
		    redirect ? redirect : "", fd, &asker->login);
}

void
request_login_cancel(
    struct asker *asker, const struct token_wire_message *message)
{
	struct login *login = named_login(asker, message);

	if (login)
		login_cancel(&login);
	asker_reply_ok(asker);
}

/* ---- seeds ---- */

/* A refresh that was under way already did not try the seed. */
static void
answer_proof(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_token(waiter);
	struct mt_error verdict = {0};
	enum mt_status status = account_judge_seed(account, &verdict);

	if (status == MT_RETRY_LATER && result->status == MT_OK &&
	    asker->proves) {
		asker->proves = false;
		account_refresh(account, waiter, PROOF_WAIT_MS);
		return;
	}
	if (status == MT_RETRY_LATER && result->status != MT_OK)
		verdict = *result;
	if (status == MT_OK)
		reply_login(asker, account, "");
	else
		asker_reply_failure(asker, account, &verdict);
}

static void
prove_seed(struct asker *asker, struct account *account)
{
	asker->token.answer = answer_proof;
	account_refresh(account, &asker->token, PROOF_WAIT_MS);
}

static void
on_seed(void *context, struct secret *token, const struct mt_error *result)
{
	struct asker *asker = context;
	struct account *account = account_of_request(asker);
	struct mt_error error = *result;

	asker->reader = NULL;
	if (error.status == MT_OK && !account)
		lookup_no_account(&error);
	if (error.status == MT_OK)
		error.status =
		    account_seed(account, token, asker->proves, &error);
	if (error.status == MT_OK && asker->proves)
		prove_seed(asker, account);
	else if (error.status == MT_OK)
		asker_reply_ok(asker);
	else
		asker_reply_failure(asker, account, &error);
}

void
request_seed(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = asker_account_of_person(asker, message);
	struct mt_error error = {0};
	int fd;

	if (!account)
		return;
	fd = connection_take_fd(asker->connection);
	if (fd < 0) {
		asker_reply_error(asker, MT_BAD_INPUT,
		    "the request needs one descriptor beside it");
		return;
	}
	snprintf(asker->account, sizeof(asker->account), "%s",
	    account_settings_of(account)->name);
	asker->proves = token_wire_number(message, "prove", 1, 0);
	if (fd_reader_start(asker->requests->loop, asker->requests->arena, fd,
		FD_READER_TOKEN, on_seed, asker, &asker->reader,
		&error) != MT_OK)
		asker_reply_failure(asker, NULL, &error);
}
