/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/settings_files.h"
#include "tokensock/account_name.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_CREDENTIALS "client_credentials"
#define GENERIC "generic"      /* the provider that has nothing set */
#define USERS_ACCOUNTS_MAX 100 /* of one who is not the administrator */

/* What reading one file needs to know. */
struct reader {
	const struct config_source *source;
	struct config *config;
	uid_t owner;
	size_t settled; /* accounts of the files before */
	/* Many accounts have the same provider: the one read last is kept. */
	struct provider provider;
	const char *provider_name;
	struct account_settings *account; /* of the section, or NULL */
};

static enum mt_status
check_line(const char *value, struct mt_error *err)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return mt_fail(err, MT_BAD_CONFIG,
			    "the value holds a control character");
	return MT_OK;
}

static enum mt_status
check_user(const char *value, struct mt_error *err)
{
	if (strlen(value) > CONFIG_USER_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    "a login name has at most %d bytes", CONFIG_USER_MAX);
	return check_line(value, err);
}

static enum mt_status
check_grant(const char *value, struct mt_error *err)
{
	if (strcmp(value, "authorization_code") == 0 ||
	    strcmp(value, CLIENT_CREDENTIALS) == 0)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is neither authorization_code nor " CLIENT_CREDENTIALS,
	    value);
}

bool
account_settings_app_only(const struct account_settings *settings)
{
	return settings->grant &&
	       strcmp(settings->grant, CLIENT_CREDENTIALS) == 0;
}

static const struct setting account_settings[] = {
    {"provider", offsetof(struct account_settings, provider_name),
	provider_check_name},
    {"user", offsetof(struct account_settings, user), check_user},
    {"imap_user", offsetof(struct account_settings, service_user[SERVICE_IMAP]),
	check_user},
    {"smtp_user", offsetof(struct account_settings, service_user[SERVICE_SMTP]),
	check_user},
    {"pop_user", offsetof(struct account_settings, service_user[SERVICE_POP]),
	check_user},
    {"sieve_user",
	offsetof(struct account_settings, service_user[SERVICE_SIEVE]),
	check_user},
    {"lmtp_user", offsetof(struct account_settings, service_user[SERVICE_LMTP]),
	check_user},
    {"other_user",
	offsetof(struct account_settings, service_user[SERVICE_OTHER]),
	check_user},
    {"login_user", offsetof(struct account_settings, login_user), check_user},
    {"grant", offsetof(struct account_settings, grant), check_grant},
    {"client_id", offsetof(struct account_settings, client_id), check_line},
    {"client_secret_file",
	offsetof(struct account_settings, client_secret_file), NULL},
    {"ca_file", offsetof(struct account_settings, ca_file), NULL},
    {NULL, 0, NULL},
};

static enum mt_status
check_absolute(const char *value, struct mt_error *err)
{
	if (*value != '/')
		return mt_fail(
		    err, MT_BAD_CONFIG, "'%s' is not an absolute path", value);
	return check_line(value, err);
}

static enum mt_status
check_bool(const char *value, struct mt_error *err)
{
	bool ignored;

	if (!settings_bool(value, &ignored))
		return mt_fail(
		    err, MT_BAD_CONFIG, "'%s' is neither yes nor no", value);
	return MT_OK;
}

static enum mt_status
check_duration(const char *value, struct mt_error *err)
{
	long ignored;

	if (settings_duration(value, &ignored))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "'%s' is not a length of time like 90min, 12h or 7d", value);
}

static const struct setting top_settings[] = {
    {"admin_socket", offsetof(struct config, admin_socket), check_absolute},
    {"hook_repeat", offsetof(struct config, hook_repeat), check_duration},
    {"state_dir", offsetof(struct config, state_dir), NULL},
    {"key_file", offsetof(struct config, key_file), check_absolute},
    {"key_credential", offsetof(struct config, key_credential),
	provider_check_name},
    {"key_passphrase", offsetof(struct config, key_passphrase), check_bool},
    {NULL, 0, NULL},
};

