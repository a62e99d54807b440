/* SPDX-License-Identifier: ISC */
/*
 * The inside of the settings, for config_table.c (which there are), config.c
 * (where their texts come from) and config_values.c (what the texts mean) only.
 */
#ifndef MT_CONNECTOR_CONFIG_IMPL_H
#define MT_CONNECTOR_CONFIG_IMPL_H

#include "config.h"

#include <stddef.h>

/* The raw text of the variables that are more than text. */
struct config_raw {
	char *imap_port;
	char *imap_ssl;
	char *smtp_port;
	char *smtp_ssl;
	char *auth;
	char *poll_interval;
	char *uncertain;
	char *sent_copy;
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
enum config_scope {
	CONFIG_SCOPE_ACCOUNT, /* each account's own */
	CONFIG_SCOPE_INHERITED, /* likewise; who says nothing has the environment's */
	CONFIG_SCOPE_PROCESS, /* one for all: the environment's */
};

struct config_variable {
	const char *name;
	size_t config_offset; /* where the text goes, or SIZE_MAX */
	size_t raw_offset;    /* the same in struct config_raw */
	const char *otherwise;
	const char *help;
	enum config_scope scope;
};

/* Each is also read from the file that NAME_FILE names. */
struct config_secret_variable {
	const char *name;
	const char *file_name;
	size_t offset;
	const char *help;
	enum config_scope scope;
};

#define CONFIG_VARIABLES_MAX 64
#define CONFIG_SECRETS_MAX 8

extern const struct config_variable config_variables[];
extern const size_t config_variable_count; /* at most CONFIG_VARIABLES_MAX */
extern const struct config_secret_variable config_secrets[];
extern const size_t config_secret_count; /* at most CONFIG_SECRETS_MAX */

/* Where the text of a variable is kept. */
char **config_text_at(const struct config_variable *variable,
    struct config *config, struct config_raw *raw);
struct secret *config_secret_at(
    const struct config_secret_variable *variable, struct config *config);

/* Releases the texts of both; either may be NULL. */
void config_free_texts(struct config *config, struct config_raw *raw);

/* Gives *text a value unless it has one. */
enum mt_status config_default_to(
    char **text, const char *other, struct mt_error *err) MT_MUST_CHECK;

/* Fills the config from all that was read, and judges it. */
enum mt_status config_interpret(struct config *config,
    const struct config_raw *raw, struct mt_error *err) MT_MUST_CHECK;

#endif
