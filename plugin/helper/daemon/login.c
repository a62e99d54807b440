/* SPDX-License-Identifier: ISC */
#include "login.h"

#include "clock.h"
#include "crypto.h"
#include "form.h"
#include "refresh.h"
#include "url.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDIRECT_URI_MAX 256
#define ID_BYTES 16
#define STATE_BYTES 24
#define VERIFIER_BYTES 32 /* 43 characters, RFC 7636 s4.1 */

struct login {
	LIST_ENTRY(login) link;
	struct logins *logins;
	struct account *account; /* NULL: the settings changed meanwhile */
	int64_t ends_ms;         /* boot clock */
	struct secret id;
	struct secret state;
	struct secret verifier;
	char redirect_uri[REDIRECT_URI_MAX];
	bool exchanging;
	int emit_fd;
	struct login_waiter *waiter;
};

struct logins {
	const struct account_env *env;
	LIST_HEAD(, login) list;
};

enum mt_status
logins_new(const struct account_env *env, struct logins **ret_logins,
    struct mt_error *err)
{
	struct logins *logins = calloc(1, sizeof(*logins));

	if (!logins)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	logins->env = env;
	LIST_INIT(&logins->list);
	*ret_logins = logins;
	return MT_OK;
}

static void
login_free(struct login *login)
{
	LIST_REMOVE(login, link);
	secret_done(&login->id);
	secret_done(&login->state);
	secret_done(&login->verifier);
	if (login->emit_fd >= 0)
		close(login->emit_fd);
	if (login->waiter)
		login->waiter->login = NULL;
	free(login);
}

void
logins_free(struct logins **logins)
{
	if (!*logins)
		return;
	while (!LIST_EMPTY(&(*logins)->list))
		login_free(LIST_FIRST(&(*logins)->list));
	free(*logins);
	*logins = NULL;
}

bool
logins_in_flight(const struct logins *logins)
{
	const struct login *login;

	LIST_FOREACH(login, &logins->list, link)
	if (login->exchanging)
		return true;
	return false;
}

/* An exchange goes on to its end, but for nobody. */
static void
forget(struct login *login)
{
	if (login->exchanging)
		login->account = NULL;
	else
		login_free(login);
}

void
logins_forget_all(struct logins *logins)
{
	struct login *login, *next;

	for (login = LIST_FIRST(&logins->list); login; login = next) {
		next = LIST_NEXT(login, link);
		forget(login);
	}
}

static void
forget_old(struct logins *logins, const struct account *account)
{
	int64_t now = clock_boot_ms();
	struct login *login, *next;

	for (login = LIST_FIRST(&logins->list); login; login = next) {
		next = LIST_NEXT(login, link);
		if (login->exchanging)
			continue;
		if (login->account == account || login->ends_ms <= now)
			login_free(login);
	}
}

struct login *
login_find(struct logins *logins, const char *id)
{
	int64_t now = clock_boot_ms();
	struct login *login;

	LIST_FOREACH(login, &logins->list, link)
	if (login->account && !login->exchanging && login->ends_ms > now &&
	    strcmp(secret_expose(&login->id), id) == 0)
		return login;
	return NULL;
}

const char *
login_id(const struct login *login)
{
	return secret_expose(&login->id);
}

struct account *
login_account(const struct login *login)
{
	return login->account;
}

void
login_cancel(struct login **login)
{
	forget(*login);
	*login = NULL;
}

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
	if (strlen(uri) >= REDIRECT_URI_MAX)
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
	form_add(url, "login_hint", settings->user);
	add_params(url, provider->authorization_params);
	secret_done(&challenge);
	if (!ok || !secret_ok(url))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	return MT_OK;
}