/* Calls `take` for each word of `value`. */
static enum mt_status
each_word(const char *value,
    enum mt_status (*take)(
	struct account_settings *, const char *, struct mt_error *),
    struct account_settings *account, struct mt_error *err)
{
	char *copy = strdup(value), *rest = copy, *word;
	enum mt_status status = MT_OK;

	if (!copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	while (status == MT_OK && (word = strsep(&rest, " \t")))
		if (*word)
			status = take(account, word, err);
	free(copy);
	return status;
}

static const char *const permit_words[PERMIT_COUNT] = {
    [PERMIT_GET] = "get",
    [PERMIT_GIT_CREDENTIAL] = "git-credential",
    [PERMIT_SOCKETMAP] = "socketmap",
};

const char *
permit_word(enum permit permit)
{
	return permit_words[permit];
}

enum permit
permit_by_word(const char *word)
{
	int permit = 0;

	while (permit < PERMIT_COUNT && strcmp(permit_words[permit], word) != 0)
		permit++;
	return (enum permit)permit;
}

static enum mt_status
take_permit(
    struct account_settings *account, const char *word, struct mt_error *err)
{
	enum permit permit = permit_by_word(word);

	if (permit == PERMIT_COUNT)
		return mt_fail(err, MT_BAD_CONFIG,
		    "permit: '%s' is unknown; there are get, git-credential "
		    "and socketmap",
		    word);
	account->permit[permit] = true;
	return MT_OK;
}

static bool
find_uid(const char *name, id_t *ret_id)
{
	const struct passwd *user;
	long number;

	if (settings_number(name, 0, INT_MAX, &number)) {
		*ret_id = (id_t)number;
		return true;
	}
	user = getpwnam(name);
	if (user)
		*ret_id = user->pw_uid;
	return user != NULL;
}

static bool
find_gid(const char *name, id_t *ret_id)
{
	const struct group *group;
	long number;

	if (settings_number(name, 0, INT_MAX, &number)) {
		*ret_id = (id_t)number;
		return true;
	}
	group = getgrnam(name);
	if (group)
		*ret_id = group->gr_gid;
	return group != NULL;
}

static enum mt_status
take_allow(
    struct account_settings *account, const char *word, struct mt_error *err)
{
	struct allow entry = {.is_group = strncmp(word, "gid:", 4) == 0};
	struct allow *grown;

