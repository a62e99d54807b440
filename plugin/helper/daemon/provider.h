/* SPDX-License-Identifier: ISC */
/*
 * Providers: what is the same for every account at one mail service, namely
 * its OAuth endpoints, scopes and server names.  They are data files,
 * <directory>/<name>.conf, in the format of base/settings.h without sections;
 * `generic` is the empty one.  An account may override every value.
 */
#ifndef MT_DAEMON_PROVIDER_H
#define MT_DAEMON_PROVIDER_H

#include "base/buf.h"
#include "base/status.h"

#include <stddef.h>

enum mail_service {
	SERVICE_IMAP,
	SERVICE_SMTP,
	SERVICE_POP,
	SERVICE_SIEVE,
	SERVICE_LMTP,
	SERVICE_OTHER, /* what the settings of the module adds to these */
	SERVICE_COUNT
};

/* The name of a service as SASL has it ("imap"); "other". */
const char *mail_service_name(enum mail_service service);

/* All strings are NULL where nothing is set. */
struct provider {
	char *tenant; /* what {tenant} in an endpoint stands for */
	char *authorization_endpoint;
	char *authorization_params; /* words NAME=VALUE, for the address */
	char *device_authorization_endpoint;
	char *token_endpoint;
	char *revocation_endpoint;
	char *discovery; /* beneath it the document of the server lies */
	char *issuer;
	char *scope;
	char *client_credentials_scope; /* in place of it, for applications */
	char *resend_scope; /* a yes/no word: send `scope` with a refresh too */
	char *redirect_host;
	char *redirect_port; /* a number; NULL: any */
	char *mechanisms;    /* of its mail servers; for people to read */
	char *keep_alive;    /* a length of time: see refresh_keep_alive_s */
	char *host[SERVICE_COUNT]; /* servers that a token may go to */
};

/* One setting: its name, where its value goes, and what it must look like. */
struct setting {
	const char *name;
	size_t offset; /* of a char * within the struct */
	enum mt_status (*check)(const char *value, struct mt_error *err);
};

/* The settings of a provider, ended by one without a name; an account takes
 * the same ones.  Offsets are within struct provider. */
extern const struct setting provider_settings[];

/* Sets `name` in the struct at `base` by its table; MT_NO_ACCOUNT when the
 * table does not know the name, MT_BAD_CONFIG when the value is not good. */
enum mt_status setting_apply(const struct setting *table, void *base,
    const char *name, const char *value, struct mt_error *err) MT_MUST_CHECK;

/* A setting's check: a word that is safe as part of a file name or address. */
enum mt_status provider_check_name(const char *value, struct mt_error *err);

/* Where provider files are looked for, first hit. */
struct provider_dirs {
	const char *dir[2]; /* NULL: none */
};

/* Reads the provider called `name` into an empty *ret_provider. */
enum mt_status provider_read(const struct provider_dirs *dirs, const char *name,
    struct provider *ret_provider, struct mt_error *err) MT_MUST_CHECK;

/* The names of all providers that can be read, in order, separated by spaces;
 * `generic` among them. */
enum mt_status provider_names(const struct provider_dirs *dirs,
    struct buf *ret_names, struct mt_error *err) MT_MUST_CHECK;

/* Fills what `mine` leaves open from `base`, and puts the tenant into the
 * endpoints. */
enum mt_status provider_complete(struct provider *mine,
    const struct provider *base, struct mt_error *err) MT_MUST_CHECK;

void provider_done(struct provider *provider);

#endif
