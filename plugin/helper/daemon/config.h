/* SPDX-License-Identifier: ISC */
/*
 * The settings of the daemon: where it listens, where it keeps its state, and
 * the accounts (mailtoken.conf(5)).  Errors name file and line.
 */
#ifndef MT_DAEMON_CONFIG_H
#define MT_DAEMON_CONFIG_H

#include "hooks/hook_list.h"
#include "provider.h"

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONFIG_SOCKETS_MAX 16
#define CONFIG_USER_MAX 1024 /* bytes in a login name */

/* Ways to hand a token to a caller who need not say where it goes. */
enum permit {
	PERMIT_GET,
	PERMIT_GIT_CREDENTIAL,
	PERMIT_SOCKETMAP,
	PERMIT_COUNT
};

/* The word for it in `permit` ("get"). */
const char *permit_word(enum permit permit);

/* PERMIT_COUNT for an unknown word. */
enum permit permit_by_word(const char *word);

/* One word of `allow`. */
struct allow {
	bool is_group;
	id_t id;
};

struct account_settings {
	char *name;
	uid_t owner; /* of the file that defines the account */
	char *provider_name;
	struct provider provider; /* what counts, after everything is read */
	bool discovered;          /* ... and what discovery brought */
	bool iss_unannounced;     /* by whom was discovered */
	char *user;
	char *login_user; /* who logs in, where it is another than `user` */
	char *grant;      /* a word, see account_settings_app_only() */
	char *service_user[SERVICE_COUNT]; /* where it is another than `user` */
	char *client_id;
	char *client_secret_file; /* NULL: a public client */
	struct secret client_secret;
	char *ca_file;
	bool permit[PERMIT_COUNT];
	struct allow *allow;
	size_t allow_count;
};

/* The application itself logs in (client credentials, RFC 6749 s4.4): no person,
 * no refresh token. */
bool account_settings_app_only(const struct account_settings *settings);

struct config {
	char *sockets[CONFIG_SOCKETS_MAX];
	size_t socket_count;
	char *socketmaps[CONFIG_SOCKETS_MAX];
	size_t socketmap_count;
	char *admin_socket; /* NULL: at its usual place */
	gid_t admin_group;  /* that may connect to it; (gid_t)-1: none */
	struct hook_list hooks;
	char *hook_repeat; /* a length of time */
	char *state_dir;   /* NULL: not set */
	/* How the store key is kept; at most one of them. */
	char *key_file;
	char *key_credential;
	char *key_passphrase;               /* yes or no */
	struct account_settings **accounts; /* sorted by name */
	size_t account_count;
	size_t left_out; /* files of other users that are no good */
};

/* Where to read from. */
struct config_source {
	const char *file; /* only this one, or NULL: ... */
	const char *dir; /* ... mailtoken.conf and accounts.d/ *.conf in here */
	struct provider_dirs providers;
	struct secret_arena *arena; /* for client secrets */
};

/* Reads everything.  Without `file`, missing files are not an error.
 * MT_BAD_CONFIG for whatever a person must mend; but in accounts.d/, a file that
 * belongs neither to root nor to the helper's user is then left out, with a line
 * in the log. */
enum mt_status config_read(const struct config_source *source,
    struct config **ret_config, struct mt_error *err) MT_MUST_CHECK;

void config_free(struct config **config);

void account_settings_free(struct account_settings **settings);

#endif
