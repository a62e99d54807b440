/* SPDX-License-Identifier: ISC */
#include "oauth_exchange.h"

#include <stdlib.h>
#include <string.h>

#define MIN_TTL_S 60  /* a token that ends sooner is not worth sending */
#define NAME_SHOWN 64 /* bytes of a name in an error, to leave room for why */

static enum mt_status
copy_name(char *to, size_t size, const char *name, const char *what,
    struct mt_error *err)
{
	size_t len = strlen(name);

	if (len >= size)
		return mt_fail(err, MT_BAD_INPUT,
		    "the %s is longer than %zu bytes", what, size - 1);
	memcpy(to, name, len + 1);
	return MT_OK;
}

enum mt_status
oauth_exchange_init(struct oauth_exchange *exchange,
    enum oauth_mechanism mechanism, const struct oauth_server *server,
    const struct token_paths *paths, uid_t trusted_uid, struct mt_error *err)
{
	enum mt_status status;

	*exchange = (struct oauth_exchange){
	    .mechanism = mechanism,
	    .port = server->port,
	    .find_ms = OAUTH_FIND_MS,
	    .token_ms = OAUTH_TOKEN_MS,
	    .paths = *paths,
	};
	token_client_init(&exchange->client, trusted_uid);
	secret_init(&exchange->answer.token, NULL);
	secret_init(&exchange->response, NULL);
	status = copy_name(exchange->service, sizeof(exchange->service),
	    server->service, "service's name", err);
	if (status == MT_OK)
		status = copy_name(exchange->host, sizeof(exchange->host),
		    server->host, "server's name", err);
	return status;
}

void
oauth_exchange_done(struct oauth_exchange *exchange)
{
	token_client_done(&exchange->client);
	secret_done(&exchange->answer.token);
	secret_done(&exchange->response);
}

static struct token_query
query_for(
    const struct oauth_exchange *exchange, const struct oauth_login *login)
{
	return (struct token_query){
	    .account = login->account,
	    .service = exchange->service,
	    .host = exchange->host,
	    .user = login->user,
	    .authzid = login->authzid,
	};
}

/* "imap at mail.example as joe", as far as it is known.  An account by name is
 * not shown: it is from a password, and maybe a password and no name. */
static void
describe(const struct oauth_exchange *exchange, const struct oauth_login *login,
    struct mt_error *ret_words)
{
	const char *user = login->user;

	mt_fail(ret_words, MT_OK, "%s at %.*s%s%.*s%s", exchange->service,
	    NAME_SHOWN, exchange->host, user ? " as " : "", NAME_SHOWN,
	    user ? user : "",
	    login->account ? " and the name in the password" : "");
}

/*
 * Passes on why the helper gave nothing, and for what.  Where it knows no
 * account the mail program's user needs to know, too, that nobody refused his
 * password.
 */
static enum mt_status
fail_for(struct oauth_exchange *exchange, const struct oauth_login *login,
    const struct mt_error *why, struct mt_error *err)
{
	bool none = why->status == MT_NO_ACCOUNT;
	bool named =
	    exchange->answer.account[0]; /* by the helper's text, too */
	bool several =
	    why->status == MT_BAD_CONFIG && exchange->client.fd >= 0 && !named;
	struct mt_error what;

	exchange->undecided = none || several;
	if (named && why->status != MT_UNREACHABLE)
		return mt_fail(err, why->status, "%s", why->text);
	describe(exchange, login, &what);
	if (none)
		return mt_fail(err, MT_NO_ACCOUNT,
		    "no account for %s: %s; to use a password, exclude XOAUTH2 "
		    "and OAUTHBEARER in the mail program, see libmailtoken(7)",
		    what.text, why->text);
	return mt_fail(
	    err, why->status, "no token for %s: %s", what.text, why->text);
}

static enum mt_status
find_any(struct oauth_exchange *exchange, const struct token_query *query,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status = token_client_find(
	    &exchange->client, &exchange->paths, query, deadline, err);

	/* several accounts fit, as long as nobody knows who logs in */
	if (status == MT_BAD_CONFIG && exchange->client.fd >= 0 &&
	    !query->user && !query->account)
		return MT_OK;
	return status;
}

