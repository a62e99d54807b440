/* SPDX-License-Identifier: ISC */
#include "config_impl.h"

#include <stdint.h>
#include <stdlib.h>

#define TEXT(member) offsetof(struct config, member), NULL_RAW
#define NULL_RAW SIZE_MAX
#define RAW(member) SIZE_MAX, offsetof(struct config_raw, member)

const struct config_variable config_variables[] = {
    {"TRI_ONYX_IMAP_HOST", TEXT(imap_host), NULL,
	"IMAP server; without it mail is off", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_PORT", RAW(imap_port), "993", "its port",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_SSL", RAW(imap_ssl), "true",
	"true: TLS at once; false: STARTTLS required (not on loopback)",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_USERNAME", TEXT(imap_username), NULL, "login name",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_AUTH", RAW(auth), "login",
	"login (a password) or oauth2 (a token), for IMAP and SMTP",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_IMAP_POLL_INTERVAL", RAW(poll_interval), "300000",
	"milliseconds from the end of a poll to the next",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_SMTP_HOST", TEXT(smtp_host), NULL,
	"submission server; the IMAP server if not set", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_PORT", RAW(smtp_port), "587",
	"its port; 465 means TLS at once, any other STARTTLS",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_SSL", RAW(smtp_ssl), "true",
	"false: STARTTLS required (not on loopback)", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_USERNAME", TEXT(smtp_username), NULL,
	"login name; the IMAP one if not set", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_FROM", TEXT(from), NULL,
	"sender address; the SMTP login name if not set", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_UNCERTAIN", RAW(uncertain), "retry",
	"when the answer to a submission is lost: retry or hold",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_SENT_COPY", RAW(sent_copy), "auto",
	"copies in Sent: server (makes them), append (by us), none, or auto",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_SENT_MAILBOX", TEXT(sent_mailbox), NULL,
	"mailbox of sent mail; the server's own if not set",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_DRAFTS_MAILBOX", TEXT(drafts_mailbox), NULL,
	"mailbox of drafts; the server's own if not set", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_OAUTH2_CLIENT_ID", TEXT(client_id), NULL,
	"application (client) id; with a refresh token only",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_TENANT", TEXT(tenant), "common",
	"Microsoft tenant: id, domain, common, organizations, consumers",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_TOKEN_URL", TEXT(token_url), NULL,
	"token endpoint of another provider", CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_SCOPE", TEXT(scope), NULL, "scopes at that provider",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_AGENT", TEXT(agent), "email",
	"agent that gets the mail; names its directory", CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_WORKSPACE_DIR", TEXT(workspace), "./workspace",
	"directory above agents/", CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_STATE_DIR", TEXT(state_dir), NULL,
	"the connector's own state, outside the workspace",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_ACCOUNTS_DIR", TEXT(accounts_dir), NULL,
	"directory with a file NAME.conf for each further account",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_SOCKET", TEXT(socket), NULL,
	"socket on which `run` takes the gateway's requests",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_SOCKET_ALLOW", TEXT(socket_allow), NULL,
	"users that it is for, by name or number; root and its own are",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_ALLOW_DRAFT_PATH", RAW(allow_draft_path), "false",
	"true: the gateway may have a draft sent by its path alone",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_EMAIL_KEEP_RAW", RAW(keep_raw), "false",
	"true: keep raw.eml of every message, not of defective ones only",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_GATEWAY", TEXT(gateway), NULL,
	"gateway that wakes the agent; ws://localhost:PORT if not set",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_PORT", RAW(gateway_port), "4000", "that port",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_AGENT_WAIT", RAW(agent_wait), "1800",
	"seconds that an agent may take before it is told of more mail",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_HOOK_URL", TEXT(hook_url), NULL,
	"signed webhook instead, without a connector token",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_COMMAND", TEXT(command), NULL,
	"program to run for new mail; absolute path, no arguments",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_EVENTS", RAW(events), "none",
	"stdout: a JSON line on standard output for each message",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_QUEUE_MAX", RAW(queue_max), "10000",
	"messages not yet handed on with which fetching pauses",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_MAILBOXES", RAW(mailboxes), "INBOX",
	"mailboxes to follow, with commas between: NAME or NAME=FOLDER",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_EMAIL_BACKFILL", RAW(backfill), "all",
	"mail that is there at the first start: all, new (none), or how many",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_INSECURE", RAW(insecure), "false",
	"true: with *_SSL=false, send credentials in clear to any host",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_TLS_CA_FILE", TEXT(ca_file), NULL,
	"PEM file of trusted certificates instead of the system's",
	CONFIG_SCOPE_INHERITED},
};

