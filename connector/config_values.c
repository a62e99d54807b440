/* SPDX-License-Identifier: ISC */
#include "config_impl.h"

#include "base/settings.h"
#include "handon/gateway_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const password_mechanisms[] = {
    "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", NULL};
static const char *const token_mechanisms[] = {"OAUTHBEARER", "XOAUTH2", NULL};

#define POLL_INTERVAL_MIN_MS 1000
#define POLL_INTERVAL_MAX_MS 86400000

static enum mt_status
to_bool(const char *name, const char *text, bool *ret, struct mt_error *err)
{
	if (settings_bool(text, ret))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s is '%s'; allowed are true and false", name, text);
}

static enum mt_status
to_number(const char *name, const char *text, long min, long max, long *ret,
    struct mt_error *err)
{
	if (settings_number(text, min, max, ret))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s is '%s'; allowed is a number from %ld to %ld", name, text, min,
	    max);
}

/* A choice between two words; *ret is the index. */
static enum mt_status
to_choice(const char *name, const char *text, const char *const words[2],
    int *ret, struct mt_error *err)
{
	for (int i = 0; i < 2; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i;
			return MT_OK;
		}
	}
	return mt_fail(err, MT_BAD_CONFIG, "%s is '%s'; allowed are %s and %s",
	    name, text, words[0], words[1]);
}

static bool
made_of(const char *text, const char *more, size_t max)
{
	size_t len = strlen(text);

	if (!len || len > max || !isalnum((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

static enum mt_status
check_words(const struct config *config, struct mt_error *err)
{
	if (!made_of(config->agent, "_-", 64))
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_AGENT is '%s'; allowed are letters, "
		    "digits, '_' and '-', 64 at most",
		    config->agent);
	if (!made_of(config->tenant, ".-", 253))
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_OAUTH2_TENANT is '%s'; allowed are letters, "
		    "digits, '.' and '-'",
		    config->tenant);
	if (!config->imap_username)
		return mt_fail(
		    err, MT_BAD_CONFIG, "TRI_ONYX_IMAP_USERNAME is not set");
	return MT_OK;
}

static bool
is_loopback(const char *host)
{
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == 127;
}

static enum mail_tls
tls_without_ssl(const char *host, bool insecure)
{
	return insecure || is_loopback(host) ? MAIL_TLS_NONE
					     : MAIL_TLS_STARTTLS;
}

static enum mt_status
read_servers(
    struct config *config, const struct config_raw *raw, struct mt_error *err)
{
	long imap_port, smtp_port;
	bool imap_ssl, smtp_ssl;
	enum mt_status status;

	if ((status = to_number("TRI_ONYX_IMAP_PORT", raw->imap_port, 1, 65535,
		 &imap_port, err)) != MT_OK ||
	    (status = to_number("TRI_ONYX_SMTP_PORT", raw->smtp_port, 1, 65535,
		 &smtp_port, err)) != MT_OK ||
	    (status = to_bool("TRI_ONYX_IMAP_SSL", raw->imap_ssl, &imap_ssl,
		 err)) != MT_OK ||
	    (status = to_bool(
		 "TRI_ONYX_SMTP_SSL", raw->smtp_ssl, &smtp_ssl, err)) != MT_OK)
		return status;
	config->imap = (struct mail_server){
	    .host = config->imap_host,
	    .port = (uint16_t)imap_port,
	    .tls = imap_ssl
		       ? MAIL_TLS_IMPLICIT
		       : tls_without_ssl(config->imap_host, config->insecure),
	    .authentication_id = config->imap_username,
	};
	config->smtp = (struct mail_server){
	    .host = config->smtp_host,
	    .port = (uint16_t)smtp_port,
	    .tls = !smtp_ssl
		       ? tls_without_ssl(config->smtp_host, config->insecure)
		   : smtp_port == 465 ? MAIL_TLS_IMPLICIT
				      : MAIL_TLS_STARTTLS,
	    .authentication_id = config->smtp_username,
	};
	return MT_OK;
}

/* What LOGIN and OAuth2 differ in, all of it. */
static enum mt_status
choose_credentials(struct config *config, struct mt_error *err)
{
	if (config->auth == CONFIG_AUTH_OAUTH2) {
		config->imap.mechanisms = token_mechanisms;
		config->smtp.mechanisms = token_mechanisms;
		if (config_wants_private_helper(config) && !config->client_id)
			return mt_fail(err, MT_BAD_CONFIG,
			    "TRI_ONYX_OAUTH2_CLIENT_ID is not set; the "
			    "refresh token is useless without it");
		return MT_OK;
	}
	if (!config->imap_password.len)
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_IMAP_PASSWORD is not set; set it, or "
		    "TRI_ONYX_IMAP_AUTH=oauth2");
	if (!config->smtp_password.len)
		secret_copy(&config->smtp_password, &config->imap_password);
	config->imap.mechanisms = password_mechanisms;
	config->imap.password = &config->imap_password;
	config->imap.login_command = true;
	config->smtp.mechanisms = password_mechanisms;
	config->smtp.password = &config->smtp_password;
	return MT_OK;
}

enum mt_status
config_default_to(char **text, const char *other, struct mt_error *err)
{
	if (*text)
		return MT_OK;
	*text = strdup(other);
	if (!*text)
		return mt_fail(err, MT_NO_MEMORY, "no memory for the settings");
	return MT_OK;
}

static enum mt_status
read_backfill(struct config *config, const char *text, struct mt_error *err)
{
	long newest = 0;

	config->only_newest = strcmp(text, "all") != 0;
	if (config->only_newest && strcmp(text, "new") != 0 &&
	    !settings_number(text, 1, UINT32_MAX, &newest))
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_BACKFILL is '%s'; allowed are all, new and "
		    "a number of messages",
		    text);
	config->newest = (uint32_t)newest;
	return MT_OK;
}