	if (!entry.is_group && strncmp(word, "uid:", 4) != 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "allow: '%s' is neither uid:NAME nor gid:NAME", word);
	if (entry.is_group ? !find_gid(word + 4, &entry.id)
			   : !find_uid(word + 4, &entry.id))
		return mt_fail(err, MT_BAD_CONFIG,
		    "allow: there is no %s '%s' on this machine",
		    entry.is_group ? "group" : "user", word + 4);
	grown = reallocarray(
	    account->allow, account->allow_count + 1, sizeof(*grown));
	if (!grown)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	grown[account->allow_count++] = entry;
	account->allow = grown;
	return MT_OK;
}

static enum mt_status
take_account_setting(struct account_settings *account,
    const struct settings_line *line, struct mt_error *err)
{
	enum mt_status status;

	if (strcmp(line->name, "permit") == 0)
		return each_word(line->value, take_permit, account, err);
	if (strcmp(line->name, "allow") == 0)
		return each_word(line->value, take_allow, account, err);
	status = setting_apply(
	    account_settings, account, line->name, line->value, err);
	if (status == MT_NO_ACCOUNT)
		status = setting_apply(provider_settings, &account->provider,
		    line->name, line->value, err);
	return status == MT_NO_ACCOUNT ? MT_BAD_CONFIG : status;
}

static enum mt_status
open_account(struct reader *reader, const char *section, struct mt_error *err)
{
	struct config *config = reader->config;
	const char *name = section + strlen("account");
	struct account_settings **grown, *account;
	size_t theirs = 0;

	if (strncmp(section, "account", strlen("account")) != 0 ||
	    (*name != ' ' && *name != '\t'))
		return mt_fail(err, MT_BAD_CONFIG,
		    "unknown section '%s'; only [account NAME] is known",
		    section);
	name += strspn(name, " \t");
	if (!account_name_is_good(name, strlen(name)))
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' cannot be an account's name: letters, digits, '.', "
		    "'_', '@' and '-', a letter or digit first, at most %d",
		    name, ACCOUNT_NAME_MAX);
	for (size_t i = 0; i < config->account_count; i++) {
		theirs += config->accounts[i]->owner == reader->owner;
		if (strcmp(config->accounts[i]->name, name) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    "account '%s' is defined a second time, after a "
			    "file of uid %lu",
			    name, (unsigned long)config->accounts[i]->owner);
	}
	if (theirs >= USERS_ACCOUNTS_MAX &&
	    !settings_owner_is_trusted(reader->owner))
		return mt_fail(err, MT_BAD_CONFIG,
		    "more than %d accounts of uid %lu", USERS_ACCOUNTS_MAX,
		    (unsigned long)reader->owner);
	grown = reallocarray(
	    config->accounts, config->account_count + 1, sizeof(*grown));
	if (!grown)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	config->accounts = grown;
	account = calloc(1, sizeof(*account));
	if (!account)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	grown[config->account_count++] = account;
	reader->account = account;
	secret_init(&account->client_secret, reader->source->arena);
	account->owner = reader->owner;
	account->name = strdup(name);
	return account->name ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

/* Adds a path to those of `socket` or `socketmap`. */
static enum mt_status
take_socket(const struct settings_line *line, char *paths[CONFIG_SOCKETS_MAX],
    size_t *count, struct mt_error *err)
{
	if (*line->value != '/')
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s: '%s' is not an absolute path", line->name,
		    line->value);
	if (*count == CONFIG_SOCKETS_MAX)
		return mt_fail(err, MT_BAD_CONFIG, "more than %d %ss",
		    CONFIG_SOCKETS_MAX, line->name);
	paths[*count] = strdup(line->value);
	if (!paths[*count])
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	++*count;
	return MT_OK;
}

static enum mt_status
take_admin_group(struct config *config, const char *name, struct mt_error *err)
{
	id_t id;

	if (!find_gid(name, &id))
		return mt_fail(err, MT_BAD_CONFIG,
		    "admin_group: there is no group '%s' on this machine",
		    name);
	config->admin_group = id;
	return MT_OK;
}

/* Of the helper itself: who owns an account's file owns that account, and decides
 * nothing for others. */
static enum mt_status
take_own_setting(struct reader *reader, const struct settings_line *line,
    struct mt_error *err)
{
	enum mt_status status;

	if (!settings_owner_is_trusted(reader->owner))
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' before the first [account] needs a file of root or "
		    "of the helper's user; this one belongs to uid %lu",
		    line->name, (unsigned long)reader->owner);
	if (strcmp(line->name, "socket") == 0)
		return take_socket(line, reader->config->sockets,
		    &reader->config->socket_count, err);
	if (strcmp(line->name, "socketmap") == 0)
		return take_socket(line, reader->config->socketmaps,
		    &reader->config->socketmap_count, err);
	if (strcmp(line->name, "admin_group") == 0)
		return take_admin_group(reader->config, line->value, err);
	if (strcmp(line->name, "hook") == 0)
		return hook_list_add(
		    &reader->config->hooks, line->value, reader->owner, err);
	status = setting_apply(
	    top_settings, reader->config, line->name, line->value, err);
	return status == MT_NO_ACCOUNT ? MT_BAD_CONFIG : status;
}

static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	struct reader *reader = context;

	if (!line->name)
		return open_account(reader, line->section, err);
	if (reader->account)
		return take_account_setting(reader->account, line, err);
	return take_own_setting(reader, line, err);
}

static enum mt_status
begin_file(void *context, const char *path, uid_t owner, struct mt_error *err)
{
	struct reader *reader = context;

	(void)path;
	(void)err;
	reader->owner = owner;
	reader->account = NULL;
	return MT_OK;
}

/*
 * The secret is read once, here.  Whoever owns the account's settings must not
 * make a helper that can read more than they can (root's) read another file for
 * them: it must be their own, unless they are root or the helper's user.
 */
