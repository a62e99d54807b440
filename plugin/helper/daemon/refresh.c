/* SPDX-License-Identifier: ISC */
#include "refresh.h"

#include "form.h"

#include "base/buf.h"
#include "base/settings.h"

bool
refresh_is_due(long lifetime_s, long left_s, long min_ttl_s)
{
	long wanted =
	    min_ttl_s > REFRESH_MIN_TTL_S ? min_ttl_s : REFRESH_MIN_TTL_S;
	long most = lifetime_s - lifetime_s / 5;

	return left_s < (wanted < most ? wanted : most);
}

long
refresh_pause_s(unsigned int failures)
{
	long pause = REFRESH_PAUSE_MIN_S;

	while (failures-- > 1 && pause < REFRESH_PAUSE_MAX_S)
		pause *= 2;
	if (pause > REFRESH_PAUSE_MAX_S)
		pause = REFRESH_PAUSE_MAX_S;
	return pause - pause / 2 +
	       (long)crypto_random_below((uint32_t)(pause / 2) + 1);
}

void
refresh_add_client(struct secret *form, const struct account_settings *settings)
{
	form_add(form, "client_id", settings->client_id);
	if (settings->client_secret.len)
		form_add_secret(
		    form, "client_secret", &settings->client_secret);
}

/* RFC 6749 s6: without `scope` the same as before is meant, and what was never
 * granted must not be asked for.  Microsoft wants it all the same. */
static bool
resends_scope(const struct provider *provider)
{
	bool resend = false;

	return provider->resend_scope &&
	       settings_bool(provider->resend_scope, &resend) && resend;
}

void
refresh_form(struct secret *form, const struct account_settings *settings,
    const struct secret *refresh_token)
{
	form_add(form, "grant_type", "refresh_token");
	form_add_secret(form, "refresh_token", refresh_token);
	if (resends_scope(&settings->provider))
		form_add(form, "scope", settings->provider.scope);
	refresh_add_client(form, settings);
}

void
refresh_form_app_only(
    struct secret *form, const struct account_settings *settings)
{
	form_add(form, "grant_type", "client_credentials");
	form_add(form, "scope", settings->provider.scope);
	refresh_add_client(form, settings);
}

bool
refresh_fingerprint(
    const struct account_settings *settings, char ret_hex[CRYPTO_HEX_SIZE])
{
	struct buf text = BUF_INIT(16384);
	bool ok;

	buf_add_format(&text, "%s\n%s\n%s\n",
	    settings->provider.token_endpoint
		? settings->provider.token_endpoint
		: settings->provider.discovery,
	    settings->client_id, settings->user);
	if (account_settings_app_only(settings))
		buf_add_format(&text, "%s\n", settings->grant);
	ok = buf_ok(&text) && crypto_sha256_hex(text.data, text.len, ret_hex);
	buf_done(&text);
	return ok;
}