static enum mt_status
read_sent_copy(struct config *config, const char *text, struct mt_error *err)
{
	static const char *const words[] = {
	    [CONFIG_SENT_COPY_AUTO] = "auto",
	    [CONFIG_SENT_COPY_SERVER] = "server",
	    [CONFIG_SENT_COPY_APPEND] = "append",
	    [CONFIG_SENT_COPY_NONE] = "none",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(text, words[i]) == 0) {
			config->sent_copy = (enum config_sent_copy)i;
			return MT_OK;
		}
	return mt_fail(err, MT_BAD_CONFIG,
	    "TRI_ONYX_EMAIL_SENT_COPY is '%s'; allowed are auto, server, "
	    "append and none",
	    text);
}

static enum mt_status
read_choices(
    struct config *config, const struct config_raw *raw, struct mt_error *err)
{
	static const char *const auths[2] = {"login", "oauth2"};
	static const char *const policies[2] = {"retry", "hold"};
	int auth, uncertain;
	long interval;
	enum mt_status status;

	if ((status = to_choice("TRI_ONYX_IMAP_AUTH", raw->auth, auths, &auth,
		 err)) != MT_OK ||
	    (status = to_choice("TRI_ONYX_SMTP_UNCERTAIN", raw->uncertain,
		 policies, &uncertain, err)) != MT_OK ||
	    (status = read_sent_copy(config, raw->sent_copy, err)) != MT_OK ||
	    (status = to_number("TRI_ONYX_IMAP_POLL_INTERVAL",
		 raw->poll_interval, POLL_INTERVAL_MIN_MS, POLL_INTERVAL_MAX_MS,
		 &interval, err)) != MT_OK ||
	    (status = to_bool("TRI_ONYX_EMAIL_KEEP_RAW", raw->keep_raw,
		 &config->keep_raw, err)) != MT_OK ||
	    (status = read_backfill(config, raw->backfill, err)) != MT_OK ||
	    (status = mailboxes_read(
		 &config->mailboxes, raw->mailboxes, err)) != MT_OK ||
	    (status = to_bool("TRI_ONYX_EMAIL_INSECURE", raw->insecure,
		 &config->insecure, err)) != MT_OK)
		return status;
	config->auth = auth ? CONFIG_AUTH_OAUTH2 : CONFIG_AUTH_LOGIN;
	config->uncertain =
	    uncertain ? CONFIG_UNCERTAIN_HOLD : CONFIG_UNCERTAIN_RETRY;
	config->poll_interval_ms = interval;
	return MT_OK;
}