static enum mt_status
read_client_secret(struct account_settings *account, struct mt_error *err)
{
	const char *path = account->client_secret_file;
	enum mt_status status = MT_OK;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	if (fstat(fd, &st))
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot read %s", path);
	else if (!settings_owner_is_trusted(account->owner) &&
		 account->owner != st.st_uid)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "%s belongs to uid %lu, the account to uid %lu", path,
		    (unsigned long)st.st_uid, (unsigned long)account->owner);
	else if (st.st_nlink > 0 && st.st_mode & (S_IRWXG & ~S_IRGRP))
		status = mt_fail(err, MT_BAD_CONFIG,
		    "%s can be written by its group; chmod g-w it", path);
	else if (st.st_nlink > 0 && st.st_mode & S_IRWXO)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "%s is open to everybody; chmod o= it", path);
	if (status == MT_OK)
		status = secret_read_fd(&account->client_secret, fd, path, err);
	close(fd);
	return status;
}

/* It is opened at each request, by a library that waits for whatever is there: an
 * account's owner must not be able to put a pipe in its place. */
static enum mt_status
check_ca_file(struct account_settings *account, struct mt_error *err)
{
	char real[PATH_MAX], *copy;
	enum mt_status status;

	if (!account->ca_file || settings_owner_is_trusted(account->owner))
		return MT_OK;
	status = fs_check_kept(account->ca_file, real, err);
	if (status != MT_OK)
		return status;
	copy = strdup(real);
	if (!copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	free(account->ca_file);
	account->ca_file = copy;
	return MT_OK;
}

static enum mt_status
check_required(const struct account_settings *account, struct mt_error *err)
{
	const struct {
		const char *name, *value;
	} required[] = {
	    {"user", account->user},
	    {"client_id", account->client_id},
	    {"token_endpoint", account->provider.token_endpoint
				   ? account->provider.token_endpoint
				   : account->provider.discovery},
	};

	for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++)
		if (!required[i].value)
			return mt_fail(err, MT_BAD_CONFIG, "'%s' is not set",
			    required[i].name);
	return MT_OK;
}

/* An application has its own scope, a secret, and a tenant that it is in. */
static enum mt_status
check_app_only(const struct account_settings *account, struct mt_error *err)
{
	static const char *const vague[] = {
	    "common", "organizations", "consumers"};
	const char *tenant = account->provider.tenant;

	if (!account->client_secret_file)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'grant = " CLIENT_CREDENTIALS "' needs "
		    "'client_secret_file'");
	for (size_t i = 0; tenant && i < sizeof(vague) / sizeof(*vague); i++)
		if (strcmp(tenant, vague[i]) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    "'grant = " CLIENT_CREDENTIALS "' needs a 'tenant' "
			    "that is one: its id or domain, not '%s'",
			    tenant);
	return MT_OK;
}

static enum mt_status
complete_provider(struct account_settings *account,
    const struct provider *provider, struct mt_error *err)
{
	const char *scope = account->provider.client_credentials_scope;

	if (!scope)
		scope = provider->client_credentials_scope;
	if (account_settings_app_only(account) && !account->provider.scope &&
	    scope && !(account->provider.scope = strdup(scope)))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	return provider_complete(&account->provider, provider, err);
}

static enum mt_status
complete_account(struct account_settings *account,
    const struct provider *provider, struct mt_error *err)
{
	struct mt_error why = {0};
	enum mt_status status = complete_provider(account, provider, &why);

	if (status == MT_OK)
		status = check_required(account, &why);
	if (status == MT_OK && account_settings_app_only(account))
		status = check_app_only(account, &why);
	if (status == MT_OK)
		status = check_ca_file(account, &why);
	if (status == MT_OK && account->client_secret_file)
		status = read_client_secret(account, &why);
	if (status == MT_OK)
		return MT_OK;
	return mt_fail(err, status, "account %s: %s", account->name, why.text);
}

