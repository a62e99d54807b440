/* SPDX-License-Identifier: ISC */
/* The requests about access tokens: exists, get, reject, refresh. */
#include "requests_impl.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS_DEFAULT 20000
#define WAIT_MS_MAX 60000
#define MIN_TTL_MAX 86400

/* A number that the peer wishes, as far as we go. */
static long
wish(const struct token_wire_message *message, const char *name, long most,
    long otherwise)
{
	long number = token_wire_number(message, name, LONG_MAX, otherwise);

	return number < most ? number : most;
}

/* The account for a login at a mail server. */
static enum mt_status
find_login(struct asker *asker, const struct token_wire_message *message,
    struct account **ret_account, struct mt_error *err)
{
	struct lookup lookup = asker_lookup(asker, message->verb);
	const char *service = token_wire_get(message, "service");
	const struct mail_login login = {
	    .service = service ? lookup_service(service) : SERVICE_COUNT,
	    .host = token_wire_get(message, "host"),
	    .account = token_wire_get(message, "account"),
	    .user = token_wire_get(message, "user"),
	    .authzid = token_wire_get(message, "authzid"),
	};

	if (!service || !login.host)
		return mt_fail(err, MT_BAD_INPUT,
		    "the request lacks 'account', or 'service' and 'host'");
	if (login.authzid && strlen(login.authzid) > CONFIG_USER_MAX)
		return mt_fail(err, MT_BAD_INPUT, "'authzid' is too long");
	if (strlen(login.host) > LOOKUP_HOST_MAX)
		return mt_fail(err, MT_BAD_INPUT, "'host' is too long");
	asker->service = login.service;
	snprintf(asker->host, sizeof(asker->host), "%s", login.host);
	return lookup_login(&lookup, &login, ret_account, err);
}

static enum mt_status
find_account(struct asker *asker, const struct token_wire_message *message,
    struct account **ret_account, struct mt_error *err)
{
	const char *use = token_wire_get(message, "for");

	if (use)
		asker->use = permit_by_word(use);
	if (use && asker->use == PERMIT_COUNT)
		return mt_fail(err, MT_BAD_INPUT,
		    "'for' names nothing that an account could permit");
	if (token_wire_get(message, "account") &&
	    !token_wire_get(message, "service"))
		return asker_find_named(
		    asker, message, access_may_use, ret_account, err);
	return find_login(asker, message, ret_account, err);
}

void
request_exists(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};
	struct secret frame;

	if (find_account(asker, message, &account, &error) != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	asker_send_reply(asker, &frame);
}

static void
audit(const struct asker *asker, const struct account *account)
{
	const struct provider *provider =
	    &account_settings_of(account)->provider;
	bool by_name = asker->service == BY_NAME;

	access_log_token(connection_peer(asker->connection), account,
	    asker->use == PERMIT_COUNT ? NULL : permit_word(asker->use),
	    by_name ? NULL : mail_service_name(asker->service),
	    by_name ? NULL : provider->host[asker->service], asker->told);
}

/* What request_get() found may have changed since. */
static enum mt_status
confirm(const struct asker *asker, const struct account *account,
    struct mt_error *err)
{
	struct lookup lookup = asker_lookup(asker, "get");
	enum mt_status status =
	    lookup_confirm(&lookup, account, asker->service, asker->host, err);

	if (status == MT_OK && asker->service == BY_NAME)
		status = lookup_check_permit(
		    account_settings_of(account), PERMIT_GET, err);
	return status;
}

static void
answer_get(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_token(waiter);
	struct account_view view;
	struct mt_error error = {0};
	struct secret frame;

	if (confirm(asker, account, &error) != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	if (result->status != MT_OK) {
		asker_reply_failure(asker, account, result);
		return;
	}
	audit(asker, account);
	account_view(account, &view);
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	token_wire_add(&frame, "user", asker->told);
	token_wire_add_number(&frame, "serial", (long)view.serial);
	token_wire_add_number(&frame, "expires_in", view.expires_in_s);
	token_wire_add_secret(&frame, "token", account_token(account));
	asker_send_reply(asker, &frame);
}

void
request_get(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};
	enum mt_status status = find_account(asker, message, &account, &error);

	if (status == MT_OK && asker->service == BY_NAME)
		status = lookup_check_permit(
		    account_settings_of(account), PERMIT_GET, &error);
	if (status != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	snprintf(asker->told, sizeof(asker->told), "%s",
	    lookup_told_user(account_settings_of(account), asker->service,
		token_wire_get(message, "authzid")));
	asker->token.answer = answer_get;
	account_get(account, &asker->token,
	    wish(message, "min_ttl", MIN_TTL_MAX, 0),
	    wish(message, "wait_ms", WAIT_MS_MAX, WAIT_MS_DEFAULT));
}

void
request_reject(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct account_view view;
	struct mt_error error = {0};

	if (find_account(asker, message, &account, &error) != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	account_view(account, &view);
	account_reject(account,
	    token_wire_number(message, "serial", LONG_MAX, (long)view.serial));
	asker_reply_ok(asker);
}

static void
answer_refresh(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_token(waiter);
	struct account_view view;
	struct secret frame;

	if (result->status != MT_OK) {
		asker_reply_failure(asker, account, result);
		return;
	}
	account_view(account, &view);
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add_number(&frame, "serial", (long)view.serial);
	token_wire_add_number(&frame, "expires_in", view.expires_in_s);
	asker_send_reply(asker, &frame);
}

void
request_refresh(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = asker_managed_account(asker, message);

	if (!account)
		return;
	asker->token.answer = answer_refresh;
	account_refresh(account, &asker->token,
	    wish(message, "wait_ms", WAIT_MS_MAX, WAIT_MS_DEFAULT));
}
