/* SPDX-License-Identifier: ISC */
#include "requests.h"

#include "fd_reader.h"
#include "lookup.h"
#include "provider_report.h"
#include "status_report.h"

#include "base/buf.h"
#include "base/log.h"
#include "tokensock/token_wire.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS_DEFAULT 20000
#define WAIT_MS_MAX 60000
#define MIN_TTL_MAX 86400
#define NAMES_MAX 60000 /* bytes of account names in one reply */
#define BY_NAME SERVICE_COUNT

/* One connection, behind server_data(). */
struct asker {
	struct requests *requests;
	struct connection *connection;
	/* what the request under way waits for */
	struct account_waiter token;
	struct login_waiter login;
	struct unlock_waiter unlock;
	struct discovery_waiter discovery;
	struct fd_reader *reader; /* of a seed or passphrase */
	/* of the login that waits for discovery; "": a device */
	char redirect_uri[256];
	char account[CONFIG_ACCOUNT_MAX + 1]; /* that either is for */
	bool proves;                          /* the seed, at once */
	/* what it is about, still true when the answer comes */
	enum mail_service service;      /* or BY_NAME */
	char host[LOOKUP_HOST_MAX + 1]; /* "": none was named */
	enum permit use;                /* that was named, or PERMIT_COUNT */
	char told[CONFIG_USER_MAX + 1]; /* whom the server is to be told */
	bool emits;
	/* events */
	bool subscribed;
	char subscribed_to[CONFIG_ACCOUNT_MAX + 1]; /* "": everything */
};

typedef void (*verb_handler)(
    struct asker *asker, const struct token_wire_message *message);

static struct asker *
asker_of(struct requests *requests, struct connection *connection)
{
	struct asker *asker = server_data(connection);

	asker->requests = requests;
	asker->connection = connection;
	return asker;
}

/* A number that the peer wishes, as far as we go. */
static long
wish(const struct token_wire_message *message, const char *name, long most,
    long otherwise)
{
	long number = token_wire_number(message, name, LONG_MAX, otherwise);

	return number < most ? number : most;
}

/* ---- answering ---- */

static void
begin_reply(const struct asker *asker, struct secret *frame, const char *word)
{
	secret_init(frame, asker->requests->arena);
	token_wire_begin(frame, word);
}

static void
send_reply(struct asker *asker, struct secret *frame)
{
	connection_reply(asker->connection, frame, token_wire_end(frame));
	secret_done(frame);
}

static void
reply_ok(struct asker *asker)
{
	struct secret frame;

	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	send_reply(asker, &frame);
}

/* `account` may be NULL. */
static void
reply_failure(struct asker *asker, const struct account *account,
    const struct mt_error *failure)
{
	struct account_view view = {0};
	struct secret frame;

	if (account)
		account_view(account, &view);
	begin_reply(asker, &frame, token_wire_status_word(failure->status));
	token_wire_add(&frame, "text", failure->text);
	if (account)
		token_wire_add(
		    &frame, "account", account_settings_of(account)->name);
	if (failure->status == MT_RETRY_LATER)
		token_wire_add_number(&frame, "retry_s",
		    view.next_attempt_s ? view.next_attempt_s : 1);
	send_reply(asker, &frame);
}

static void
reply_error(struct asker *asker, enum mt_status status, const char *text)
{
	struct mt_error error;

	mt_fail(&error, status, "%s", text);
	reply_failure(asker, NULL, &error);
}

/* ---- finding the account ---- */

static struct lookup
lookup_of(const struct asker *asker, const char *request)
{
	return (struct lookup){
	    .accounts = asker->requests->accounts,
	    .peer = connection_peer(asker->connection),
	    .request = request,
	    .permit = asker->use == PERMIT_COUNT ? NULL : &asker->use,
	};
}

/* The account that is named, if `may` agrees. */
static enum mt_status
find_named(const struct asker *asker, const struct token_wire_message *message,
    bool (*may)(const struct peer *, const struct account_settings *),
    struct account **ret_account, struct mt_error *err)
{
	struct lookup lookup = lookup_of(asker, message->verb);
	const char *name = token_wire_get(message, "account");

	if (!name)
		return mt_fail(
		    err, MT_BAD_INPUT, "the request lacks 'account'");
	return lookup_named(&lookup, name, may, ret_account, err);
}

