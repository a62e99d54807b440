/* SPDX-License-Identifier: ISC */
#include "config_impl.h"

#include "base/log.h"
#include "base/settings.h"
#include "handon/gateway_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An empty variable counts as not set. */
static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool
has_control_character(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

/* What the file of an account says; NULL for what it does not. */
struct file {
	char *text[CONFIG_VARIABLES_MAX];
	char *secret_file[CONFIG_SECRETS_MAX];
};

static const char *
value_of(size_t variable, const struct file *file)
{
	const struct config_variable *v = &config_variables[variable];

	if (file && file->text[variable])
		return file->text[variable];
	return file && v->scope == CONFIG_SCOPE_ACCOUNT ? NULL
							: environment(v->name);
}

/* `file` NULL: of the environment's account. */
static enum mt_status
read_texts(struct config *config, struct config_raw *raw,
    const struct file *file, struct mt_error *err)
{
	for (size_t i = 0; i < config_variable_count; i++) {
		const char *value = value_of(i, file);
		char **text = config_text_at(&config_variables[i], config, raw);

		if (!value)
			value = config_variables[i].otherwise;
		if (!value)
			continue;
		if (has_control_character(value))
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s holds a control character",
			    config_variables[i].name);
		*text = strdup(value);
		if (!*text)
			return mt_fail(
			    err, MT_NO_MEMORY, "no memory for the settings");
	}
	return MT_OK;
}

static enum mt_status
read_secrets(struct config *config, struct mt_error *err)
{
	for (size_t i = 0; i < config_secret_count; i++) {
		const struct config_secret_variable *v = &config_secrets[i];
		struct secret *secret = config_secret_at(v, config);
		const char *file = environment(v->file_name);
		bool given = secret_take_env(secret, v->name);

		if (!secret_ok(secret))
			return mt_fail(
			    err, MT_BAD_CONFIG, "%s is too long", v->name);
		if (!file)
			continue;
		if (given)
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s and %s are both set; keep one", v->name,
			    v->file_name);
		if (secret_read_file(secret, file, err) != MT_OK)
			return MT_BAD_CONFIG;
	}
	return MT_OK;
}

static enum mt_status
read_secret_files(
    struct config *config, const struct file *file, struct mt_error *err)
{
	for (size_t i = 0; i < config_secret_count; i++) {
		if (file->secret_file[i] &&
		    secret_read_file(
			config_secret_at(&config_secrets[i], config),
			file->secret_file[i], err) != MT_OK)
			return MT_BAD_CONFIG;
	}
	return MT_OK;
}

enum mt_status
config_read(struct config *config, struct mt_error *err)
{
	struct config_raw raw = {0};
	enum mt_status status;

	/* secrets first: they leave the environment whatever else is wrong */
	status = read_secrets(config, err);
	if (status == MT_OK)
		status = read_texts(config, &raw, NULL, err);
	if (status == MT_OK && config->imap_host)
		status = config_interpret(config, &raw, err);
	if (status == MT_OK && config->imap_host)
		status = config_default_to(
		    &config->name, config->imap_username, err);
	config_free_texts(NULL, &raw);
	return status;
}

/* ---- accounts from files ---- */

#define PREFIX "TRI_ONYX_"

static bool
is_setting(const char *name, const char *variable)
{
	return strcasecmp(name, variable + sizeof(PREFIX) - 1) == 0;
}

/* Where the value of this setting is to be kept; NULL: there is none. */
static char **
place_of(struct file *file, const char *name)
{
	for (size_t i = 0; i < config_variable_count; i++)
		if (config_variables[i].scope != CONFIG_SCOPE_PROCESS &&
		    is_setting(name, config_variables[i].name))
			return &file->text[i];
	for (size_t i = 0; i < config_secret_count; i++)
		if (config_secrets[i].scope != CONFIG_SCOPE_PROCESS &&
		    is_setting(name, config_secrets[i].file_name))
			return &file->secret_file[i];
	return NULL;
}

static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	char **place = line->name ? place_of(context, line->name) : NULL;

	if (!line->name)
		return mt_fail(err, MT_BAD_CONFIG, "there are no sections");
	if (!place)
		return mt_fail(
		    err, MT_BAD_CONFIG, "unknown setting '%s'", line->name);
	if (*place)
		return mt_fail(
		    err, MT_BAD_CONFIG, "'%s' is there twice", line->name);
	if (!*line->value)
		return MT_OK;
	*place = strdup(line->value);
	return *place ? MT_OK
		      : mt_fail(err, MT_NO_MEMORY, "no memory for settings");
}

