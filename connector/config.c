/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "base/log.h"
#include "base/settings.h"
#include "handon/gateway_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const password_mechanisms[] = {
    "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", NULL};
static const char *const token_mechanisms[] = {"OAUTHBEARER", "XOAUTH2", NULL};

#define POLL_INTERVAL_MIN_MS 1000
#define POLL_INTERVAL_MAX_MS 86400000

/* The raw text of the variables that are more than text. */
struct raw {
	char *imap_port;
	char *imap_ssl;
	char *smtp_port;
	char *smtp_ssl;
	char *auth;
	char *poll_interval;
	char *uncertain;
	char *keep_raw;
	char *mailboxes;
	char *backfill;
	char *insecure;
	char *gateway_port;
	char *agent_wait;
	char *events;
	char *queue_max;
};

/* Whose a variable is, when several accounts are served. */
enum scope {
	SCOPE_ACCOUNT,   /* each account's own */
	SCOPE_INHERITED, /* likewise; who says nothing has the environment's */
	SCOPE_PROCESS,   /* one for all: the environment's */
};

#define TEXT(member) offsetof(struct config, member), NULL_RAW
#define NULL_RAW SIZE_MAX
#define RAW(member) SIZE_MAX, offsetof(struct raw, member)

static const struct variable {
	const char *name;
	size_t config_offset; /* where the text goes, or SIZE_MAX */
	size_t raw_offset;    /* the same in struct raw */
	const char *otherwise;
	const char *help;
	enum scope scope;
} variables[] = {
    {"TRI_ONYX_IMAP_HOST", TEXT(imap_host), NULL,
	"IMAP server; without it mail is off", SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_PORT", RAW(imap_port), "993", "its port", SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_SSL", RAW(imap_ssl), "true",
	"true: TLS at once; false: STARTTLS required (not on loopback)",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_USERNAME", TEXT(imap_username), NULL, "login name",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_AUTH", RAW(auth), "login",
	"login (a password) or oauth2 (a token), for IMAP and SMTP",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_POLL_INTERVAL", RAW(poll_interval), "300000",
	"milliseconds from the end of a poll to the next", SCOPE_INHERITED},
    {"TRI_ONYX_SMTP_HOST", TEXT(smtp_host), NULL,
	"submission server; the IMAP server if not set", SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_PORT", RAW(smtp_port), "587",
	"its port; 465 means TLS at once, any other STARTTLS", SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_SSL", RAW(smtp_ssl), "true",
	"false: STARTTLS required (not on loopback)", SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_USERNAME", TEXT(smtp_username), NULL,
	"login name; the IMAP one if not set", SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_FROM", TEXT(from), NULL,
	"sender address; the SMTP login name if not set", SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_UNCERTAIN", RAW(uncertain), "retry",
	"when the answer to a submission is lost: retry or hold",
	SCOPE_INHERITED},
    {"TRI_ONYX_OAUTH2_CLIENT_ID", TEXT(client_id), NULL,
	"application (client) id; with a refresh token only", SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_TENANT", TEXT(tenant), "common",
	"Microsoft tenant: id, domain, common, organizations, consumers",
	SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_TOKEN_URL", TEXT(token_url), NULL,
	"token endpoint of another provider", SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_SCOPE", TEXT(scope), NULL, "scopes at that provider",
	SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_AGENT", TEXT(agent), "email",
	"agent that gets the mail; names its directory", SCOPE_ACCOUNT},
    {"TRI_ONYX_WORKSPACE_DIR", TEXT(workspace), "./workspace",
	"directory above agents/", SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_STATE_DIR", TEXT(state_dir), NULL,
	"the connector's own state, outside the workspace", SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_ACCOUNTS_DIR", TEXT(accounts_dir), NULL,
	"directory with a file NAME.conf for each further account",
	SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_KEEP_RAW", RAW(keep_raw), "false",
	"true: keep raw.eml of every message, not of defective ones only",
	SCOPE_INHERITED},
    {"TRI_ONYX_GATEWAY", TEXT(gateway), NULL,
	"gateway that wakes the agent; ws://localhost:PORT if not set",
	SCOPE_INHERITED},
    {"TRI_ONYX_PORT", RAW(gateway_port), "4000", "that port", SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_AGENT_WAIT", RAW(agent_wait), "1800",
	"seconds that an agent may take before it is told of more mail",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_HOOK_URL", TEXT(hook_url), NULL,
	"signed webhook instead, without a connector token", SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_COMMAND", TEXT(command), NULL,
	"program to run for new mail; absolute path, no arguments",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_EVENTS", RAW(events), "none",
	"stdout: a JSON line on standard output for each message",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_QUEUE_MAX", RAW(queue_max), "10000",
	"messages not yet handed on with which fetching pauses",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_MAILBOXES", RAW(mailboxes), "INBOX",
	"mailboxes to follow, with commas between: NAME or NAME=FOLDER",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_BACKFILL", RAW(backfill), "all",
	"mail that is there at the first start: all, new (none), or how many",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_INSECURE", RAW(insecure), "false",
	"true: with *_SSL=false, send credentials in clear to any host",
	SCOPE_INHERITED},
    {"TRI_ONYX_TLS_CA_FILE", TEXT(ca_file), NULL,
	"PEM file of trusted certificates instead of the system's",
	SCOPE_INHERITED},
};