/* The account for a login at a mail server. */
static enum mt_status
find_login(struct asker *asker, const struct token_wire_message *message,
    struct account **ret_account, struct mt_error *err)
{
	struct lookup lookup = lookup_of(asker, message->verb);
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
		return find_named(
		    asker, message, access_may_use, ret_account, err);
	return find_login(asker, message, ret_account, err);
}

/* Finds the account for a request of the mailtoken command, or answers. */
static struct account *
managed_account(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};

	if (find_named(asker, message, access_may_manage, &account, &error) ==
	    MT_OK)
		return account;
	reply_failure(asker, NULL, &error);
	return NULL;
}

/* ... where there is a login of a person; or answers. */
static struct account *
account_of_person(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = managed_account(asker, message);
	struct mt_error error;

	if (!account ||
	    !account_settings_app_only(account_settings_of(account)))
		return account;
	mt_fail(&error, MT_BAD_CONFIG,
	    "account %s: nobody logs in to it, the application does so itself "
	    "('grant = client_credentials')",
	    account_settings_of(account)->name);
	reply_failure(asker, NULL, &error);
	return NULL;
}

/* ---- tokens ---- */

static void
handle_exists(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};
	struct secret frame;

	if (find_account(asker, message, &account, &error) != MT_OK) {
		reply_failure(asker, NULL, &error);
		return;
	}
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	send_reply(asker, &frame);
}

static struct asker *
asker_of_token(struct account_waiter *waiter)
{
	return (struct asker *)(void *)((char *)waiter -
					offsetof(struct asker, token));
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

/* What handle_get() found may have changed since. */
static enum mt_status
confirm(const struct asker *asker, const struct account *account,
    struct mt_error *err)
{
	struct lookup lookup = lookup_of(asker, "get");
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
		reply_failure(asker, NULL, &error);
		return;
	}
	if (result->status != MT_OK) {
		reply_failure(asker, account, result);
		return;
	}
	audit(asker, account);
	account_view(account, &view);
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	token_wire_add(&frame, "user", asker->told);
	token_wire_add_number(&frame, "serial", (long)view.serial);
	token_wire_add_number(&frame, "expires_in", view.expires_in_s);
	token_wire_add_secret(&frame, "token", account_token(account));
	send_reply(asker, &frame);
}

static void
handle_get(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};
	enum mt_status status = find_account(asker, message, &account, &error);

	if (status == MT_OK && asker->service == BY_NAME)
		status = lookup_check_permit(
		    account_settings_of(account), PERMIT_GET, &error);
	if (status != MT_OK) {
		reply_failure(asker, NULL, &error);
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

static void
handle_reject(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct account_view view;
	struct mt_error error = {0};

	if (find_account(asker, message, &account, &error) != MT_OK) {
		reply_failure(asker, NULL, &error);
		return;
	}
	account_view(account, &view);
	account_reject(account,
	    token_wire_number(message, "serial", LONG_MAX, (long)view.serial));
	reply_ok(asker);
}

static void
answer_refresh(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_token(waiter);
	struct account_view view;
	struct secret frame;

	if (result->status != MT_OK) {
		reply_failure(asker, account, result);
		return;
	}
	account_view(account, &view);
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add_number(&frame, "serial", (long)view.serial);
	token_wire_add_number(&frame, "expires_in", view.expires_in_s);
	send_reply(asker, &frame);
}

static void
handle_refresh(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = managed_account(asker, message);

	if (!account)
		return;
	asker->token.answer = answer_refresh;
	account_refresh(account, &asker->token,
	    wish(message, "wait_ms", WAIT_MS_MAX, WAIT_MS_DEFAULT));
}

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
		reply_failure(asker, account, result);
		return;
	}
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "revoked", words[waiter->revoked]);
	send_reply(asker, &frame);
}

static void
handle_logout(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = account_of_person(asker, message);

	if (!account)
		return;
	asker->token.answer = answer_logout;
	account_logout(
	    account, &asker->token, token_wire_number(message, "local", 1, 0));
}

/* ---- status and events ---- */

