/* SPDX-License-Identifier: ISC */
/* The login by device code. */
#include "login_impl.h"

#include "clock.h"
#include "form.h"
#include "refresh.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"
#define SLOWER_S 5 /* RFC 8628 s3.5 */
#define PAUSE_MAX_S 60

const struct oauth_device *
login_device(const struct login *login)
{
	return &login->device;
}

/* The login has ended, well or not. */
static void
end(struct login *login, const struct mt_error *result)
{
	struct login_waiter *waiter = login->waiter;
	struct account *account = login->account;

	if (result->status != MT_OK)
		log_warning("login: %s", result->text);
	login->waiter = NULL;
	login_free(login);
	login_answer(waiter, account, result);
}

static void
fail(struct login *login, enum mt_status status, const char *why)
{
	struct mt_error result;

	mt_fail(&result, status, "%s", why);
	end(login, &result);
}

/* ---- the code ---- */

static void
on_code(void *context, struct http_reply *reply)
{
	struct login *login = context;
	struct login_waiter *waiter = login->waiter;
	struct failure failure;
	struct mt_error result = {0};

	login->exchanging = false;
	if (!login->account || !waiter) {
		fail(login, MT_NEEDS_LOGIN,
		    login->ended ? login->ended : "nobody waits for it");
		return;
	}
	if (oauth_device_read(reply, &login->device, &failure, &result) !=
	    MT_OK) {
		end(login, &result);
		return;
	}
	login->ends_ms =
	    clock_boot_ms() + (int64_t)login->device.expires_in_s * 1000;
	login->waiter = NULL;
	waiter->begun = login;
	login_answer(waiter, login->account, &result);
}

static enum mt_status
ask_for_code(struct login *login, struct mt_error *err)
{
	const struct account_settings *settings =
	    account_settings_of(login->account);
	const struct account_env *env = login->logins->env;
	struct secret form;
	enum mt_status status;

	secret_init(&form, env->arena);
	form_add(&form, "scope", settings->provider.scope);
	refresh_add_client(&form, settings);
	status = oauth_http_post(env->http,
	    settings->provider.device_authorization_endpoint, settings->ca_file,
	    &form, on_code, login, err);
	secret_done(&form);
	return status;
}

static enum mt_status
begin(struct logins *logins, struct account *account,
    struct login_waiter *waiter, struct mt_error *err)
{
	const struct account_settings *settings = account_settings_of(account);
	struct login *login;
	enum mt_status status;

	if (!settings->provider.device_authorization_endpoint)
		return mt_fail(err, MT_BAD_CONFIG,
		    "account %s: its server gives no device codes, as far as "
		    "its settings say ('device_authorization_endpoint')",
		    settings->name);
	login = login_new(logins, account, LOGIN_DEVICE);
	if (!login)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	status = ask_for_code(login, err);
	if (status != MT_OK) {
		login_free(login);
		return status;
	}
	login->exchanging = true;
	login->waiter = waiter;
	waiter->login = login;
	return MT_OK;
}

void
login_begin_device(
    struct logins *logins, struct account *account, struct login_waiter *waiter)
{
	struct mt_error result = {0};

	waiter->begun = NULL;
	if (begin(logins, account, waiter, &result) != MT_OK)
		login_answer(waiter, account, &result);
}

/* ---- the person ---- */

static void plan(struct login *login, long pause_s);

/* The server did not answer properly: ask less and less often. */
static long
backoff_s(struct login *login, const struct failure *failure)
{
	long pause = login->device.interval_s;

	for (unsigned int n = ++login->failures; n && pause < PAUSE_MAX_S; n--)
		pause *= 2;
	if (pause > PAUSE_MAX_S)
		pause = PAUSE_MAX_S;
	return pause > failure->retry_after_s ? pause : failure->retry_after_s;
}

/* Whether the person may still come, and after which pause to ask again. */
static bool
goes_on(struct login *login, const struct failure *failure, long *ret_pause_s)
{
	switch (failure->device) {
	case FAILURE_DEVICE_SLOWER:
		login->device.interval_s += SLOWER_S;
		/* fall through */
	case FAILURE_DEVICE_PENDING:
		login->failures = 0;
		*ret_pause_s = login->device.interval_s;
		return true;
	case FAILURE_DEVICE_DENIED:
	case FAILURE_DEVICE_EXPIRED:
		return false;
	case FAILURE_DEVICE_OTHER:
		break;
	}
	if (failure->class != FAILURE_TRANSIENT)
		return false;
	*ret_pause_s = backoff_s(login, failure);
	return true;
}

