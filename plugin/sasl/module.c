/* SPDX-License-Identifier: ISC */
#include "module.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

enum mt_status
module_init(struct module *module, const char *path, const char *program,
    struct mt_error *err)
{
	struct module_settings *settings = &module->settings;
	enum mt_status status;

	module_settings_init(settings);
	status = module_settings_read(settings, path, err);
	module->wanted = module_settings_lists(settings->offer, program);
	module->first_step_ok =
	    module_settings_lists(settings->first_step_ok, program);
	module->pass_through =
	    module_settings_lists(settings->pass_through, program);
	return status;
}

const char *
module_own_socket(const sasl_utils_t *utils)
{
	const char *path = NULL;

	if (!utils->getopt || utils->getopt(utils->getopt_context, NULL,
				  "mailtoken_socket", &path, NULL) != SASL_OK)
		return NULL;
	return path && *path ? path : NULL;
}

void
module_search_paths(const struct module *module, const sasl_utils_t *utils,
    struct token_paths *ret_paths)
{
	const char *own = module_own_socket(utils);

	*ret_paths = (struct token_paths){0};
	if (own)
		token_paths_add(ret_paths, own);
	token_paths_add_environment(ret_paths);
	for (size_t i = 0; i < module->settings.sockets; i++)
		token_paths_add(ret_paths, module->settings.socket[i]);
	/* who names a program wants a helper for it, in its chroot, too */
	token_paths_add_standard(
	    ret_paths, module->wanted && !ret_paths->count);
}

bool
module_has_use(const struct module *module, const sasl_utils_t *utils)
{
	struct token_paths paths = {0};

	if (module_own_socket(utils) || module->pass_through)
		return true;
	if (geteuid() == 0)
		return token_paths_add_environment(&paths) || module->wanted;
	module_search_paths(module, utils, &paths);
	for (size_t i = 0; i < paths.count; i++)
		if (faccessat(AT_FDCWD, paths.path[i], W_OK, AT_EACCESS) == 0)
			return true;
	return false;
}

const char *
module_mail_service(const struct module *module, const char *service)
{
	static const char *const known[] = {
	    "imap", "smtp", "lmtp", "pop", "sieve"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcasecmp(service, known[i]) == 0)
			return known[i];
	return module_settings_lists(module->settings.services, service)
		   ? service
		   : NULL;
}
