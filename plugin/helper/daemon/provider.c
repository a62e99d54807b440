/* SPDX-License-Identifier: ISC */
#include "provider.h"

#include "url.h"

#include "base/settings.h"

#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANT_MARK "{tenant}"
#define VALUE_MAX 4096

const char *
mail_service_name(enum mail_service service)
{
	static const char *const names[SERVICE_COUNT] = {
	    [SERVICE_IMAP] = "imap",
	    [SERVICE_SMTP] = "smtp",
	    [SERVICE_POP] = "pop",
	    [SERVICE_SIEVE] = "sieve",
	    [SERVICE_LMTP] = "lmtp",
	    [SERVICE_OTHER] = "other",
	};

	return names[service];
}

/* Letters, digits and the characters of `more`. */
static bool
is_name(const char *value, const char *more)
{
	for (; *value; value++)
		if (!isalnum((unsigned char)*value) && !strchr(more, *value))
			return false;
	return true;
}

enum mt_status
provider_check_name(const char *value, struct mt_error *err)
{
	if (*value && is_name(value, ".-_"))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is not a name of letters, digits, '.', '-' and '_'", value);
}

/* The mark is no character of an address, so a word stands in for it. */
static bool
parse_endpoint(const char *value, struct url *url)
{
	struct buf plain = BUF_INIT(VALUE_MAX);
	const char *mark;
	bool ok;

	while ((mark = strstr(value, TENANT_MARK))) {
		buf_add(&plain, value, (size_t)(mark - value));
		buf_add_text(&plain, "tenant");
		value = mark + strlen(TENANT_MARK);
	}
	buf_add_text(&plain, value);
	ok = buf_ok(&plain) && url_parse(buf_text(&plain), url);
	buf_done(&plain);
	return ok;
}

static enum mt_status
check_endpoint(const char *value, struct mt_error *err)
{
	struct url url;

	if (!parse_endpoint(value, &url) || strpbrk(value, "\"<>\\^`|"))
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' is not an address like https://host/path", value);
	if (!url.tls && !url_is_loopback(&url))
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s': https is required; plain http is for this machine "
		    "itself only",
		    value);
	return MT_OK;
}

static enum mt_status
check_issuer(const char *value, struct mt_error *err)
{
	struct url url;

	if (url_parse(value, &url))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is not an address like https://host/path", value);
}

/* RFC 6749 s3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
static enum mt_status
check_scope(const char *value, struct mt_error *err)
{
	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			return mt_fail(err, MT_BAD_CONFIG,
			    "a scope is made of words without '\"' and '\\'");
	return MT_OK;
}

static enum mt_status
check_host(const char *value, struct mt_error *err)
{
	if (*value && is_name(value, ".-:"))
		return MT_OK;
	return mt_fail(
	    err, MT_BAD_CONFIG, "'%s' is not the name of one server", value);
}

/* What a login's address has in any case, or must not have. */
static bool
is_reserved(const char *name, size_t len)
{
	static const char *const reserved[] = {"response_type", "response_mode",
	    "client_id", "client_secret", "redirect_uri", "scope", "state",
	    "code", "code_challenge", "code_challenge_method", "login_hint",
	    "request", "request_uri"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strlen(reserved[i]) == len &&
		    strncmp(reserved[i], name, len) == 0)
			return true;
	return false;
}

static enum mt_status
check_params(const char *value, struct mt_error *err)
{
	for (const char *word = value; *word;) {
		size_t len = strcspn(word, " "), name = strcspn(word, "= ");

		if (len && (name == 0 || name == len))
			return mt_fail(err, MT_BAD_CONFIG,
			    "'%.*s' is not of the form NAME=VALUE", (int)len,
			    word);
		if (is_reserved(word, name))
			return mt_fail(err, MT_BAD_CONFIG,
			    "'%.*s' is not to be set here", (int)name, word);
		word += len + strspn(word + len, " ");
	}
	return check_scope(value, err);
}

static enum mt_status
check_mechanisms(const char *value, struct mt_error *err)
{
	if (is_name(value, "-_ "))
		return MT_OK;
	return mt_fail(
	    err, MT_BAD_CONFIG, "'%s' is not a list of SASL mechanisms", value);
}

