/* SPDX-License-Identifier: ISC */
/* The requests about what there is and what becomes of it: status, providers,
 * subscribe. */
#include "requests_impl.h"

#include "provider_report.h"
#include "status_report.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 60000 /* bytes of account names in one reply */

/* The names behind `after`, as many as fit. */
static void
add_names(struct asker *asker, const char *after, struct secret *frame)
{
	const struct peer *peer = connection_peer(asker->connection);
	struct buf names = BUF_INIT(NAMES_MAX + ACCOUNT_NAME_MAX + 1);
	struct account *account;

	for (size_t i = 0;
	     (account = accounts_at(asker->requests->accounts, i)); i++) {
		const struct account_settings *s = account_settings_of(account);
		if (!access_may_manage(peer, s) ||
		    (after && strcmp(s->name, after) <= 0))
			continue;
		if (names.len > NAMES_MAX) {
			token_wire_add_number(frame, "more", 1);
			break;
		}
		if (names.len)
			buf_add_char(&names, ' ');
		buf_add_text(&names, s->name);
	}
	token_wire_add(frame, "accounts", buf_text(&names));
	buf_done(&names);
}

void
request_status(struct asker *asker, const struct token_wire_message *message)
{
	const char *format = token_wire_get(message, "format");
	struct account *account = NULL;
	struct secret frame;

	if (token_wire_get(message, "account")) {
		account = asker_managed_account(asker, message);
		if (!account)
			return;
	}
	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	if (!account && asker->administers)
		token_wire_add(&frame, "socket", asker->requests->token_path);
	if (!account)
		add_names(asker, token_wire_get(message, "after"), &frame);
	else if (format && strcmp(format, "json") == 0)
		status_report_add_json(&frame, account);
	else
		status_report_add(&frame, account);
	asker_send_reply(asker, &frame);
}

/* ---- providers ---- */

static enum mt_status
add_provider(struct asker *asker, const char *name, bool json,
    struct secret *frame, struct mt_error *err)
{
	struct provider provider = {0};
	enum mt_status status = provider_check_name(name, err);

	if (status == MT_OK)
		status = provider_read(
		    asker->requests->providers, name, &provider, err);
	if (status == MT_OK && json)
		provider_report_add_json(frame, name, &provider);
	else if (status == MT_OK)
		provider_report_add(frame, &provider);
	provider_done(&provider);
	return status;
}

static enum mt_status
add_providers(struct asker *asker, struct secret *frame, struct mt_error *err)
{
	struct buf names = BUF_INIT(NAMES_MAX);
	enum mt_status status =
	    provider_names(asker->requests->providers, &names, err);

	if (status == MT_OK && !buf_ok(&names))
		status = mt_fail(err, MT_NO_MEMORY, "too many providers");
	if (status == MT_OK)
		token_wire_add(frame, "providers", buf_text(&names));
	buf_done(&names);
	return status;
}

/* Nothing in it is about an account: who may connect may know. */
void
request_providers(struct asker *asker, const struct token_wire_message *message)
{
	const char *name = token_wire_get(message, "provider");
	const char *format = token_wire_get(message, "format");
	struct mt_error error = {0};
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	if (name ? add_provider(asker, name,
		       format && strcmp(format, "json") == 0, &frame, &error)
		 : add_providers(asker, &frame, &error)) {
		secret_done(&frame);
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	asker_send_reply(asker, &frame);
}

/* ---- events ---- */

void
asker_send_event(struct asker *asker, const struct account *account)
{
	const struct account_settings *settings = account_settings_of(account);
	struct account_view view;
	struct secret frame;

	if (!asker->subscribed ||
	    (*asker->subscribed_to &&
		strcmp(asker->subscribed_to, settings->name) != 0) ||
	    !access_may_use(connection_peer(asker->connection), settings))
		return;
	account_view(account, &view);
	asker_begin_reply(asker, &frame, "event");
	token_wire_add(&frame, "account", settings->name);
	token_wire_add(&frame, "state", account_state_word(view.state));
	token_wire_add_number(&frame, "serial", (long)view.serial);
	connection_send_event(
	    asker->connection, &frame, token_wire_end(&frame));
	secret_done(&frame);
}

void
request_subscribe(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};

	if (token_wire_get(message, "account") &&
	    asker_find_named(
		asker, message, access_may_use, &account, &error) != MT_OK) {
		asker_reply_failure(asker, NULL, &error);
		return;
	}
	asker->subscribed = true;
	snprintf(asker->subscribed_to, sizeof(asker->subscribed_to), "%s",
	    account ? account_settings_of(account)->name : "");
	asker_reply_ok(asker);
	for (size_t i = 0;
	     (account = accounts_at(asker->requests->accounts, i)); i++)
		asker_send_event(asker, account);
}
