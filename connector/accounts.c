/* SPDX-License-Identifier: ISC */
#include "accounts.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/stat.h>

static const char suffix[] = ".conf";
#define SUFFIX_LEN (sizeof(suffix) - 1)

/* What tells a file from the same one after a change. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct account {
	TAILQ_ENTRY(account) link;
	struct config own;     /* of a file */
	struct config *config; /* that one, or the environment's */
	struct operations *operations;
	struct account *before; /* the one that it replaces; NULL: none */
	struct stamp stamp;
	bool found; /* in this reading of the directory */
	bool unwanted;
	bool used;
};

struct accounts {
	struct config *environment;
	struct resources *resources;
	struct secret_arena *arena;
	TAILQ_HEAD(, account) list;
};

static struct account *
account_new(struct accounts *a)
{
	struct account *account = calloc(1, sizeof(*account));

	if (!account)
		return NULL;
	config_init(&account->own, a->arena);
	account->config = &account->own;
	return account;
}

static void
account_free(struct account *account)
{
	operations_close(&account->operations);
	config_done(&account->own);
	free(account);
}

static enum mt_status
open_account(struct accounts *a, struct account *account, struct mt_error *err)
{
	enum mt_status status = operations_open(
	    &account->operations, account->config, a->resources, err);

	if (status == MT_OK)
		TAILQ_INSERT_TAIL(&a->list, account, link);
	else
		account_free(account);
	return status;
}

static enum mt_status
open_environment(struct accounts *a, struct mt_error *err)
{
	struct account *account;

	if (!a->environment->imap_host)
		return MT_OK;
	account = account_new(a);
	if (!account)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	account->config = a->environment;
	return open_account(a, account, err);
}

/* ---- files ---- */

static bool
read_stamp(const char *path, struct stamp *ret_stamp)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	*ret_stamp = (struct stamp){
	    .device = st.st_dev,
	    .inode = st.st_ino,
	    .size = st.st_size,
	    .changed = st.st_ctim,
	};
	return true;
}

static bool
same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct account *
find_wanted(const struct accounts *a, const char *name)
{
	struct account *account;

	TAILQ_FOREACH(account, &a->list, link)
	if (!account->unwanted && strcmp(account->config->name, name) == 0)
		return account;
	return NULL;
}

/* Two that follow one mailbox would deliver everything twice. */
static enum mt_status
check_mailbox(
    const struct accounts *a, const struct config *config, struct mt_error *err)
{
	const struct account *other;

	TAILQ_FOREACH(other, &a->list, link)
	{
		const struct config *its = other->config;
		if (other->unwanted || strcmp(its->name, config->name) == 0 ||
		    strcasecmp(its->imap_host, config->imap_host) != 0 ||
		    its->imap.port != config->imap.port ||
		    strcmp(its->imap_username, config->imap_username) != 0)
			continue;
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s%s: its mailbox is that of account %s already",
		    config->name, suffix, its->name);
	}
	return MT_OK;
}

/* Why the environment's account could not have this name. */
static enum mt_status
check_name(const struct accounts *a, const char *name, struct mt_error *err)
{
	const char *environments = a->environment->name;

	if (environments && strcmp(name, environments) == 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s%s: the account of TRI_ONYX_IMAP_USERNAME has this "
		    "name; choose another one for the file",
		    name, suffix);
	return MT_OK;
}

static enum mt_status
fill(struct accounts *a, struct config *config, const char *path,
    const char *name, struct mt_error *err)
{
	enum mt_status status = check_name(a, name, err);

	if (status == MT_OK)
		status =
		    config_read_file(config, path, name, a->environment, err);
	if (status == MT_OK)
		status = check_mailbox(a, config, err);
	return status;
}

/* The account takes the place of `before`, if there is one. */
static enum mt_status
read_account(struct accounts *a, const char *path, const char *name,
    const struct stamp *stamp, struct account *before, struct mt_error *err)
{
	struct account *account = account_new(a);
	enum mt_status status;

	if (!account)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	status = fill(a, &account->own, path, name, err);
	if (status != MT_OK) {
		account_free(account);
		return status;
	}
	config_log_warnings(&account->own);
	account->stamp = *stamp;
	account->before = before;
	return open_account(a, account, err);
}

static enum mt_status
take_file(struct accounts *a, const char *path, const char *name,
    const struct stamp *stamp, struct mt_error *err)
{
	struct account *before = find_wanted(a, name);
	enum mt_status status;

	if (before && before->config != a->environment &&
	    same_stamp(&before->stamp, stamp))
		return MT_OK;
	status = read_account(a, path, name, stamp, before, err);
	if (status == MT_OK && before)
		before->unwanted = true;
	return status;
}