/* The names behind `after`, as many as fit. */
static void
add_names(struct asker *asker, const char *after, struct secret *frame)
{
	const struct peer *peer = connection_peer(asker->connection);
	struct buf names = BUF_INIT(NAMES_MAX + CONFIG_ACCOUNT_MAX + 1);
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

static void
handle_status(struct asker *asker, const struct token_wire_message *message)
{
	const char *format = token_wire_get(message, "format");
	struct account *account = NULL;
	struct secret frame;

	if (token_wire_get(message, "account")) {
		account = managed_account(asker, message);
		if (!account)
			return;
	}
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	if (!account)
		add_names(asker, token_wire_get(message, "after"), &frame);
	else if (format && strcmp(format, "json") == 0)
		status_report_add_json(&frame, account);
	else
		status_report_add(&frame, account);
	send_reply(asker, &frame);
}

static void
send_event(struct asker *asker, const struct account *account)
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
	begin_reply(asker, &frame, "event");
	token_wire_add(&frame, "account", settings->name);
	token_wire_add(&frame, "state", account_state_word(view.state));
	token_wire_add_number(&frame, "serial", (long)view.serial);
	connection_send_event(
	    asker->connection, &frame, token_wire_end(&frame));
	secret_done(&frame);
}

static void
handle_subscribe(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = NULL;
	struct mt_error error = {0};

	if (token_wire_get(message, "account") &&
	    find_named(asker, message, access_may_use, &account, &error) !=
		MT_OK) {
		reply_failure(asker, NULL, &error);
		return;
	}
	asker->subscribed = true;
	snprintf(asker->subscribed_to, sizeof(asker->subscribed_to), "%s",
	    account ? account_settings_of(account)->name : "");
	reply_ok(asker);
	for (size_t i = 0;
	     (account = accounts_at(asker->requests->accounts, i)); i++)
		send_event(asker, account);
}

struct announcement {
	struct requests *requests;
	struct account *account;
};

static void
announce_to(void *context, struct connection *connection)
{
	const struct announcement *news = context;

	send_event(asker_of(news->requests, connection), news->account);
}

void
requests_announce(
    struct requests *requests, struct server *server, struct account *account)
{
	struct announcement news = {requests, account};

	server_each(server, &requests->handler, announce_to, &news);
}

/* ---- logins ---- */

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
		reply_failure(asker, account, result);
		return;
	}
	device = login_device(waiter->begun);
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "id", login_id(waiter->begun));
	token_wire_add(&frame, "user_code", device->user_code);
	token_wire_add(&frame, "verification_uri", device->address);
	if (*device->whole_address)
		token_wire_add(
		    &frame, "verification_uri_complete", device->whole_address);
	token_wire_add_number(&frame, "expires_in", device->expires_in_s);
	send_reply(asker, &frame);
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
		reply_failure(asker, NULL, &error);
	} else {
		begin_reply(asker, &frame, token_wire_status_word(MT_OK));
		token_wire_add(&frame, "id", login_id(login));
		token_wire_add_secret(&frame, "url", &url);
		send_reply(asker, &frame);
	}
	secret_done(&url);
}