/* Each is also read from the file that NAME_FILE names. */
static const struct secret_variable {
	const char *name;
	const char *file_name;
	size_t offset;
	const char *help;
	enum scope scope;
} secret_variables[] = {
    {"TRI_ONYX_IMAP_PASSWORD", "TRI_ONYX_IMAP_PASSWORD_FILE",
	offsetof(struct config, imap_password), "password for login",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_PASSWORD", "TRI_ONYX_SMTP_PASSWORD_FILE",
	offsetof(struct config, smtp_password), "the IMAP one if not set",
	SCOPE_ACCOUNT},
    {"TRI_ONYX_OAUTH2_CLIENT_SECRET", "TRI_ONYX_OAUTH2_CLIENT_SECRET_FILE",
	offsetof(struct config, client_secret),
	"of a confidential client; a public one has none", SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_REFRESH_TOKEN", "TRI_ONYX_OAUTH2_REFRESH_TOKEN_FILE",
	offsetof(struct config, refresh_token),
	"seeds a token helper of our own; without it mailtokend is asked",
	SCOPE_PROCESS},
    {"TRI_ONYX_CONNECTOR_TOKEN", "TRI_ONYX_CONNECTOR_TOKEN_FILE",
	offsetof(struct config, connector_token),
	"shared with the gateway; without it its WebSocket is not used",
	SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_HOOK_SECRET", "TRI_ONYX_EMAIL_HOOK_SECRET_FILE",
	offsetof(struct config, hook_secret),
	"signing secret of the webhook's endpoint", SCOPE_ACCOUNT},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char **
text_at(const struct variable *v, struct config *config, struct raw *raw)
{
	char *base = v->raw_offset == NULL_RAW ? (char *)config : (char *)raw;
	size_t offset =
	    v->raw_offset == NULL_RAW ? v->config_offset : v->raw_offset;

	return (char **)(void *)(base + offset);
}

static struct secret *
secret_at(const struct secret_variable *v, struct config *config)
{
	return (struct secret *)(void *)((char *)config + v->offset);
}

void
config_init(struct config *config, struct secret_arena *arena)
{
	*config = (struct config){0};
	for (size_t i = 0; i < COUNT(secret_variables); i++)
		secret_init(secret_at(&secret_variables[i], config), arena);
}

static void
free_texts(struct config *config, struct raw *raw)
{
	for (size_t i = 0; i < COUNT(variables); i++) {
		bool is_raw = variables[i].raw_offset != NULL_RAW;
		if (is_raw ? !raw : !config)
			continue;
		free(*text_at(&variables[i], config, raw));
		*text_at(&variables[i], config, raw) = NULL;
	}
}

void
config_done(struct config *config)
{
	free_texts(config, NULL);
	mailboxes_done(&config->mailboxes);
	free(config->name);
	config->name = NULL;
	for (size_t i = 0; i < COUNT(secret_variables); i++)
		secret_done(secret_at(&secret_variables[i], config));
}

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
	char *text[COUNT(variables)];
	char *secret_file[COUNT(secret_variables)];
};