static void
explain(const struct failure *failure, struct mt_error *result)
{
	struct mt_error why = *result;

	if (failure->device == FAILURE_DEVICE_DENIED)
		mt_fail(result, MT_NEEDS_LOGIN, "the login was refused: %s",
		    why.text);
	else if (failure->device == FAILURE_DEVICE_EXPIRED)
		mt_fail(result, MT_NEEDS_LOGIN,
		    "the code was not used in time: %s", why.text);
}

static void
on_answer(void *context, struct http_reply *reply)
{
	struct login *login = context;
	struct oauth_tokens tokens;
	struct failure failure = {0};
	struct mt_error result = {0};
	enum mt_status status;
	bool came, on = false;
	long pause_s = 0;

	login->exchanging = false;
	oauth_tokens_init(&tokens, login->logins->env->arena);
	status = oauth_reply_read(reply, &tokens, &failure, &result);
	came = status == MT_OK;
	if (came)
		status = login_use_tokens(login, &tokens, &result);
	else
		on = login->account && login->waiter &&
		     goes_on(login, &failure, &pause_s);
	oauth_tokens_done(&tokens);
	if (status != MT_OK)
		login_abandon(login);
	if (on) {
		plan(login, pause_s);
		return;
	}
	if (!came && login->ended)
		mt_fail(&result, MT_NEEDS_LOGIN, "%s", login->ended);
	else if (!came)
		explain(&failure, &result);
	end(login, &result);
}

static enum mt_status
ask(struct login *login, struct mt_error *err)
{
	const struct account_settings *settings =
	    account_settings_of(login->account);
	const struct account_env *env = login->logins->env;
	struct secret form;
	enum mt_status status;

	secret_init(&form, env->arena);
	form_add(&form, "grant_type", GRANT_TYPE);
	form_add_secret(&form, "device_code", &login->device.code);
	refresh_add_client(&form, settings);
	status = oauth_http_post(env->http, settings->provider.token_endpoint,
	    settings->ca_file, &form, on_answer, login, err);
	secret_done(&form);
	login->exchanging = status == MT_OK;
	return status;
}

static void
on_timer(uv_timer_t *timer)
{
	struct login *login = timer->data;
	struct mt_error result = {0};

	if (clock_boot_ms() >= login->ends_ms) {
		fail(login, MT_NEEDS_LOGIN,
		    "the code was not used in time; nothing was stored");
		return;
	}
	if (login_prepare(login, &result) == MT_OK &&
	    ask(login, &result) != MT_OK)
		login_abandon(login);
	if (!login->exchanging)
		end(login, &result);
}

static void
plan(struct login *login, long pause_s)
{
	int64_t left_ms = login->ends_ms - clock_boot_ms();
	int64_t pause_ms = (int64_t)pause_s * 1000;

	if (pause_ms > left_ms)
		pause_ms = left_ms > 0 ? left_ms : 0;
	uv_update_time(login->logins->env->loop);
	uv_timer_start(login->timer, on_timer, (uint64_t)pause_ms, 0);
}

static enum mt_status
start(struct login *login, struct mt_error *err)
{
	if (login->kind != LOGIN_DEVICE)
		return mt_fail(err, MT_BAD_INPUT,
		    "this login goes by an address, not by device code");
	if (login->waiter)
		return mt_fail(
		    err, MT_BAD_INPUT, "somebody waits for this login already");
	login->timer = malloc(sizeof(*login->timer));
	if (!login->timer)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	uv_timer_init(login->logins->env->loop, login->timer);
	login->timer->data = login;
	return MT_OK;
}

void
login_wait(struct login *login, int emit_fd, struct login_waiter *waiter)
{
	struct mt_error result = {0};

	if (start(login, &result) != MT_OK) {
		if (emit_fd >= 0)
			close(emit_fd);
		login_answer(waiter, login->account, &result);
		return;
	}
	login->emit_fd = emit_fd;
	login->waiter = waiter;
	waiter->login = login;
	plan(login, login->device.interval_s);
}
