/* SPDX-License-Identifier: ISC */
#include "refresh.h"

#include "form.h"

#include "base/buf.h"
#include "base/settings.h"
#include "base/settings_files.h"

#include <string.h>

bool
refresh_is_due(long lifetime_s, long left_s, long min_ttl_s)
{
	long wanted =
	    min_ttl_s > REFRESH_MIN_TTL_S ? min_ttl_s : REFRESH_MIN_TTL_S;
	long most = lifetime_s - lifetime_s / 5;

	return left_s < (wanted < most ? wanted : most);
}

/* A random number of milliseconds below this. */
static int64_t
chance_ms(int64_t most_ms)
{
	uint32_t limit = most_ms < UINT32_MAX ? (uint32_t)most_ms : UINT32_MAX;

	return limit ? crypto_random_below(limit) : 0;
}

int64_t
refresh_ahead_ms(long lifetime_s, long min_ttl_s)
{
	int64_t life = (int64_t)lifetime_s * 1000;
	int64_t wish = life - (int64_t)min_ttl_s * 1000;
	int64_t latest = life / 5 * 4;

	if (wish < latest)
		latest = wish;
	latest -= chance_ms(life / 20);
	return latest > life / 5 ? latest : life / 5;
}

long
refresh_keep_alive_s(const struct account_settings *settings)
{
	long seconds = REFRESH_KEEP_ALIVE_S;

	if (account_settings_app_only(settings))
		return 0; /* it has no login that could end */
	if (settings->provider.keep_alive)
		settings_duration(settings->provider.keep_alive, &seconds);
	return seconds;
}

int64_t
refresh_keep_alive_in_ms(long keep_alive_s, int64_t age_s)
{
	int64_t whole = (int64_t)keep_alive_s * 1000;

	if (age_s < 0)
		return chance_ms(whole / 2);
	whole -= chance_ms(whole / 4) + age_s * 1000;
	return whole > 0 ? whole : 0;
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

static bool
is_about_person(const char *word, size_t len)
{
	static const char *const words[] = {"openid", "profile", "email"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			return true;
	return false;
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

/* Without the words that only matter when a person logs in: an older login may
 * lack them. */
static void
add_scope(struct secret *form, const char *scope)
{
	struct buf kept = BUF_INIT(16384);

	while (scope && *scope) {
		size_t gap = strspn(scope, " ");
		size_t len = strcspn(scope + gap, " ");

		scope += gap;
		if (len && !is_about_person(scope, len)) {
			if (kept.len)
				buf_add_char(&kept, ' ');
			buf_add(&kept, scope, len);
		}
		scope += len;
	}
	if (kept.len)
		form_add(form, "scope", buf_text(&kept));
	buf_done(&kept);
}

void
refresh_form(struct secret *form, const struct account_settings *settings,
    const struct secret *refresh_token)
{
	form_add(form, "grant_type", "refresh_token");
	form_add_secret(form, "refresh_token", refresh_token);
	if (resends_scope(&settings->provider))
		add_scope(form, settings->provider.scope);
	refresh_add_client(form, settings);
}

void
refresh_form_revocation(struct secret *form,
    const struct account_settings *settings, const struct secret *refresh_token)
{
	form_add_secret(form, "token", refresh_token);
	form_add(form, "token_type_hint", "refresh_token");
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
	if (!settings_owner_is_trusted(settings->owner))
		buf_add_format(&text, "%lu\n", (unsigned long)settings->owner);
	ok = buf_ok(&text) && crypto_sha256_hex(text.data, text.len, ret_hex);
	buf_done(&text);
	return ok;
}
