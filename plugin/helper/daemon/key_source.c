/* SPDX-License-Identifier: ISC */
#include "key_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum mt_status
check_size(const struct secret *own, const char *path, struct mt_error *err)
{
	if (secret_ok(own) && own->len == SEAL_KEY_BYTES)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s does not hold exactly %d random bytes, as 'head -c %d "
	    "/dev/urandom' gives",
	    path, SEAL_KEY_BYTES, SEAL_KEY_BYTES);
}

/* What others can read is no secret, and what they can write no key. */
static enum mt_status
check_mode(const char *path, const struct stat *st, struct mt_error *err)
{
	if (!S_ISREG(st->st_mode))
		return mt_fail(err, MT_BAD_CONFIG, "%s is no file", path);
	if (st->st_mode & (S_IRWXO | S_IWGRP))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is open to others; chmod g-w,o= it", path);
	return MT_OK;
}

static enum mt_status
read_bytes(int fd, const char *path, struct secret *own, struct mt_error *err)
{
	char bytes[SEAL_KEY_BYTES + 1]; /* one more shows that it is too long */
	ssize_t n;

	do
		n = read(fd, bytes, sizeof(bytes));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot read %s", path);
	secret_reset(own);
	secret_add(own, bytes, (size_t)n);
	explicit_bzero(bytes, sizeof(bytes));
	return check_size(own, path, err);
}

static enum mt_status
read_path(const char *path, struct secret *own, struct mt_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum mt_status status;
	struct stat st;

	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	if (fstat(fd, &st))
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot read %s", path);
	else
		status = check_mode(path, &st, err);
	if (status == MT_OK)
		status = read_bytes(fd, path, own, err);
	close(fd);
	return status;
}

static enum mt_status
read_credential(const char *name, struct secret *own, struct mt_error *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	if (!dir || *dir != '/')
		return mt_fail(err, MT_BAD_CONFIG,
		    "the credential %s is not there: the service manager gave "
		    "no CREDENTIALS_DIRECTORY; the unit needs "
		    "LoadCredentialEncrypted=%s:... or LoadCredential=%s:...",
		    name, name, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return read_path(path, own, err);
}

static enum mt_status
read_default(const struct store *store, struct secret *own, bool *ret_found,
    struct mt_error *err)
{
	char path[PATH_MAX];
	enum mt_status status =
	    store_read_file(store, KEY_SOURCE_DEFAULT, own, ret_found, err);

	if (status != MT_OK || !*ret_found)
		return status;
	snprintf(
	    path, sizeof(path), "%s/" KEY_SOURCE_DEFAULT, store_path(store));
	return check_size(own, path, err);
}

enum mt_status
key_source_read(const struct store *store, const struct key_slot *slot,
    struct secret *own, struct mt_error *err)
{
	enum mt_status status;
	bool found;

	if (slot->kind == KEY_SLOT_CREDENTIAL)
		return read_credential(slot->name, own, err);
	if (*slot->name)
		return read_path(slot->name, own, err);
	status = read_default(store, own, &found, err);
	if (status == MT_OK && !found)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s/" KEY_SOURCE_DEFAULT " is missing; put it back",
		    store_path(store));
	return status;
}

enum mt_status
key_source_make(const struct store *store, const struct key_slot *slot,
    struct secret *own, struct mt_error *err)
{
	enum mt_status status;
	bool found = true;

	if (slot->kind != KEY_SLOT_FILE || *slot->name)
		return key_source_read(store, slot, own, err);
	status = read_default(store, own, &found, err);
	if (status != MT_OK || found)
		return status;
	secret_reset(own);
	seal_add_random(own, SEAL_KEY_BYTES);
	return store_write_file(store, KEY_SOURCE_DEFAULT, own, err);
}

/* `key_file` may name the file in the state directory, by any path. */
static bool
is_default(const struct store *store, const char *path)
{
	struct stat named, own;
	char default_path[PATH_MAX];

	snprintf(default_path, sizeof(default_path), "%s/" KEY_SOURCE_DEFAULT,
	    store_path(store));
	return stat(default_path, &own) == 0 && stat(path, &named) == 0 &&
	       own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

void
key_source_remove_others(const struct store *store, const struct key_slot *slot)
{
	bool needed = slot->kind == KEY_SLOT_FILE &&
		      (!*slot->name || is_default(store, slot->name));

	if (!needed)
		store_remove_file(store, KEY_SOURCE_DEFAULT);
}