static enum mt_status
check_port(const char *value, struct mt_error *err)
{
	long port;

	if (settings_number(value, 1, 65535, &port))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is not a port, a number from 1 to 65535", value);
}

static enum mt_status
check_bool(const char *value, struct mt_error *err)
{
	bool ignored;

	if (settings_bool(value, &ignored))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG, "'%s' is neither yes nor no", value);
}

static enum mt_status
check_redirect_host(const char *value, struct mt_error *err)
{
	if (strcmp(value, "localhost") == 0 || strcmp(value, "127.0.0.1") == 0)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is neither localhost nor 127.0.0.1", value);
}

static enum mt_status
check_duration(const char *value, struct mt_error *err)
{
	long ignored;

	if (settings_duration(value, &ignored))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is not a length of time like 90min, 12h or 7d", value);
}

#define SETTING(member, check)                                                 \
	{                                                                      \
#member, offsetof(struct provider, member), check              \
	}
#define HOST(word, service)                                                    \
	{                                                                      \
		word "_host", offsetof(struct provider, host[service]),        \
		    check_host                                                 \
	}

const struct setting provider_settings[] = {
    SETTING(tenant, provider_check_name),
    SETTING(authorization_endpoint, check_endpoint),
    SETTING(authorization_params, check_params),
    SETTING(device_authorization_endpoint, check_endpoint),
    SETTING(token_endpoint, check_endpoint),
    SETTING(revocation_endpoint, check_endpoint),
    SETTING(discovery, check_endpoint),
    SETTING(issuer, check_issuer),
    SETTING(scope, check_scope),
    SETTING(client_credentials_scope, check_scope),
    SETTING(resend_scope, check_bool),
    SETTING(redirect_host, check_redirect_host),
    SETTING(redirect_port, check_port),
    SETTING(mechanisms, check_mechanisms),
    SETTING(keep_alive, check_duration),
    HOST("imap", SERVICE_IMAP),
    HOST("smtp", SERVICE_SMTP),
    HOST("pop", SERVICE_POP),
    HOST("sieve", SERVICE_SIEVE),
    HOST("lmtp", SERVICE_LMTP),
    HOST("other", SERVICE_OTHER),
    {NULL, 0, NULL},
};