static int
by_name(const void *a, const void *b)
{
	const struct account_settings *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static void
forget_provider(struct reader *reader)
{
	provider_done(&reader->provider);
	reader->provider_name = GENERIC;
}

static enum mt_status
take_provider(struct reader *reader, const char *name, struct mt_error *err)
{
	if (!name)
		name = GENERIC;
	if (strcmp(name, reader->provider_name) == 0)
		return MT_OK;
	provider_done(&reader->provider);
	reader->provider_name = name;
	return provider_read(
	    &reader->source->providers, name, &reader->provider, err);
}

/* The accounts of the file. */
static enum mt_status
end_file(void *context, struct mt_error *err)
{
	struct reader *reader = context;
	struct config *config = reader->config;
	enum mt_status status = MT_OK;

	for (size_t i = reader->settled;
	     status == MT_OK && i < config->account_count; i++) {
		struct account_settings *account = config->accounts[i];

		status = take_provider(reader, account->provider_name, err);
		if (status == MT_OK)
			status =
			    complete_account(account, &reader->provider, err);
	}
	if (status == MT_OK)
		reader->settled = config->account_count;
	return status;
}

static void
leave_out(void *context, const struct mt_error *why)
{
	struct reader *reader = context;
	struct config *config = reader->config;

	forget_provider(reader); /* its name may be one of theirs */
	while (config->account_count > reader->settled)
		account_settings_free(
		    &config->accounts[--config->account_count]);
	config->left_out++;
	log_error("left out, with all of its accounts: %s", why->text);
}

static enum mt_status
read_files(struct reader *reader, struct mt_error *err)
{
	const struct settings_files files = {
	    .file = reader->source->file,
	    .dir = reader->source->dir,
	    .begin = begin_file,
	    .line = take_line,
	    .end = end_file,
	    .left_out = leave_out,
	    .context = reader,
	};

	return settings_files_read(&files, err);
}

/* One key, one place. */
static enum mt_status
check_key(const struct config *config, struct mt_error *err)
{
	bool passphrase = false;

	if (config->key_passphrase)
		settings_bool(config->key_passphrase, &passphrase);
	if ((config->key_file != NULL) + (config->key_credential != NULL) +
		passphrase >
	    1)
		return mt_fail(err, MT_BAD_CONFIG,
		    "only one of key_file, key_credential and key_passphrase "
		    "can be set");
	return MT_OK;
}

enum mt_status
config_read(const struct config_source *source, struct config **ret_config,
    struct mt_error *err)
{
	struct config *config = calloc(1, sizeof(*config));
	struct reader reader = {
	    .source = source, .config = config, .provider_name = GENERIC};
	enum mt_status status;

	if (!config)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	config->admin_group = (gid_t)-1;
	status = read_files(&reader, err);
	forget_provider(&reader);
	if (status == MT_OK)
		status = check_key(config, err);
	if (status != MT_OK) {
		config_free(&config);
		return status;
	}
	if (config->account_count)
		qsort(config->accounts, config->account_count,
		    sizeof(*config->accounts), by_name);
	*ret_config = config;
	return MT_OK;
}

void
account_settings_free(struct account_settings **settings)
{
	struct account_settings *account = *settings;

	if (!account)
		return;
	for (const struct setting *s = account_settings; s->name; s++)
		free(*(char **)(void *)((char *)account + s->offset));
	provider_done(&account->provider);
	secret_done(&account->client_secret);
	free(account->allow);
	free(account->name);
	free(account);
	*settings = NULL;
}

void
config_free(struct config **config)
{
	struct config *c = *config;

	if (!c)
		return;
	for (size_t i = 0; i < c->socket_count; i++)
		free(c->sockets[i]);
	for (size_t i = 0; i < c->socketmap_count; i++)
		free(c->socketmaps[i]);
	for (size_t i = 0; i < c->account_count; i++)
		account_settings_free(&c->accounts[i]);
	free(c->accounts);
	for (const struct setting *s = top_settings; s->name; s++)
		free(*(char **)(void *)((char *)c + s->offset));
	hook_list_done(&c->hooks);
	free(c);
	*config = NULL;
}