static struct login *
login_new(struct logins *logins, struct account *account)
{
	struct login *login = calloc(1, sizeof(*login));

	if (!login)
		return NULL;
	login->logins = logins;
	login->account = account;
	login->ends_ms = clock_boot_ms() + LOGIN_LIFETIME_MS;
	login->emit_fd = -1;
	secret_init(&login->id, logins->env->arena);
	secret_init(&login->state, logins->env->arena);
	secret_init(&login->verifier, logins->env->arena);
	LIST_INSERT_HEAD(&logins->list, login, link);
	if (crypto_random_text(&login->id, ID_BYTES) &&
	    crypto_random_text(&login->state, STATE_BYTES) &&
	    crypto_random_text(&login->verifier, VERIFIER_BYTES))
		return login;
	login_free(login);
	return NULL;
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
	forget_old(logins, account);
	login = login_new(logins, account);
	if (!login)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
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
is_same_server(const char *issuer, const char *endpoint)
{
	struct url a, b;

	return url_parse(issuer, &a) && url_parse(endpoint, &b) &&
	       a.tls == b.tls && a.port == b.port &&
	       strcasecmp(a.host, b.host) == 0;
}

static bool
is_right_issuer(
    const struct provider *provider, enum form_found found, const char *issuer)
{
	if (provider->issuer)
		return found == FORM_FOUND &&
		       strcmp(issuer, provider->issuer) == 0;
	return found == FORM_MISSING ||
	       (found == FORM_FOUND &&
		   is_same_server(issuer, provider->authorization_endpoint));
}

/* RFC 9207: an answer of another server must not reach ours. */
static enum mt_status
check_issuer(const struct login *login, const char *query, size_t len,
    struct mt_error *err)
{
	const struct provider *provider =
	    &account_settings_of(login->account)->provider;
	enum mt_status status = MT_OK;
	struct secret issuer;
	enum form_found found;

	secret_init(&issuer, login->state.arena);
	found = form_get(query, len, "iss", &issuer);
	if (is_right_issuer(provider, found, secret_expose(&issuer)))
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

static void
answer(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	if (!waiter)
		return;
	waiter->login = NULL;
	waiter->answer(waiter, account, result);
}

static enum mt_status
check_emit_file(int fd, struct mt_error *err)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return mt_fail(err, MT_BAD_INPUT,
		    "the refresh token is written to a regular file only");
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return mt_fail(err, MT_BAD_INPUT,
		    "the file for the refresh token must be closed to group "
		    "and others (mode 0600)");
	return MT_OK;
}

static enum mt_status
emit_token(int fd, const struct secret *token, struct mt_error *err)
{
	if (fs_write_all(fd, secret_expose(token), token->len) ||
	    fs_write_all(fd, "\n", 1) || fsync(fd))
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot write the refresh token; log in again");
	return MT_OK;
}

static enum mt_status
check_tokens(const struct account_settings *settings,
    const struct oauth_tokens *tokens, struct mt_error *err)
{
	char missing[256];

	if (!tokens->refresh_token.len)
		return mt_fail(err, MT_BAD_CONFIG,
		    "account %s: the server gave no refresh token; `scope` may "
		    "lack offline_access",
		    settings->name);
	if (*tokens->scope && settings->provider.scope &&
	    !oauth_scope_covers(tokens->scope, settings->provider.scope,
		missing, sizeof(missing)))
		return mt_fail(err, MT_NEEDS_LOGIN,
		    "account %s: the login does not cover %s; log in again and "
		    "allow all that is asked for",
		    settings->name, missing);
	return MT_OK;
}

static enum mt_status
use_tokens(
    struct login *login, struct oauth_tokens *tokens, struct mt_error *err)
{
	enum mt_status status =
	    check_tokens(account_settings_of(login->account), tokens, err);

	if (status != MT_OK)
		return status;
	if (login->emit_fd >= 0)
		return emit_token(login->emit_fd, &tokens->refresh_token, err);
	return account_take_login(login->account, tokens, err);
}

static enum mt_status
read_answer(struct login *login, struct http_reply *reply, struct mt_error *err)
{
	struct oauth_tokens tokens;
	struct failure failure;
	struct mt_error why = {0};
	enum mt_status status;

	if (!login->account)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the account's settings changed during the login");
	oauth_tokens_init(&tokens, login->logins->env->arena);
	status = oauth_reply_read(reply, &tokens, &failure, &why);
	if (status == MT_OK)
		status = use_tokens(login, &tokens, err);
	else
		mt_fail(err, status, "%s%s", why.text,
		    reply->sent ? "; begin the login again" : "");
	oauth_tokens_done(&tokens);
	return status;
}

static void
drop_emit_file(struct login *login)
{
	if (login->emit_fd >= 0)
		close(login->emit_fd);
	login->emit_fd = -1;
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
		if (account && login->emit_fd < 0)
			account_abandon_login(account);
	}
	login->waiter = NULL;
	login->exchanging = false;
	if (reply->sent || !login->account)
		login_free(login);
	else
		drop_emit_file(login);
	answer(waiter, account, &result);
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

/* Everything that can go wrong before the code is spent. */
static enum mt_status
prepare(struct login *login, struct mt_error *err)
{
	if (login->logins->env->stopping)
		return mt_fail(
		    err, MT_RETRY_LATER, "the token helper is stopping");
	if (login->emit_fd >= 0)
		return check_emit_file(login->emit_fd, err);
	return account_prepare_login(login->account, err);
}

static enum mt_status
start_exchange(
    struct login *login, const struct secret *code, struct mt_error *err)
{
	enum mt_status status = prepare(login, err);

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
	status = read_redirect(login, redirect, &code, &over, &result);
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
		drop_emit_file(login);
	answer(waiter, account, &result);
}

void
login_leave(struct login_waiter *waiter)
{
	if (waiter->login)
		waiter->login->waiter = NULL;
	waiter->login = NULL;
}