static enum mt_status
check_url(
    const char *name, const char *url, const char *scheme, struct mt_error *err)
{
	struct gateway_url parts;

	if (!url || gateway_url_parse(url, scheme, &parts))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s is '%s'; allowed are %s://HOST:PORT and %ss://HOST:PORT", name,
	    url, scheme, scheme);
}

static enum mt_status
check_handing_on(const struct config *config, struct mt_error *err)
{
	enum mt_status status;

	if ((status = check_url(
		 "TRI_ONYX_GATEWAY", config->gateway, "ws", err)) != MT_OK ||
	    (status = check_url("TRI_ONYX_EMAIL_HOOK_URL", config->hook_url,
		 "http", err)) != MT_OK)
		return status;
	if (config->hook_url && !config->hook_secret.len)
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_HOOK_SECRET is not set; the webhook is "
		    "useless without it");
	if (config->command && *config->command != '/')
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_COMMAND is '%s'; allowed is the absolute "
		    "path of a program",
		    config->command);
	return MT_OK;
}

#define QUEUE_MAX_MAX 10000000
#define AGENT_WAIT_MAX_S 86400

static enum mt_status
read_handing_on(
    struct config *config, const struct config_raw *raw, struct mt_error *err)
{
	static const char *const events[2] = {"none", "stdout"};
	int to_stdout;
	long port, wait_s, max;
	enum mt_status status;

	if ((status = to_number("TRI_ONYX_PORT", raw->gateway_port, 1, 65535,
		 &port, err)) != MT_OK ||
	    (status = to_number("TRI_ONYX_EMAIL_AGENT_WAIT", raw->agent_wait, 1,
		 AGENT_WAIT_MAX_S, &wait_s, err)) != MT_OK ||
	    (status = to_number("TRI_ONYX_EMAIL_QUEUE_MAX", raw->queue_max, 1,
		 QUEUE_MAX_MAX, &max, err)) != MT_OK ||
	    (status = to_choice("TRI_ONYX_EMAIL_EVENTS", raw->events, events,
		 &to_stdout, err)) != MT_OK)
		return status;
	config->agent_wait_ms = (int64_t)wait_s * 1000;
	config->queue_max = (uint64_t)max;
	config->events_to_stdout = to_stdout;
	if (!config->gateway &&
	    asprintf(&config->gateway, "ws://localhost:%ld", port) < 0) {
		config->gateway = NULL;
		return mt_fail(err, MT_NO_MEMORY, "no memory for the settings");
	}
	return check_handing_on(config, err);
}

enum mt_status
config_interpret(
    struct config *config, const struct config_raw *raw, struct mt_error *err)
{
	enum mt_status status;

	if ((status = check_words(config, err)) != MT_OK ||
	    (status = config_default_to(
		 &config->smtp_host, config->imap_host, err)) != MT_OK ||
	    (status = config_default_to(&config->smtp_username,
		 config->imap_username, err)) != MT_OK ||
	    (status = config_default_to(
		 &config->from, config->smtp_username, err)) != MT_OK ||
	    (status = read_choices(config, raw, err)) != MT_OK ||
	    (status = read_handing_on(config, raw, err)) != MT_OK ||
	    (status = read_servers(config, raw, err)) != MT_OK)
		return status;
	return choose_credentials(config, err);
}
