/* SPDX-License-Identifier: ISC */
/*
 * The settings of an account: from the environment, whose names, defaults and
 * odd values are the contract with the gateway, or from a file that says the
 * same with other names (man page mailtoken-connector(8)).  An empty value
 * counts as not set.
 */
#ifndef MT_CONNECTOR_CONFIG_H
#define MT_CONNECTOR_CONFIG_H

#include "base/secret.h"
#include "base/status.h"
#include "mail/mail_server.h"
#include "mailboxes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum config_auth {
	CONFIG_AUTH_LOGIN,  /* a password */
	CONFIG_AUTH_OAUTH2, /* an access token of the token helper */
};

enum config_uncertain {
	CONFIG_UNCERTAIN_RETRY, /* send again with the same Message-ID */
	CONFIG_UNCERTAIN_HOLD,  /* keep it and say so */
};

/* What is done about the copy in Sent. */
enum config_sent_copy {
	CONFIG_SENT_COPY_AUTO,   /* as is known of the provider */
	CONFIG_SENT_COPY_SERVER, /* the server files it: that decides, too */
	CONFIG_SENT_COPY_APPEND, /* we do */
	CONFIG_SENT_COPY_NONE,
};

/* Text members are NULL when not set and owned by the config. */
struct config {
	char *name;   /* of the account in the state; never another */
	bool further; /* it comes from a file */
	struct mail_server imap;
	struct mail_server smtp;
	enum config_auth auth;
	char *imap_host; /* NULL: mail is not configured at all */
	char *imap_username;
	char *smtp_host;
	char *smtp_username;
	char *from;
	struct secret imap_password;
	struct secret smtp_password;

	/* for the private token helper; used only with a refresh token */
	char *client_id;
	char *tenant;
	char *token_url;
	char *scope;
	struct secret client_secret;
	struct secret refresh_token;

	/* handing on */
	char *gateway; /* ws:// or wss://; used only with a token */
	struct secret connector_token;
	int64_t agent_wait_ms;
	char *hook_url;
	struct secret hook_secret;
	char *command;
	bool events_to_stdout;
	uint64_t queue_max;

	char *agent;
	char *workspace;
	char *state_dir;
	char *ca_file;
	char *accounts_dir;
	char *socket;       /* of the gateway; used by `run` */
	char *socket_allow; /* as socket_users.h reads it */
	int64_t poll_interval_ms;
	struct mailboxes mailboxes;
	bool only_newest; /* at the first start, so many messages */
	uint32_t newest;
	enum config_uncertain uncertain;
	enum config_sent_copy sent_copy;
	char *sent_mailbox;   /* UTF-8; NULL: the server's */
	char *drafts_mailbox; /* likewise */
	bool keep_raw;
	bool allow_draft_path; /* a draft that nobody vouches for is sent */
	bool insecure;         /* the explicit opt-in to clear text */
};

/* An empty config whose secrets lie in `arena`. */
void config_init(struct config *config, struct secret_arena *arena);
void config_done(struct config *config);

/*
 * Reads the environment.  Secrets are taken out of it, so call it first of
 * all.  MT_BAD_CONFIG names the variable and what is allowed.  A config
 * without imap_host is valid and has nothing else set.
 */
enum mt_status config_read(
    struct config *config, struct mt_error *err) MT_MUST_CHECK;

/*
 * Reads an account from the file at `path`: the variables without TRI_ONYX_, in
 * small letters, secrets from *_file only.  What belongs to the process, and
 * what the file does not say, is as in `environment`, whose directories are
 * prepared.  MT_BAD_CONFIG names the file and the setting.
 */
enum mt_status config_read_file(struct config *config, const char *path,
    const char *name, const struct config *environment,
    struct mt_error *err) MT_MUST_CHECK;

/* Logs what an operator should know of at each start. */
void config_log_warnings(const struct config *config);

/* Tells whether a refresh token was given: then a private helper serves. */
static inline bool
config_wants_private_helper(const struct config *config)
{
	return config->auth == CONFIG_AUTH_OAUTH2 &&
	       config->refresh_token.len > 0;
}

/* Prints every variable with its default and meaning, from the same table. */
void config_print_help(FILE *out);

#endif
