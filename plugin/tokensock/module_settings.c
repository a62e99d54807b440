/* SPDX-License-Identifier: ISC */
#include "module_settings.h"

#include "base/settings.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void
module_settings_init(struct module_settings *settings)
{
	*settings = (struct module_settings){.trusted_uid = (uid_t)-1};
}

static enum mt_status
set_socket(struct module_settings *settings, void *field, const char *value,
    struct mt_error *err)
{
	(void)field;
	if (*value != '/' || strlen(value) >= TOKEN_SOCKET_PATH_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'socket' must be an absolute path of at most %zu bytes",
		    TOKEN_SOCKET_PATH_MAX - 1);
	if (settings->sockets == MODULE_SOCKETS_MAX)
		return mt_fail(err, MT_BAD_CONFIG, "more than %d sockets",
		    MODULE_SOCKETS_MAX);
	memcpy(settings->socket[settings->sockets++], value, strlen(value) + 1);
	return MT_OK;
}

static enum mt_status
set_rank(struct module_settings *settings, void *field, const char *value,
    struct mt_error *err)
{
	bool *below = field;

	(void)settings;
	*below = strcmp(value, "below-passwords") == 0;
	if (*below || strcmp(value, "above-passwords") == 0)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'rank' is above-passwords or below-passwords, not '%s'", value);
}

/* A name is looked up here, not later: then the program may be in a chroot. */
static enum mt_status
set_uid(struct module_settings *settings, void *field, const char *value,
    struct mt_error *err)
{
	struct passwd entry, *found = NULL;
	uid_t *uid = field;
	char space[4096];
	long number;

	(void)settings;
	if (settings_number(value, 0, INT_MAX, &number)) {
		*uid = (uid_t)number;
		return MT_OK;
	}
	if (getpwnam_r(value, &entry, space, sizeof(space), &found) || !found)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'trusted_uid': there is no user '%s'", value);
	*uid = entry.pw_uid;
	return MT_OK;
}

static enum mt_status
set_words(struct module_settings *settings, void *field, const char *value,
    struct mt_error *err)
{
	(void)settings;
	if (strlen(value) >= MODULE_WORDS_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the list is longer than %d bytes", MODULE_WORDS_MAX - 1);
	memcpy(field, value, strlen(value) + 1);
	return MT_OK;
}

static const struct {
	const char *name;
	enum mt_status (*set)(struct module_settings *settings, void *field,
	    const char *value, struct mt_error *err);
	size_t offset; /* of the field */
} table[] = {
    {"socket", set_socket, offsetof(struct module_settings, socket)},
    {"trusted_uid", set_uid, offsetof(struct module_settings, trusted_uid)},
    {"rank", set_rank, offsetof(struct module_settings, below_passwords)},
    {"services", set_words, offsetof(struct module_settings, services)},
    {"offer", set_words, offsetof(struct module_settings, offer)},
    {"first_step_ok", set_words,
	offsetof(struct module_settings, first_step_ok)},
    {"pass_through", set_words, offsetof(struct module_settings, pass_through)},
};

static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	struct module_settings *settings = context;

	if (!line->name)
		return mt_fail(
		    err, MT_BAD_CONFIG, "there are no sections in this file");
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(line->name, table[i].name) == 0)
			return table[i].set(settings,
			    (char *)settings + table[i].offset, line->value,
			    err);
	return mt_fail(err, MT_BAD_CONFIG,
	    "unknown setting '%s' (known: socket, trusted_uid, rank, services, "
	    "offer, first_step_ok, pass_through)",
	    line->name);
}

enum mt_status
module_settings_read(
    struct module_settings *settings, const char *path, struct mt_error *err)
{
	bool found;

	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
		return MT_OK;
	return settings_read(path, &found, take_line, settings, err);
}

uid_t
module_settings_trusted_uid(const char *path)
{
	struct module_settings settings;

	module_settings_init(&settings);
	return module_settings_read(&settings, path, NULL) == MT_OK
		   ? settings.trusted_uid
		   : (uid_t)-1;
}

bool
module_settings_lists(const char *words, const char *word)
{
	static const char between[] = " \t,";
	size_t len = strlen(word);

	for (words += strspn(words, between); *words;
	     words += strspn(words, between)) {
		size_t n = strcspn(words, between);
		if (n == len && memcmp(words, word, n) == 0)
			return true;
		words += n;
	}
	return false;
}
