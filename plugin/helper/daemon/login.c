/* SPDX-License-Identifier: ISC */
/* What all logins have in common: who they are, and how they end. */
#include "login_impl.h"

#include "clock.h"
#include "crypto.h"
#include "oauth_identity.h"

#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_BYTES 16

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
free_timer(uv_handle_t *timer)
{
	free(timer);
}

void
login_free(struct login *login)
{
	LIST_REMOVE(login, link);
	if (login->timer)
		uv_close((uv_handle_t *)login->timer, free_timer);
	oauth_device_done(&login->device);
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

/* A request goes on to its end, but for nobody; its waiter is answered then. */
static void
forget(struct login *login, const char *why)
{
	struct login_waiter *waiter = login->waiter;
	struct account *account = login->account;
	struct mt_error result;

	if (login->exchanging) {
		login->account = NULL;
		login->ended = why;
		return;
	}
	login_free(login);
	mt_fail(&result, MT_NEEDS_LOGIN, "%s", why);
	login_answer(waiter, account, &result);
}

void
logins_forget_all(struct logins *logins)
{
	struct login *login, *next;

	for (login = LIST_FIRST(&logins->list); login; login = next) {
		next = LIST_NEXT(login, link);
		forget(
		    login, "the account's settings changed during the login");
	}
}

static void
forget_old(struct logins *logins, const struct account *account)
{
	int64_t now = clock_boot_ms();
	struct login *login, *next;

	for (login = LIST_FIRST(&logins->list); login; login = next) {
		next = LIST_NEXT(login, link);
		if (login->exchanging && login->kind == LOGIN_CODE)
			continue;
		if (login->account == account || login->ends_ms <= now)
			forget(login, "the login was ended by another");
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
	forget(*login, "the login was cancelled");
	*login = NULL;
}

struct login *
login_new(struct logins *logins, struct account *account, enum login_kind kind)
{
	struct login *login;

	forget_old(logins, account);
	login = calloc(1, sizeof(*login));
	if (!login)
		return NULL;
	login->logins = logins;
	login->kind = kind;
	login->account = account;
	login->ends_ms = clock_boot_ms() + LOGIN_LIFETIME_MS;
	login->emit_fd = -1;
	secret_init(&login->id, logins->env->arena);
	secret_init(&login->state, logins->env->arena);
	secret_init(&login->verifier, logins->env->arena);
	oauth_device_init(&login->device, logins->env->arena);
	LIST_INSERT_HEAD(&logins->list, login, link);
	if (crypto_random_text(&login->id, ID_BYTES))
		return login;
	login_free(login);
	return NULL;
}

/* ---- the end ---- */

void
login_answer(struct login_waiter *waiter, struct account *account,
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

/* Where the server does not say who it was, nobody can tell. */
static enum mt_status
judge_identity(const struct login *login, const struct oauth_tokens *tokens,
    char ret_name[OAUTH_IDENTITY_NAME_SIZE], struct mt_error *err)
{
	const struct account_settings *settings =
	    account_settings_of(login->account);
	struct mt_error why = {0};
	enum mt_status status =
	    oauth_identity_judge(settings, &tokens->id_token, ret_name, &why);

	if (status != MT_OK)
		return mt_fail(
		    err, status, "account %s: %s", settings->name, why.text);
	if (login->waiter)
		memcpy(login->waiter->identity, ret_name,
		    sizeof(login->waiter->identity));
	return MT_OK;
}

enum mt_status
login_use_tokens(
    struct login *login, struct oauth_tokens *tokens, struct mt_error *err)
{
	char name[OAUTH_IDENTITY_NAME_SIZE];
	enum mt_status status;

	if (!login->account)
		return mt_fail(err, MT_BAD_CONFIG, "%s", login->ended);
	status = check_tokens(account_settings_of(login->account), tokens, err);
	if (status == MT_OK)
		status = judge_identity(login, tokens, name, err);
	if (status != MT_OK)
		return status;
	if (login->emit_fd >= 0)
		return emit_token(login->emit_fd, &tokens->refresh_token, err);
	return account_take_login(login->account, tokens, name, err);
}

enum mt_status
login_prepare(struct login *login, struct mt_error *err)
{
	if (login->logins->env->stopping)
		return mt_fail(
		    err, MT_RETRY_LATER, "the token helper is stopping");
	if (login->emit_fd >= 0)
		return check_emit_file(login->emit_fd, err);
	return account_prepare_login(login->account, err);
}

void
login_abandon(struct login *login)
{
	if (login->account && login->emit_fd < 0)
		account_abandon_login(login->account);
}

void
login_drop_emit_file(struct login *login)
{
	if (login->emit_fd >= 0)
		close(login->emit_fd);
	login->emit_fd = -1;
}

/* A person with a device code is waited for only as long as somebody wants to
 * know. */
void
login_leave(struct login_waiter *waiter)
{
	struct login *login = waiter->login;

	waiter->login = NULL;
	if (!login)
		return;
	login->waiter = NULL;
	if (login->kind == LOGIN_DEVICE && !login->exchanging)
		login_free(login);
}