static void
file_done(struct file *file)
{
	for (size_t i = 0; i < config_variable_count; i++)
		free(file->text[i]);
	for (size_t i = 0; i < config_secret_count; i++)
		free(file->secret_file[i]);
}

/* What is wrong is said of variables; here they are settings. */
static void
speak_of_settings(const char *path, struct mt_error *err)
{
	char text[MT_ERROR_TEXT_MAX];
	char *from = err->text, *to = text, *found;

	while ((found = strstr(from, PREFIX))) {
		memcpy(to, from, (size_t)(found - from));
		to += found - from;
		from = found + sizeof(PREFIX) - 1;
		while (isupper((unsigned char)*from) || *from == '_' ||
		       isdigit((unsigned char)*from))
			*to++ = (char)tolower((unsigned char)*from++);
	}
	memcpy(to, from, strlen(from) + 1);
	mt_fail(err, err->status, "%s: %s", path, text);
}

static enum mt_status
interpret_file(struct config *config, const struct config *environment,
    const struct file *file, struct mt_error *err)
{
	struct config_raw raw = {0};
	enum mt_status status = read_secret_files(config, file, err);

	/* the one secret that is not an account's own */
	if (!config->connector_token.len)
		secret_copy(
		    &config->connector_token, &environment->connector_token);
	if (status == MT_OK)
		status = read_texts(config, &raw, file, err);
	if (status == MT_OK && !config->imap_host)
		status = mt_fail(err, MT_BAD_CONFIG, "imap_host is not set");
	if (status == MT_OK)
		status = config_interpret(config, &raw, err);
	config_free_texts(NULL, &raw);
	free(config->workspace);
	free(config->state_dir);
	config->workspace = strdup(environment->workspace);
	config->state_dir = strdup(environment->state_dir);
	if (status == MT_OK && (!config->workspace || !config->state_dir))
		status = mt_fail(err, MT_NO_MEMORY, "no memory for settings");
	return status;
}

enum mt_status
config_read_file(struct config *config, const char *path, const char *name,
    const struct config *environment, struct mt_error *err)
{
	struct file file = {0};
	enum mt_status status =
	    settings_read(path, NULL, take_line, &file, err);

	if (status == MT_OK) {
		status = interpret_file(config, environment, &file, err);
		if (status != MT_OK)
			speak_of_settings(path, err);
	}
	if (status == MT_OK)
		status = config_default_to(&config->name, name, err);
	config->further = true;
	file_done(&file);
	return status;
}

static void
warn_if_clear(const char *what, const struct mail_server *server)
{
	if (server->tls == MAIL_TLS_NONE)
		log_warning("%s: credentials and mail go to %s in clear text",
		    what, server->host);
}

static void
warn_if_clear_url(const char *what, const char *url, const char *scheme)
{
	struct gateway_url parts;

	if (gateway_url_parse(url, scheme, &parts) && !parts.tls &&
	    !gateway_url_is_loopback(&parts))
		log_warning("%s: what mail tells goes to %s in clear text",
		    what, parts.host);
}

static void
warn_of_handing_on(const struct config *config)
{
	if (config->connector_token.len)
		warn_if_clear_url("TRI_ONYX_GATEWAY", config->gateway, "ws");
	else if (config->hook_url)
		warn_if_clear_url(
		    "TRI_ONYX_EMAIL_HOOK_URL", config->hook_url, "http");
	if (config->connector_token.len && config->hook_url)
		log_warning("TRI_ONYX_CONNECTOR_TOKEN is set: the webhook that "
			    "is also set is not used");
}

void
config_log_warnings(const struct config *config)
{
	warn_of_handing_on(config);
	warn_if_clear("IMAP", &config->imap);
	warn_if_clear("SMTP", &config->smtp);
	if (config->auth == CONFIG_AUTH_OAUTH2 &&
	    (config->imap_password.len || config->smtp_password.len))
		log_warning("TRI_ONYX_IMAP_AUTH is oauth2: the password that "
			    "is also set is not used");
	if (config->auth == CONFIG_AUTH_LOGIN && config->refresh_token.len)
		log_warning("TRI_ONYX_IMAP_AUTH is login: the refresh token "
			    "that is also set is not used");
}
