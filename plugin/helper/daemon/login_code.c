/* SPDX-License-Identifier: ISC */
/* The login by authorization code. */
#include "login_impl.h"

#include "clock.h"
#include "crypto.h"
#include "form.h"
#include "oauth_identity.h"
#include "refresh.h"
#include "url.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define STATE_BYTES 24
#define VERIFIER_BYTES 32 /* 43 characters, RFC 7636 s4.1 */

/* ---- beginning ---- */

/* Plain http to the loopback interface.  It is used as it comes: the server
 * compares it letter by letter with what is registered. */
static enum mt_status
take_redirect_uri(struct login *login, const char *uri, struct mt_error *err)
{
	struct url url;

	if (!url_parse(uri, &url) || url.tls || !url_is_loopback(&url) ||
	    strchr(url.path, '?'))
		return mt_fail(err, MT_BAD_INPUT,
		    "redirect_uri must be http://127.0.0.1:PORT, with or "
		    "without a path");
	if (strlen(uri) >= LOGIN_REDIRECT_URI_MAX)
		return mt_fail(err, MT_BAD_INPUT, "redirect_uri is too long");
	memcpy(login->redirect_uri, uri, strlen(uri) + 1);
	return MT_OK;
}

/* What the provider wants besides: words NAME=VALUE. */
static void
add_params(struct secret *url, const char *params)
{
	char name[64], value[256];
	int used = 0;

	for (; params && *params; params += used) {
		used = 0;
		if (sscanf(params, " %63[^= ]=%255[^ ]%n", name, value,
			&used) != 2)
			return;
		form_add(url, name, value);
	}
}

static enum mt_status
build_url(const struct login *login, struct secret *url, struct mt_error *err)
{
	const struct account_settings *settings =
	    account_settings_of(login->account);
	const struct provider *provider = &settings->provider;
	const char *endpoint = provider->authorization_endpoint;
	struct secret challenge;
	bool ok;

	secret_init(&challenge, login->verifier.arena);
	secret_reset(url);
	secret_add(url, endpoint, strlen(endpoint));
	if (!strchr(endpoint, '?'))
		secret_add(url, "?", 1);
	form_add(url, "response_type", "code");
	form_add(url, "client_id", settings->client_id);
	form_add(url, "redirect_uri", login->redirect_uri);
	form_add(url, "scope", provider->scope);
	form_add_secret(url, "state", &login->state);
	ok = crypto_sha256_base64url(&login->verifier, &challenge);
	form_add_secret(url, "code_challenge", &challenge);
	form_add(url, "code_challenge_method", "S256");
	form_add(url, "login_hint", oauth_identity_wanted(settings));
	add_params(url, provider->authorization_params);
	secret_done(&challenge);
	if (!ok || !secret_ok(url))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	return MT_OK;
}

static enum mt_status
make_secrets(struct login *login, struct mt_error *err)
{
	if (crypto_random_text(&login->state, STATE_BYTES) &&
	    crypto_random_text(&login->verifier, VERIFIER_BYTES))
		return MT_OK;
	return mt_fail(err, MT_NO_MEMORY, "no memory");
}

enum mt_status
login_begin(struct logins *logins, struct account *account,
    const char *redirect_uri, struct login **ret_login, struct secret *ret_url,
    struct mt_error *err)
{
	const struct account_settings *settings = account_settings_of(account);
	struct login *login;
	enum mt_status status;

	if (!settings->provider.authorization_endpoint)
		return mt_fail(err, MT_BAD_CONFIG,
		    "account %s: 'authorization_endpoint' is not set",
		    settings->name);
	login = login_new(logins, account, LOGIN_CODE);
	if (!login)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = make_secrets(login, err);
	if (status == MT_OK)
		status = take_redirect_uri(login, redirect_uri, err);
	if (status == MT_OK)
		status = build_url(login, ret_url, err);
	if (status != MT_OK) {
		login_free(login);
		return status;
	}
	*ret_login = login;
	return MT_OK;
}

/* ---- the redirect ---- */

/* The query of an address, of a path with one, or NULL. */
static const char *
query_of(const char *redirect, size_t *ret_len)
{
	const char *query = strchr(redirect, '?');

	if (!query)
		return NULL;
	*ret_len = strcspn(++query, "#");
	return query;
}

static enum mt_status
check_state(const struct login *login, const char *query, size_t len,
    struct mt_error *err)
{
	struct secret state;
	bool same;

	secret_init(&state, login->state.arena);
	same = form_get(query, len, "state", &state) == FORM_FOUND &&
	       secret_equal(&state, &login->state);
	secret_done(&state);
	if (same)
		return MT_OK;
	return mt_fail(err, MT_BAD_INPUT,
	    "this address does not belong to this login: its `state` is "
	    "another; use the address of the login that was begun last");
}

/* Without an issuer in the settings, the server that the browser was sent to
 * is the one that may answer. */
static bool
is_right_issuer(const struct account_settings *settings, enum form_found found,
    const char *issuer)
{
	const struct provider *provider = &settings->provider;

	if (found == FORM_MISSING && settings->iss_unannounced)
		return true;
	if (provider->issuer)
		return found == FORM_FOUND &&
		       strcmp(issuer, provider->issuer) == 0;
	return found == FORM_MISSING ||
	       (found == FORM_FOUND && oauth_identity_same_server(issuer,
					   provider->authorization_endpoint));
}