static void
on_discovered(struct discovery_waiter *waiter, const struct provider *found,
    const struct mt_error *result)
{
	struct asker *asker =
	    (struct asker *)(void *)((char *)waiter -
				     offsetof(struct asker, discovery));
	struct account *account =
	    accounts_find(asker->requests->accounts, asker->account);
	struct mt_error error = *result;

	if (error.status == MT_OK && !account)
		lookup_no_account(&error);
	if (error.status == MT_OK && !account_has_endpoints(account))
		error.status = account_take_endpoints(account, found, &error);
	if (error.status == MT_OK)
		begin_login(asker, account);
	else
		reply_failure(asker, NULL, &error);
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

static void
handle_login_begin(
    struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = account_of_person(asker, message);
	const char *redirect_uri = token_wire_get(message, "redirect_uri");
	bool device = token_wire_number(message, "device", 1, 0);

	if (!account)
		return;
	if (device)
		redirect_uri = "";
	if (!redirect_uri || !*redirect_uri == !device ||
	    strlen(redirect_uri) >= sizeof(asker->redirect_uri)) {
		reply_error(asker, MT_BAD_INPUT,
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

	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "account", account_settings_of(account)->name);
	token_wire_add(&frame, "user", account_settings_of(account)->user);
	if (*identity)
		token_wire_add(&frame, "identity", identity);
	send_reply(asker, &frame);
}

static void
answer_login(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct asker *asker = asker_of_login(waiter);

	if (result->status != MT_OK || !account) {
		reply_failure(asker, account, result);
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
		reply_error(asker, MT_NEEDS_LOGIN,
		    "there is no such login under way; it was ended by "
		    "another, is too old, or was finished");
		return NULL;
	}
	if (asker->emits &&
	    (*ret_fd = connection_take_fd(asker->connection)) < 0) {
		reply_error(asker, MT_BAD_INPUT,
		    "emit=1 needs one descriptor beside the request");
		return NULL;
	}
	asker->login.answer = answer_login;
	return login;
}

static void
handle_login_wait(struct asker *asker, const struct token_wire_message *message)
{
	int fd;
	struct login *login = ending_login(asker, message, &fd);

	if (login)
		login_wait(login, fd, &asker->login);
}

static void
handle_login_finish(
    struct asker *asker, const struct token_wire_message *message)
{
	const char *redirect = token_wire_get(message, "redirect");
	int fd;
	struct login *login = ending_login(asker, message, &fd);

	if (login)
		login_finish(asker->requests->logins, login,
		    redirect ? redirect : "", fd, &asker->login);
}

static void
handle_login_cancel(
    struct asker *asker, const struct token_wire_message *message)
{
	struct login *login = named_login(asker, message);

	if (login)
		login_cancel(&login);
	reply_ok(asker);
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
		account_refresh(account, waiter, WAIT_MS_MAX);
		return;
	}
	if (status == MT_RETRY_LATER && result->status != MT_OK)
		verdict = *result;
	if (status == MT_OK)
		reply_login(asker, account, "");
	else
		reply_failure(asker, account, &verdict);
}

static void
prove_seed(struct asker *asker, struct account *account)
{
	asker->token.answer = answer_proof;
	account_refresh(account, &asker->token, WAIT_MS_MAX);
}

static void
on_seed(void *context, struct secret *token, const struct mt_error *result)
{
	struct asker *asker = context;
	struct account *account =
	    accounts_find(asker->requests->accounts, asker->account);
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
		reply_ok(asker);
	else
		reply_failure(asker, account, &error);
}

static void
handle_seed(struct asker *asker, const struct token_wire_message *message)
{
	struct account *account = account_of_person(asker, message);
	struct mt_error error = {0};
	int fd;

	if (!account)
		return;
	fd = connection_take_fd(asker->connection);
	if (fd < 0) {
		reply_error(asker, MT_BAD_INPUT,
		    "the request needs one descriptor beside it");
		return;
	}
	snprintf(asker->account, sizeof(asker->account), "%s",
	    account_settings_of(account)->name);
	asker->proves = token_wire_number(message, "prove", 1, 0);
	if (fd_reader_start(asker->requests->loop, asker->requests->arena, fd,
		FD_READER_TOKEN, on_seed, asker, &asker->reader,
		&error) != MT_OK)
		reply_failure(asker, NULL, &error);
}

/* ---- passphrases ---- */

static void
reply_later(struct asker *asker, const struct mt_error *why, long retry_s)
{
	struct secret frame;

	begin_reply(asker, &frame, token_wire_status_word(why->status));
	token_wire_add(&frame, "text", why->text);
	if (why->status == MT_RETRY_LATER)
		token_wire_add_number(&frame, "retry_s", retry_s);
	send_reply(asker, &frame);
}

static void
answer_unlock(struct unlock_waiter *waiter, const struct mt_error *result)
{
	struct asker *asker =
	    (struct asker *)(void *)((char *)waiter -
				     offsetof(struct asker, unlock));

	if (result->status == MT_OK)
		reply_ok(asker);
	else
		reply_failure(asker, NULL, result);
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

	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "needs",
	    words[store_key_need(asker->requests->unlock->key)]);
	send_reply(asker, &frame);
}