static const char *
value_of(size_t variable, const struct file *file)
{
	const struct variable *v = &variables[variable];

	if (file && file->text[variable])
		return file->text[variable];
	return file && v->scope == SCOPE_ACCOUNT ? NULL : environment(v->name);
}

/* `file` NULL: of the environment's account. */
static enum mt_status
read_texts(struct config *config, struct raw *raw, const struct file *file,
    struct mt_error *err)
{
	for (size_t i = 0; i < COUNT(variables); i++) {
		const char *value = value_of(i, file);
		char **text = text_at(&variables[i], config, raw);

		if (!value)
			value = variables[i].otherwise;
		if (!value)
			continue;
		if (has_control_character(value))
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s holds a control character", variables[i].name);
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
	for (size_t i = 0; i < COUNT(secret_variables); i++) {
		const struct secret_variable *v = &secret_variables[i];
		struct secret *secret = secret_at(v, config);
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
	for (size_t i = 0; i < COUNT(secret_variables); i++) {
		if (file->secret_file[i] &&
		    secret_read_file(secret_at(&secret_variables[i], config),
			file->secret_file[i], err) != MT_OK)
			return MT_BAD_CONFIG;
	}
	return MT_OK;
}

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
read_servers(struct config *config, const struct raw *raw, struct mt_error *err)
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

static enum mt_status
default_to(char **text, const char *other, struct mt_error *err)
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
read_choices(struct config *config, const struct raw *raw, struct mt_error *err)
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
    struct config *config, const struct raw *raw, struct mt_error *err)
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

static enum mt_status
interpret(struct config *config, const struct raw *raw, struct mt_error *err)
{
	enum mt_status status;

	if ((status = check_words(config, err)) != MT_OK ||
	    (status = default_to(&config->smtp_host, config->imap_host, err)) !=
		MT_OK ||
	    (status = default_to(&config->smtp_username, config->imap_username,
		 err)) != MT_OK ||
	    (status = default_to(&config->from, config->smtp_username, err)) !=
		MT_OK ||
	    (status = read_choices(config, raw, err)) != MT_OK ||
	    (status = read_handing_on(config, raw, err)) != MT_OK ||
	    (status = read_servers(config, raw, err)) != MT_OK)
		return status;
	return choose_credentials(config, err);
}

enum mt_status
config_read(struct config *config, struct mt_error *err)
{
	struct raw raw = {0};
	enum mt_status status;

	/* secrets first: they leave the environment whatever else is wrong */
	status = read_secrets(config, err);
	if (status == MT_OK)
		status = read_texts(config, &raw, NULL, err);
	if (status == MT_OK && config->imap_host)
		status = interpret(config, &raw, err);
	if (status == MT_OK && config->imap_host)
		status = default_to(&config->name, config->imap_username, err);
	free_texts(NULL, &raw);
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
	for (size_t i = 0; i < COUNT(variables); i++)
		if (variables[i].scope != SCOPE_PROCESS &&
		    is_setting(name, variables[i].name))
			return &file->text[i];
	for (size_t i = 0; i < COUNT(secret_variables); i++)
		if (secret_variables[i].scope != SCOPE_PROCESS &&
		    is_setting(name, secret_variables[i].file_name))
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
	for (size_t i = 0; i < COUNT(variables); i++)
		free(file->text[i]);
	for (size_t i = 0; i < COUNT(secret_variables); i++)
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
	struct raw raw = {0};
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
		status = interpret(config, &raw, err);
	free_texts(NULL, &raw);
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
		status = default_to(&config->name, name, err);
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

void
config_print_help(FILE *out)
{
	for (size_t i = 0; i < COUNT(variables); i++) {
		const struct variable *v = &variables[i];
		fprintf(out, "  %s%s%s\n      %s\n", v->name,
		    v->otherwise ? "=" : "", v->otherwise ? v->otherwise : "",
		    v->help);
	}
	for (size_t i = 0; i < COUNT(secret_variables); i++)
		fprintf(out, "  %s (or %s)\n      %s\n",
		    secret_variables[i].name, secret_variables[i].file_name,
		    secret_variables[i].help);
}