enum mt_status
setting_apply(const struct setting *table, void *base, const char *name,
    const char *value, struct mt_error *err)
{
	const struct setting *s = table;
	struct mt_error why = {0};
	char **slot;

	while (s->name && strcmp(s->name, name) != 0)
		s++;
	if (!s->name)
		return mt_fail(
		    err, MT_NO_ACCOUNT, "unknown setting '%s'", name);
	slot = (char **)(void *)((char *)base + s->offset);
	if (*slot)
		return mt_fail(
		    err, MT_BAD_CONFIG, "'%s' is set a second time", name);
	if (!*value)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' is empty; leave the line out instead", name);
	if (strlen(value) > VALUE_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' is longer than %d bytes", name, VALUE_MAX);
	if (s->check && s->check(value, &why) != MT_OK)
		return mt_fail(err, MT_BAD_CONFIG, "%s: %s", name, why.text);
	*slot = strdup(value);
	return *slot ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	enum mt_status status;

	if (!line->name)
		return mt_fail(
		    err, MT_BAD_CONFIG, "a provider file has no sections");
	status = setting_apply(
	    provider_settings, context, line->name, line->value, err);
	return status == MT_NO_ACCOUNT ? MT_BAD_CONFIG : status;
}

enum mt_status
provider_read(const struct provider_dirs *dirs, const char *name,
    struct provider *ret_provider, struct mt_error *err)
{
	char path[PATH_MAX];

	if (strcmp(name, "generic") == 0)
		return MT_OK;
	for (size_t i = 0; i < sizeof(dirs->dir) / sizeof(*dirs->dir); i++) {
		enum mt_status status;
		bool found = false;

		if (!dirs->dir[i])
			continue;
		snprintf(path, sizeof(path), "%s/%s.conf", dirs->dir[i], name);
		status =
		    settings_read(path, &found, take_line, ret_provider, err);
		if (status != MT_OK || found)
			return status;
	}
	return mt_fail(err, MT_BAD_CONFIG,
	    "no provider '%s': there is no %s.conf in %s or %s", name, name,
	    dirs->dir[0] ? dirs->dir[0] : "-",
	    dirs->dir[1] ? dirs->dir[1] : "-");
}

/* Adds the names of the files in one directory. */
static enum mt_status
add_names(const char *dir, char ***names, size_t *count, struct mt_error *err)
{
	char pattern[PATH_MAX];
	enum mt_status status = MT_OK;
	glob_t found = {0};

	snprintf(pattern, sizeof(pattern), "%s/*.conf", dir);
	if (glob(pattern, 0, NULL, &found))
		return MT_OK;
	for (size_t i = 0; status == MT_OK && i < found.gl_pathc; i++) {
		const char *name = strrchr(found.gl_pathv[i], '/') + 1;
		char **grown = reallocarray(*names, *count + 1, sizeof(*grown));

		if (grown)
			*names = grown;
		if (!grown || !(grown[*count] = strndup(
				    name, strlen(name) - strlen(".conf"))))
			status = mt_fail(err, MT_NO_MEMORY, "no memory");
		else
			++*count;
	}
	globfree(&found);
	return status;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files whose names no setting could give are left out. */
static void
join_names(char **names, size_t count, struct buf *ret_names)
{
	for (size_t i = 0; i < count; i++) {
		if ((i && strcmp(names[i], names[i - 1]) == 0) ||
		    provider_check_name(names[i], NULL) != MT_OK)
			continue;
		if (ret_names->len)
			buf_add_char(ret_names, ' ');
		buf_add_text(ret_names, names[i]);
	}
}

enum mt_status
provider_names(const struct provider_dirs *dirs, struct buf *ret_names,
    struct mt_error *err)
{
	char **names = malloc(sizeof(*names));
	size_t count = 0;
	enum mt_status status = MT_OK;

	if (!names || !(names[count++] = strdup("generic")))
		status = mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = 0; i < sizeof(dirs->dir) / sizeof(*dirs->dir); i++)
		if (status == MT_OK && dirs->dir[i])
			status = add_names(dirs->dir[i], &names, &count, err);
	if (status == MT_OK) {
		qsort(names, count, sizeof(*names), by_text);
		join_names(names, count, ret_names);
	}
	while (names && count)
		free(names[--count]);
	free(names);
	return status;
}

static enum mt_status
inherit(char **mine, const char *base, struct mt_error *err)
{
	if (*mine || !base)
		return MT_OK;
	*mine = strdup(base);
	return *mine ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

static enum mt_status
insert_tenant(char **endpoint, const char *tenant, struct mt_error *err)
{
	struct buf full = BUF_INIT(2 * VALUE_MAX);
	const char *rest = *endpoint, *mark;
	char *text;

	if (!rest || !strstr(rest, TENANT_MARK))
		return MT_OK;
	if (!tenant)
		return mt_fail(err, MT_BAD_CONFIG, "'tenant' is not set");
	while ((mark = strstr(rest, TENANT_MARK))) {
		buf_add(&full, rest, (size_t)(mark - rest));
		buf_add_text(&full, tenant);
		rest = mark + strlen(TENANT_MARK);
	}
	buf_add_text(&full, rest);
	text = buf_take(&full);
	if (!text)
		return mt_fail(err, MT_BAD_CONFIG, "an endpoint is too long");
	free(*endpoint);
	*endpoint = text;
	return MT_OK;
}

static bool
is_address(const struct setting *setting)
{
	return setting->check == check_endpoint ||
	       setting->check == check_issuer;
}

enum mt_status
provider_complete(
    struct provider *mine, const struct provider *base, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (const struct setting *s = provider_settings; s->name; s++) {
		char **slot = (char **)(void *)((char *)mine + s->offset);
		char *const *from =
		    (char *const *)(const void *)((const char *)base +
						  s->offset);
		if (status == MT_OK)
			status = inherit(slot, *from, err);
	}
	for (const struct setting *s = provider_settings; s->name; s++) {
		char **slot = (char **)(void *)((char *)mine + s->offset);
		if (status == MT_OK && is_address(s))
			status = insert_tenant(slot, mine->tenant, err);
	}
	return status;
}

void
provider_done(struct provider *provider)
{
	for (const struct setting *s = provider_settings; s->name; s++) {
		char **slot = (char **)(void *)((char *)provider + s->offset);
		free(*slot);
		*slot = NULL;
	}
}