/* The name of the account that the file defines; false: of none. */
static bool
read_name(const char *file, char *ret_name, size_t size)
{
	size_t len = strlen(file);

	if (*file == '.' || len <= SUFFIX_LEN ||
	    strcmp(file + len - SUFFIX_LEN, suffix) != 0)
		return false;
	return snprintf(ret_name, size, "%.*s", (int)(len - SUFFIX_LEN), file) <
	       (int)size;
}

/* What scandir(3) has found. */
static void
take_entry(struct accounts *a, const char *dir, const char *file)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct mt_error err = {0};
	struct stamp stamp;

	if (read_name(file, name, sizeof(name)) &&
	    snprintf(path, sizeof(path), "%s/%s", dir, file) <
		(int)sizeof(path) &&
	    read_stamp(path, &stamp) &&
	    take_file(a, path, name, &stamp, &err) != MT_OK)
		log_error("%s", err.text);
}

/* Its account goes on, unless the file says something else now. */
static void
note_entry(struct accounts *a, const char *file)
{
	char name[NAME_MAX + 1];
	struct account *account;

	if (!read_name(file, name, sizeof(name)))
		return;
	account = find_wanted(a, name);
	if (account)
		account->found = true;
}

/* Below 0: it cannot be read, which says nothing about the accounts. */
static int
list_directory(const char *dir, struct dirent ***ret_entries)
{
	int count = scandir(dir, ret_entries, NULL, alphasort);
	struct mt_error err;

	if (count < 0) {
		mt_fail_errno(&err, MT_BAD_CONFIG, errno,
		    "cannot read the accounts in %s", dir);
		log_error("%s", err.text);
	}
	return count;
}

/* Those whose files are gone end first: a new one may have their mailbox. */
void
accounts_reload(struct accounts *a)
{
	const char *dir = a->environment->accounts_dir;
	struct dirent **entries = NULL;
	struct account *account;
	int count = dir ? list_directory(dir, &entries) : -1;

	if (count < 0)
		return;
	TAILQ_FOREACH(account, &a->list, link)
	account->found = account->config == a->environment;
	for (int i = 0; i < count; i++)
		note_entry(a, entries[i]->d_name);
	TAILQ_FOREACH(account, &a->list, link)
	account->unwanted = account->unwanted || !account->found;
	for (int i = 0; i < count; i++) {
		take_entry(a, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

/* ---- all of them ---- */

enum mt_status
accounts_open(struct accounts **ret_accounts, struct config *environment,
    struct resources *resources, struct secret_arena *arena,
    struct mt_error *err)
{
	struct accounts *a = calloc(1, sizeof(*a));
	enum mt_status status;

	if (!a)
		return mt_fail(err, MT_NO_MEMORY, "no memory for accounts");
	a->environment = environment;
	a->resources = resources;
	a->arena = arena;
	TAILQ_INIT(&a->list);
	status = open_environment(a, err);
	if (status == MT_OK)
		accounts_reload(a);
	if (status == MT_OK && TAILQ_EMPTY(&a->list))
		status = mt_fail(err, MT_BAD_CONFIG,
		    "no account: TRI_ONYX_IMAP_HOST is not set, and no file "
		    "in %s defines one",
		    environment->accounts_dir ? environment->accounts_dir
					      : "TRI_ONYX_EMAIL_ACCOUNTS_DIR");
	if (status != MT_OK)
		accounts_close(&a);
	else
		*ret_accounts = a;
	return status;
}

void
accounts_close(struct accounts **accounts)
{
	struct accounts *a = *accounts;
	struct account *account;

	if (!a)
		return;
	while ((account = TAILQ_FIRST(&a->list))) {
		TAILQ_REMOVE(&a->list, account, link);
		account_free(account);
	}
	free(a);
	*accounts = NULL;
}

struct account *
accounts_next(const struct accounts *a, const struct account *before)
{
	return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&a->list);
}

struct operations *
account_operations(const struct account *account)
{
	return account->operations;
}

bool
account_is_wanted(const struct account *account)
{
	return !account->unwanted;
}

bool
account_is_ready(const struct account *account)
{
	return !account->unwanted && !account->used && !account->before;
}

void
account_use(struct account *account)
{
	account->used = true;
}

bool
account_is_used(const struct account *account)
{
	return account->used;
}

void
accounts_remove(struct accounts *a, struct account *account)
{
	struct account *other;

	TAILQ_REMOVE(&a->list, account, link);
	TAILQ_FOREACH(other, &a->list, link)
	if (other->before == account)
		other->before = account->before;
	account_free(account);
}