/* RFC 9207: an answer of another server must not reach ours. */
static enum mt_status
check_issuer(const struct login *login, const char *query, size_t len,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;
	struct secret issuer;
	enum form_found found;

	secret_init(&issuer, login->state.arena);
	found = form_get(query, len, "iss", &issuer);
	if (is_right_issuer(account_settings_of(login->account), found,
		secret_expose(&issuer)))
		status = MT_OK;
	else if (found == FORM_FOUND)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "the answer comes from %.128s, not from this account's "
		    "server; if that is its right name, set `issuer` to it",
		    secret_expose(&issuer));
	else
		status = mt_fail(err, MT_BAD_CONFIG,
		    "the answer does not say once which server it comes from "
		    "(`iss`); if the server never does, remove `issuer`");
	secret_done(&issuer);
	return status;
}

/* error=... of RFC 6749 s4.1.2.1, in place of a code. */
static enum mt_status
read_refusal(const char *query, size_t len, struct mt_error *err)
{
	struct secret error, description;

	secret_init(&error, NULL);
	secret_init(&description, NULL);
	if (form_get(query, len, "error", &error) != FORM_FOUND)
		mt_fail(err, MT_BAD_INPUT,
		    "the address holds neither one code nor one error");
	else if (form_get(query, len, "error_description", &description) ==
		 FORM_FOUND)
		mt_fail(err, MT_NEEDS_LOGIN,
		    "the server refused the login: %.64s: %.300s",
		    secret_expose(&error), secret_expose(&description));
	else
		mt_fail(err, MT_NEEDS_LOGIN,
		    "the server refused the login: %.64s",
		    secret_expose(&error));
	secret_done(&error);
	secret_done(&description);
	return err->status;
}

/* Finds the code.  *ret_over tells whether the login has ended by this. */
static enum mt_status
read_redirect(const struct login *login, const char *redirect,
    struct secret *ret_code, bool *ret_over, struct mt_error *err)
{
	size_t len = 0;
	const char *query = query_of(redirect, &len);
	enum mt_status status;

	*ret_over = false;
	if (!query)
		return mt_fail(err, MT_BAD_INPUT,
		    "this is not the address that the browser ended at: it "
		    "must hold '?code=...'");
	status = check_state(login, query, len, err);
	if (status != MT_OK)
		return status;
	*ret_over = true;
	status = check_issuer(login, query, len, err);
	if (status != MT_OK)
		return status;
	if (form_get(query, len, "code", ret_code) == FORM_FOUND &&
	    ret_code->len)
		return MT_OK;
	status = read_refusal(query, len, err);
	*ret_over = status != MT_BAD_INPUT;
	return status;
}

/* ---- the exchange ---- */

static enum mt_status
read_answer(struct login *login, struct http_reply *reply, struct mt_error *err)
{
	struct oauth_tokens tokens;
	struct failure failure;
	struct mt_error why = {0};
	enum mt_status status;

	oauth_tokens_init(&tokens, login->logins->env->arena);
	status = oauth_reply_read(reply, &tokens, &failure, &why);
	if (status == MT_OK)
		status = login_use_tokens(login, &tokens, err);
	else
		mt_fail(err, status, "%s%s", why.text,
		    reply->sent ? "; begin the login again" : "");
	oauth_tokens_done(&tokens);
	return status;
}

static void
on_exchanged(void *context, struct http_reply *reply)
{
	struct login *login = context;
	struct login_waiter *waiter = login->waiter;
	struct account *account = login->account;
	struct mt_error result = {0};

	if (read_answer(login, reply, &result) != MT_OK) {
		log_warning("login: %s", result.text);
		login_abandon(login);
	}
	login->waiter = NULL;
	login->exchanging = false;
	if (reply->sent || !login->account)
		login_free(login);
	else
		login_drop_emit_file(login);
	login_answer(waiter, account, &result);
}

static enum mt_status
exchange(struct login *login, const struct secret *code, struct mt_error *err)
{
	const struct account_settings *settings =
	    account_settings_of(login->account);
	const struct account_env *env = login->logins->env;
	struct secret form;
	enum mt_status status;

	secret_init(&form, env->arena);
	form_add(&form, "grant_type", "authorization_code");
	form_add_secret(&form, "code", code);
	form_add(&form, "redirect_uri", login->redirect_uri);
	form_add_secret(&form, "code_verifier", &login->verifier);
	refresh_add_client(&form, settings);
	status = oauth_http_post(env->http, settings->provider.token_endpoint,
	    settings->ca_file, &form, on_exchanged, login, err);
	secret_done(&form);
	return status;
}

static enum mt_status
start_exchange(
    struct login *login, const struct secret *code, struct mt_error *err)
{
	enum mt_status status = login_prepare(login, err);

	return status == MT_OK ? exchange(login, code, err) : status;
}

void
login_finish(struct logins *logins, struct login *login, const char *redirect,
    int emit_fd, struct login_waiter *waiter)
{
	struct account *account = login->account;
	struct mt_error result = {0};
	struct secret code;
	bool over = false;
	enum mt_status status;

	secret_init(&code, logins->env->arena);
	login->emit_fd = emit_fd;
	if (login->kind == LOGIN_CODE)
		status = read_redirect(login, redirect, &code, &over, &result);
	else
		status = mt_fail(&result, MT_BAD_INPUT,
		    "this login goes by device code, not by an address");
	if (status == MT_OK) {
		over = false; /* until the code is spent */
		status = start_exchange(login, &code, &result);
	}
	secret_done(&code);
	if (status == MT_OK) {
		login->exchanging = true;
		login->waiter = waiter;
		waiter->login = login;
		return;
	}
	if (over)
		login_free(login);
	else
		login_drop_emit_file(login);
	login_answer(waiter, account, &result);
}