static enum mt_status
find_token(struct oauth_exchange *exchange, const struct token_query *query,
    struct deadline deadline, struct mt_error *err)
{
	struct token_answer *answer = &exchange->answer;
	enum mt_status status = token_client_find_token(&exchange->client,
	    &exchange->paths, query, MIN_TTL_S, answer, deadline, err);

	/* it is worth a wait to get a better one */
	if (status == MT_OK && answer->expires_in_s < MIN_TTL_S)
		secret_done(&answer->token);
	return status == MT_RETRY_LATER ? MT_OK : status;
}

enum mt_status
oauth_exchange_find(struct oauth_exchange *exchange,
    const struct oauth_login *login, bool bring_token, struct mt_error *err)
{
	struct token_query query = query_for(exchange, login);
	struct deadline deadline = deadline_in_ms(exchange->find_ms);
	struct mt_error why = {0};
	enum mt_status status;

	exchange->undecided = false;
	exchange->answer.account[0] = '\0';
	status = bring_token ? find_token(exchange, &query, deadline, &why)
			     : find_any(exchange, &query, deadline, &why);
	exchange->find_ms = deadline_left_ms(deadline);
	return status == MT_OK ? MT_OK : fail_for(exchange, login, &why, err);
}

/*
 * On the connection that found the account, if there is one.  If that has
 * ended since (a person may have typed for minutes), or its helper has no
 * account for this login, all helpers are asked again.
 */
static enum mt_status
wait_for_token(struct oauth_exchange *exchange, const struct token_query *query,
    struct deadline deadline, struct mt_error *err)
{
	struct token_answer *answer = &exchange->answer;
	enum mt_status status = token_client_get(
	    &exchange->client, query, MIN_TTL_S, answer, deadline, err);

	if ((status != MT_UNREACHABLE && status != MT_NO_ACCOUNT) ||
	    deadline_passed(deadline))
		return status;
	status = token_client_find(
	    &exchange->client, &exchange->paths, query, deadline, err);
	if (status != MT_OK)
		return status;
	return token_client_get(
	    &exchange->client, query, MIN_TTL_S, answer, deadline, err);
}

enum mt_status
oauth_exchange_fetch(struct oauth_exchange *exchange,
    const struct oauth_login *login, struct mt_error *err)
{
	struct token_query query = query_for(exchange, login);
	struct deadline deadline = deadline_in_ms(exchange->token_ms);
	struct mt_error why = {0};
	enum mt_status status;

	exchange->undecided = false;
	if (exchange->answer.token.len)
		return MT_OK;
	status = wait_for_token(exchange, &query, deadline, &why);
	exchange->token_ms = deadline_left_ms(deadline);
	if (status == MT_OK)
		return MT_OK;
	return fail_for(exchange, login, &why, err);
}

enum mt_status
oauth_exchange_take_token(struct oauth_exchange *exchange,
    const struct oauth_login *login, struct secret *token, struct mt_error *err)
{
	struct token_answer *answer = &exchange->answer;
	const char *name = login->authzid ? login->authzid : login->user;

	token_client_done(&exchange->client);
	answer->account[0] = '\0';
	secret_move(&answer->token, token);
	return copy_name(
	    answer->user, sizeof(answer->user), name, "user name", err);
}

static enum mt_status
build_response(struct oauth_exchange *exchange, struct mt_error *err)
{
	struct oauth_response response = {
	    .user = exchange->answer.user,
	    .host = exchange->host,
	    .port = exchange->port,
	    .token = &exchange->answer.token,
	};
	const char *account = exchange->answer.account;
	struct mt_error why = {0};
	enum mt_status status = oauth_message_encode(
	    exchange->mechanism, &response, &exchange->response, &why);

	if (status == MT_OK)
		return MT_OK;
	return mt_fail(err, status, "%s%.*s: %s",
	    account[0] ? "account " : "login ", NAME_SHOWN,
	    account[0] ? account : response.user, why.text);
}

