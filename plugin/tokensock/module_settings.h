/* SPDX-License-Identifier: ISC */
/*
 * The settings of the SASL module, for all programs of the machine
 * (libmailtoken(7)).  They are read once, when a program initialises libsasl2:
 * later it may have changed its root directory and dropped its rights.
 */
#ifndef MT_TOKENSOCK_MODULE_SETTINGS_H
#define MT_TOKENSOCK_MODULE_SETTINGS_H

#include "base/status.h"
#include "tokensock/token_client.h"

#include <stdbool.h>
#include <sys/types.h>

#define MODULE_WORDS_MAX 256 /* bytes in a list of words, NUL counted */
#define MODULE_SOCKETS_MAX 4 /* with the others they fit in token_paths */

struct module_settings {
	char socket[MODULE_SOCKETS_MAX][TOKEN_SOCKET_PATH_MAX];
	size_t sockets;       /* before the standard ones */
	uid_t trusted_uid;    /* (uid_t)-1: nobody */
	bool below_passwords; /* rank after PLAIN and LOGIN */
	/* lists of words, space between */
	char services[MODULE_WORDS_MAX];
	char offer[MODULE_WORDS_MAX];
	char first_step_ok[MODULE_WORDS_MAX];
	char pass_through[MODULE_WORDS_MAX];
};

/* What holds without a file. */
void module_settings_init(struct module_settings *settings);

/*
 * Reads the file at `path`.  No file that this process may read: MT_OK and no
 * change.  MT_BAD_CONFIG, with file and line, when it holds anything unknown or
 * impossible; `settings` is then of no use.
 */
enum mt_status module_settings_read(struct module_settings *settings,
    const char *path, struct mt_error *err) MT_MUST_CHECK;

/* The user whose helper the file at `path` has programs trust besides root's and
 * their own; (uid_t)-1: nobody, or the file is no good. */
uid_t module_settings_trusted_uid(const char *path);

/* Whether `word` is in a list of words. */
bool module_settings_lists(const char *words, const char *word);

#endif