static void
handle_unlock(struct asker *asker, const struct token_wire_message *message)
{
	struct mt_error error = {0};
	int fd;

	(void)message;
	if (!access_may_administer(connection_peer(asker->connection))) {
		lookup_no_account(&error);
		reply_failure(asker, NULL, &error);
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
		reply_failure(asker, NULL, &error);
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
static void
handle_providers(struct asker *asker, const struct token_wire_message *message)
{
	const char *name = token_wire_get(message, "provider");
	const char *format = token_wire_get(message, "format");
	struct mt_error error = {0};
	struct secret frame;

	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	if (name ? add_provider(asker, name,
		       format && strcmp(format, "json") == 0, &frame, &error)
		 : add_providers(asker, &frame, &error)) {
		secret_done(&frame);
		reply_failure(asker, NULL, &error);
		return;
	}
	send_reply(asker, &frame);
}

/* ---- the settings ---- */

/* Who may not is told what everybody is told of what is not theirs. */
static void
handle_reload(struct asker *asker, const struct token_wire_message *message)
{
	struct requests *requests = asker->requests;
	const struct peer *peer = connection_peer(asker->connection);
	struct mt_error error = {0};
	struct secret frame;
	size_t accounts = 0;

	(void)message;
	if (!access_may_administer(peer))
		lookup_no_account(&error);
	else
		error.status = requests->reload(
		    requests->reload_context, &accounts, &error);
	if (error.status != MT_OK) {
		reply_failure(asker, NULL, &error);
		return;
	}
	begin_reply(asker, &frame, token_wire_status_word(MT_OK));
	token_wire_add_number(&frame, "accounts", (long)accounts);
	send_reply(asker, &frame);
}

/* ---- the table ---- */

static const struct {
	const char *verb;
	verb_handler handle;
} verbs[] = {
    {"exists", handle_exists},
    {"get", handle_get},
    {"reject", handle_reject},
    {"subscribe", handle_subscribe},
    {"status", handle_status},
    {"refresh", handle_refresh},
    {"login-begin", handle_login_begin},
    {"login-finish", handle_login_finish},
    {"login-wait", handle_login_wait},
    {"login-cancel", handle_login_cancel},
    {"seed", handle_seed},
    {"logout", handle_logout},
    {"providers", handle_providers},
    {"unlock", handle_unlock},
    {"reload", handle_reload},
};

static void
refuse_frame(struct asker *asker)
{
	struct secret frame;

	begin_reply(asker, &frame, token_wire_status_word(MT_BAD_INPUT));
	token_wire_add(&frame, "text",
	    "the request is not a frame of version 1 of the protocol");
	connection_reply_last(
	    asker->connection, &frame, token_wire_end(&frame));
	secret_done(&frame);
}

static void
on_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	struct asker *asker = asker_of(context, connection);
	struct token_wire_message message;

	if (!token_wire_parse(frame, len, &message)) {
		refuse_frame(asker);
		return;
	}
	asker->service = BY_NAME;
	asker->host[0] = '\0';
	asker->use = PERMIT_COUNT;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].verb, message.verb) == 0) {
			verbs[i].handle(asker, &message);
			return;
		}
	}
	reply_error(asker, MT_BAD_INPUT, "there is no such request");
}

/* A frame is a line. */
static size_t
cut_line(
    const struct secret *begun, const char *data, size_t len, bool *ret_whole)
{
	const char *end = memchr(data, '\n', len);

	(void)begun;
	*ret_whole = end;
	return end ? (size_t)(end + 1 - data) : len;
}

/* Who leaves stops waiting; what was begun goes on. */
static void
on_closed(void *context, struct connection *connection)
{
	struct asker *asker = asker_of(context, connection);

	account_leave(&asker->token);
	login_leave(&asker->login);
	unlock_leave(&asker->unlock);
	fd_reader_cancel(&asker->reader);
	discovery_leave(&asker->discovery);
}

void
requests_init(struct requests *requests, uv_loop_t *loop,
    struct secret_arena *arena, struct accounts *accounts,
    struct logins *logins, struct discovery *discovery,
    const struct provider_dirs *providers)
{
	*requests = (struct requests){
	    .loop = loop,
	    .arena = arena,
	    .accounts = accounts,
	    .logins = logins,
	    .discovery = discovery,
	    .providers = providers,
	    .handler =
		{
		    .cut = cut_line,
		    .request = on_request,
		    .closed = on_closed,
		    .context = requests,
		    .data_size = sizeof(struct asker),
		},
	};
}