/* IMAP and ManageSieve put no limit on the command's line. */
static bool
limits_auth_line(const char *service)
{
	static const char *const limited[] = {"smtp", "lmtp", "pop"};

	for (size_t i = 0; i < sizeof(limited) / sizeof(*limited); i++)
		if (strcmp(service, limited[i]) == 0)
			return true;
	return false;
}

static void
send_response(struct oauth_exchange *exchange, struct oauth_output *ret_output)
{
	exchange->state = OAUTH_SENT;
	*ret_output = (struct oauth_output){
	    .data = secret_expose(&exchange->response),
	    .len = exchange->response.len,
	};
}

enum mt_status
oauth_exchange_begin(struct oauth_exchange *exchange, bool client_first,
    struct oauth_output *ret_output, struct mt_error *err)
{
	enum mt_status status = build_response(exchange, err);

	if (status != MT_OK) {
		secret_done(&exchange->answer.token);
		return status;
	}
	if (client_first && limits_auth_line(exchange->service) &&
	    !oauth_message_fits_auth_line(
		exchange->mechanism, exchange->response.len)) {
		exchange->state = OAUTH_HELD;
		*ret_output = (struct oauth_output){0};
	} else {
		send_response(exchange, ret_output);
	}
	return MT_OK;
}

/* The server has seen the token: nobody here needs it any more. */
static void
forget_token(struct oauth_exchange *exchange)
{
	secret_done(&exchange->response);
	secret_done(&exchange->answer.token);
}

static void
report_refusal(struct oauth_exchange *exchange)
{
	exchange->reported =
	    exchange->answer.account[0] &&
	    token_client_reject(&exchange->client, exchange->answer.account,
		exchange->answer.serial, deadline_in_ms(OAUTH_REPORT_MS),
		NULL) == MT_OK;
}

static void
read_verdict(struct oauth_exchange *exchange, const char *challenge, size_t len,
    struct oauth_output *ret_output)
{
	bool refused = oauth_message_read_refusal(
	    challenge, len, &exchange->answer.token, &exchange->refusal);
	const char *text = "";

	forget_token(exchange);
	if (refused) {
		report_refusal(exchange);
		text = oauth_message_acknowledgement(exchange->mechanism);
	}
	token_client_done(&exchange->client);
	exchange->state = refused ? OAUTH_REFUSED : OAUTH_DONE;
	*ret_output = (struct oauth_output){text, strlen(text)};
}

static enum mt_status
fail_refused(const struct oauth_exchange *exchange, struct mt_error *err)
{
	const struct oauth_refusal *why = &exchange->refusal;
	const struct token_answer *answer = &exchange->answer;
	struct mt_error reason;

	mt_fail(&reason, MT_REFUSED,
	    "%.*s refused the access token for %.*s (status %s%s%s)",
	    NAME_SHOWN, exchange->host, NAME_SHOWN, answer->user,
	    why->status[0] ? why->status : "not given",
	    why->scope[0] ? ", scope " : "", why->scope);
	if (!answer->account[0])
		return mt_fail(err, MT_REFUSED,
		    "%s; it came from the mail program, as its password",
		    reason.text);
	return mt_fail(err, MT_REFUSED,
	    "account %s: %s; %s; if it goes on, check the account's user and "
	    "scope",
	    answer->account, reason.text,
	    exchange->reported ? "the token helper will get a new one"
			       : "the token helper could not be told");
}

enum mt_status
oauth_exchange_answer(struct oauth_exchange *exchange, const char *challenge,
    size_t len, struct oauth_output *ret_output, struct mt_error *err)
{
	switch (exchange->state) {
	case OAUTH_HELD:
		send_response(exchange, ret_output);
		return MT_OK;
	case OAUTH_SENT:
		read_verdict(exchange, challenge, len, ret_output);
		return MT_OK;
	case OAUTH_REFUSED:
		return fail_refused(exchange, err);
	case OAUTH_ASK:
	case OAUTH_DONE:
		break;
	}
	return mt_fail(err, MT_BUG, "an answer outside of an exchange");
}