const struct config_secret_variable config_secrets[] = {
    {"TRI_ONYX_IMAP_PASSWORD", "TRI_ONYX_IMAP_PASSWORD_FILE",
	offsetof(struct config, imap_password), "password for login",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_SMTP_PASSWORD", "TRI_ONYX_SMTP_PASSWORD_FILE",
	offsetof(struct config, smtp_password), "the IMAP one if not set",
	CONFIG_SCOPE_ACCOUNT},
    {"TRI_ONYX_OAUTH2_CLIENT_SECRET", "TRI_ONYX_OAUTH2_CLIENT_SECRET_FILE",
	offsetof(struct config, client_secret),
	"of a confidential client; a public one has none",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_OAUTH2_REFRESH_TOKEN", "TRI_ONYX_OAUTH2_REFRESH_TOKEN_FILE",
	offsetof(struct config, refresh_token),
	"seeds a token helper of our own; without it mailtokend is asked",
	CONFIG_SCOPE_PROCESS},
    {"TRI_ONYX_CONNECTOR_TOKEN", "TRI_ONYX_CONNECTOR_TOKEN_FILE",
	offsetof(struct config, connector_token),
	"shared with the gateway; without it its WebSocket is not used",
	CONFIG_SCOPE_INHERITED},
    {"TRI_ONYX_EMAIL_HOOK_SECRET", "TRI_ONYX_EMAIL_HOOK_SECRET_FILE",
	offsetof(struct config, hook_secret),
	"signing secret of the webhook's endpoint", CONFIG_SCOPE_ACCOUNT},
};

const size_t config_variable_count =
    sizeof(config_variables) / sizeof(*config_variables);
const size_t config_secret_count =
    sizeof(config_secrets) / sizeof(*config_secrets);

_Static_assert(sizeof(config_variables) / sizeof(*config_variables) <=
		   CONFIG_VARIABLES_MAX,
    "raise it");
_Static_assert(
    sizeof(config_secrets) / sizeof(*config_secrets) <= CONFIG_SECRETS_MAX,
    "raise it");

char **
config_text_at(const struct config_variable *v, struct config *config,
    struct config_raw *raw)
{
	char *base = v->raw_offset == NULL_RAW ? (char *)config : (char *)raw;
	size_t offset =
	    v->raw_offset == NULL_RAW ? v->config_offset : v->raw_offset;

	return (char **)(void *)(base + offset);
}

struct secret *
config_secret_at(const struct config_secret_variable *v, struct config *config)
{
	return (struct secret *)(void *)((char *)config + v->offset);
}

void
config_init(struct config *config, struct secret_arena *arena)
{
	*config = (struct config){0};
	for (size_t i = 0; i < config_secret_count; i++)
		secret_init(
		    config_secret_at(&config_secrets[i], config), arena);
}

void
config_free_texts(struct config *config, struct config_raw *raw)
{
	for (size_t i = 0; i < config_variable_count; i++) {
		bool is_raw = config_variables[i].raw_offset != NULL_RAW;
		if (is_raw ? !raw : !config)
			continue;
		free(*config_text_at(&config_variables[i], config, raw));
		*config_text_at(&config_variables[i], config, raw) = NULL;
	}
}

void
config_done(struct config *config)
{
	config_free_texts(config, NULL);
	mailboxes_done(&config->mailboxes);
	free(config->name);
	config->name = NULL;
	for (size_t i = 0; i < config_secret_count; i++)
		secret_done(config_secret_at(&config_secrets[i], config));
}

void
config_print_help(FILE *out)
{
	for (size_t i = 0; i < config_variable_count; i++) {
		const struct config_variable *v = &config_variables[i];
		fprintf(out, "  %s%s%s\n      %s\n", v->name,
		    v->otherwise ? "=" : "", v->otherwise ? v->otherwise : "",
		    v->help);
	}
	for (size_t i = 0; i < config_secret_count; i++)
		fprintf(out, "  %s (or %s)\n      %s\n", config_secrets[i].name,
		    config_secrets[i].file_name, config_secrets[i].help);
}
