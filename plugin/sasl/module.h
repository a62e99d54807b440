/* SPDX-License-Identifier: ISC */
/*
 * The module in one process: its settings, what they say of this program, and
 * where helpers may be.  Made when libsasl2 is initialised, read only from then
 * on.
 */
#ifndef MT_SASL_MODULE_H
#define MT_SASL_MODULE_H

#include "tokensock/module_settings.h"
#include "oauth_message.h"
#include "tokensock/token_client.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <stdbool.h>

struct module;

/* Behind a mechanism's glob_context. */
struct offered {
	struct module *module;
	enum oauth_mechanism mechanism;
};

struct module {
	struct module_settings settings;
	bool wanted;        /* `offer` names the program */
	bool first_step_ok; /* it takes no CONTINUE on the first step */
	bool pass_through;  /* its password may be a token */
	int held;           /* mechanisms that libsasl2 has not freed yet */
	struct offered offered[OAUTH_MECHANISMS];
	sasl_client_plug_t table[OAUTH_MECHANISMS];
};

/*
 * Reads the settings file `path` for the program called `program`; `module`
 * must be zero.  MT_BAD_CONFIG as module_settings_read().
 */
enum mt_status module_init(struct module *module, const char *path,
    const char *program, struct mt_error *err) MT_MUST_CHECK;

/* The socket that the program itself names, or NULL. */
const char *module_own_socket(const sasl_utils_t *utils);

/* Where helpers may be, in the order in which they are asked. */
void module_search_paths(const struct module *module, const sasl_utils_t *utils,
    struct token_paths *ret_paths);

/*
 * Whether this process may use an account.  libsasl2 picks mechanisms by rank
 * before it calls any of ours, so one that is offered without need would break
 * the logins of those who have a password.  Owner and mode of the sockets tell
 * who may use an account.  To root they tell nothing: such a program must be
 * named by the settings or by the environment.
 */
bool module_has_use(const struct module *module, const sasl_utils_t *utils);

/* The service's name as the helper knows it, or NULL for a service that is
 * none of ours. */
const char *module_mail_service(
    const struct module *module, const char *service);

#endif
