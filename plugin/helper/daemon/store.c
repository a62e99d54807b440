/* SPDX-License-Identifier: ISC */
#include "store.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct store {
	char *path;
	int dir;
	int lock;
	/* Root works in somebody else's directory (mailtoken started without
	 * the daemon): the files are made theirs. */
	bool give;
	uid_t uid;
	gid_t gid;
	const struct seal_key *key;
};

#define NAME_SIZE 160

static enum mt_status
check_directory(struct store *store, struct mt_error *err)
{
	struct stat st;

	if (fstat(store->dir, &st))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot read %s", store->path);
	if (st.st_uid != geteuid() && geteuid() != 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state directory %s belongs to uid %lu, not to us",
		    store->path, (unsigned long)st.st_uid);
	if (st.st_mode & (S_IRWXG | S_IRWXO) && fchmod(store->dir, S_IRWXU))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot close %s", store->path);
	store->give = st.st_uid != geteuid();
	store->uid = st.st_uid;
	store->gid = st.st_gid;
	return MT_OK;
}

enum mt_status
store_open(const char *path, struct store **ret_store, struct mt_error *err)
{
	struct store *store;
	enum mt_status status = fs_make_dirs(path, S_IRWXU, err);

	if (status != MT_OK)
		return status;
	store = calloc(1, sizeof(*store));
	if (!store)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	store->lock = -1;
	store->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store->path = strdup(path);
	if (store->dir < 0)
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	else if (!store->path)
		status = mt_fail(err, MT_NO_MEMORY, "no memory");
	else
		status = check_directory(store, err);
	if (status != MT_OK) {
		store_free(&store);
		return status;
	}
	*ret_store = store;
	return MT_OK;
}

void
store_free(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	if (s->dir >= 0)
		close(s->dir);
	if (s->lock >= 0)
		close(s->lock);
	free(s->path);
	free(s);
	*store = NULL;
}

static void
ignore_signal(int number)
{
	(void)number;
}

/* F_OFD_SETLKW, ended by an alarm after `wait_s` seconds. */
static int
lock_within(int fd, unsigned int wait_s)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct sigaction interrupt = {.sa_handler = ignore_signal};
	struct sigaction before;
	int result, error;

	if (!wait_s)
		return fcntl(fd, F_OFD_SETLK, &whole);
	sigaction(SIGALRM, &interrupt, &before);
	alarm(wait_s);
	result = fcntl(fd, F_OFD_SETLKW, &whole);
	error = errno;
	alarm(0);
	sigaction(SIGALRM, &before, NULL);
	errno = error == EINTR ? EAGAIN : error;
	return result;
}

enum mt_status
store_lock(struct store *store, unsigned int wait_s, struct mt_error *err)
{
	store->lock = openat(store->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	if (store->lock < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot open %s/lock", store->path);
	if (store->give && fchown(store->lock, store->uid, store->gid))
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot give away %s/lock", store->path);
	if (lock_within(store->lock, wait_s) == 0)
		return MT_OK;
	if (errno != EAGAIN && errno != EACCES)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot lock %s/lock", store->path);
	return mt_fail(err, MT_RETRY_LATER,
	    "another token helper holds %s/lock", store->path);
}

const char *
store_path(const struct store *store)
{
	return store->path;
}

void
store_use_key(struct store *store, const struct seal_key *key)
{
	store->key = key;
}

const struct seal_key *
store_key(const struct store *store)
{
	return store->key;
}

static void
file_name(char name[NAME_SIZE], const char *account, const char *suffix)
{
	snprintf(name, NAME_SIZE, "%s.%s", account, suffix);
}

static enum mt_status
fail_write(const struct store *store, const char *name, int error,
    struct mt_error *err)
{
	return mt_fail_errno(err, MT_RETRY_LATER, error, "cannot write %s/%s",
	    store->path, name);
}

/* To its end, whatever it holds. */
static enum mt_status
read_whole(
    int fd, struct secret *ret_bytes, const char *path, struct mt_error *err)
{
	char chunk[4096];
	ssize_t n;
	int error;

	secret_reset(ret_bytes);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			secret_add(ret_bytes, chunk, (size_t)n);
	error = errno;
	explicit_bzero(chunk, sizeof(chunk));
	if (n < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, error, "cannot read %s", path);
	if (!secret_ok(ret_bytes))
		return mt_fail(err, MT_BAD_CONFIG, "%s is longer than %d bytes",
		    path, SECRET_MAX);
	return MT_OK;
}

enum mt_status
store_read_file(const struct store *store, const char *name,
    struct secret *ret_bytes, bool *ret_found, struct mt_error *err)
{
	char full[PATH_MAX];
	enum mt_status status;
	int fd;

	*ret_found = false;
	fd = openat(store->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return MT_OK;
	if (fd < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot open %s/%s", store->path, name);
	snprintf(full, sizeof(full), "%s/%s", store->path, name);
	status = read_whole(fd, ret_bytes, full, err);
	close(fd);
	*ret_found = status == MT_OK;
	return status;
}

enum mt_status
store_read(const struct store *store, const char *account, enum store_file file,
    struct secret *ret_bytes, bool *ret_found, struct mt_error *err)
{
	char name[NAME_SIZE];

	file_name(name, account, file == STORE_TOKEN ? "token" : "next");
	return store_read_file(store, name, ret_bytes, ret_found, err);
}

/* Opens one of the account's files for writing, as whoever owns the store. */
static int
open_for_writing(const struct store *store, const char *name, int flags)
{
	int fd = openat(store->dir, name,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags,
	    S_IRUSR | S_IWUSR);

	if (fd >= 0 && store->give && fchown(fd, store->uid, store->gid)) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/*
 * Writes all, synced.  The length is set first, so that the space beyond is
 * given back, what was taken for these bytes is kept, and the file is whole as
 * soon as its last byte is written.
 */
static int
write_file(const struct store *store, const char *name, int flags,
    const void *data, size_t len)
{
	int fd = open_for_writing(store, name, flags);
	int error = 0;

	if (fd < 0)
		return errno;
	if (ftruncate(fd, (off_t)len) || fs_write_all(fd, data, len) ||
	    fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	return error;
}

/* Puts the file `from` in the record's place, durably. */
static int
rename_to_record(
    const struct store *store, const char *from, const char *account)
{
	char record[NAME_SIZE];

	file_name(record, account, "token");
	if (renameat(store->dir, from, store->dir, record))
		return errno;
	return 0;
}

/* Replaces the file `name` by way of `temp`. */
static enum mt_status
replace_file(const struct store *store, const char *temp, const char *name,
    const struct secret *bytes, struct mt_error *err)
{
	int error =
	    write_file(store, temp, 0, secret_expose(bytes), bytes->len);

	if (!error && renameat(store->dir, temp, store->dir, name))
		error = errno;
	if (error) {
		unlinkat(store->dir, temp, 0);
		return fail_write(store, temp, error, err);
	}
	if (fsync(store->dir))
		return fail_write(store, "", errno, err);
	return MT_OK;
}

enum mt_status
store_write(const struct store *store, const char *account,
    const struct secret *bytes, struct mt_error *err)
{
	char temp[NAME_SIZE], record[NAME_SIZE];

	file_name(temp, account, "temp");
	file_name(record, account, "token");
	return replace_file(store, temp, record, bytes, err);
}

enum mt_status
store_write_file(const struct store *store, const char *name,
    const struct secret *bytes, struct mt_error *err)
{
	char temp[NAME_SIZE];

	file_name(temp, name, "new");
	return replace_file(store, temp, name, bytes, err);
}

void
store_remove_file(const struct store *store, const char *name)
{
	unlinkat(store->dir, name, 0);
}

enum mt_status
store_set_aside(
    const struct store *store, const char *account, struct mt_error *err)
{
	char record[NAME_SIZE], aside[NAME_SIZE];

	file_name(record, account, "token");
	file_name(aside, account, "damaged");
	if (renameat(store->dir, record, store->dir, aside) && errno != ENOENT)
		return fail_write(store, aside, errno, err);
	return MT_OK;
}

/* The account whose record or next record the file is; "" if it is neither. */
static void
account_of(const char *file, char account[NAME_SIZE])
{
	const char *dot = strrchr(file, '.');

	account[0] = '\0';
	if (dot && (strcmp(dot, ".token") == 0 || strcmp(dot, ".next") == 0))
		snprintf(account, NAME_SIZE, "%.*s", (int)(dot - file), file);
}

enum mt_status
store_each_account(const struct store *store, store_visit visit, void *context,
    struct mt_error *err)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	enum mt_status status = MT_OK;
	char account[NAME_SIZE];
	struct dirent *entry;

	if (!dir) {
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot read %s", store->path);
		if (fd >= 0)
			close(fd);
		return status;
	}
	while (status == MT_OK && (entry = readdir(dir))) {
		account_of(entry->d_name, account);
		if (account[0])
			status = visit(context, account, err);
	}
	closedir(dir);
	return status;
}

void
store_read_intent(const struct store *store, const char *account,
    struct store_intent *ret_intent)
{
	struct store_intent intent = {0};
	char name[NAME_SIZE], text[64];
	ssize_t n;
	int fd;

	*ret_intent = intent;
	file_name(name, account, "intent");
	fd = openat(store->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%" SCNd64 " %" SCNd64, &intent.started_s,
		&intent.serial) == 2)
		*ret_intent = intent;
}

static int
write_intent(const struct store *store, const char *account,
    const struct store_intent *intent)
{
	struct store_intent standing;
	char name[NAME_SIZE], text[64];
	int len;

	store_read_intent(store, account, &standing);
	if (standing.started_s && standing.serial == intent->serial)
		return 0;
	file_name(name, account, "intent");
	len = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 "\n",
	    intent->started_s, intent->serial);
	return write_file(store, name, 0, text, (size_t)len);
}

static int
take_space(const struct store *store, const char *name)
{
	int fd = open_for_writing(store, name, O_TRUNC);
	int error;

	if (fd < 0)
		return errno;
	error = posix_fallocate(fd, 0, SECRET_MAX);
	if (!error && fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (error)
		unlinkat(store->dir, name, 0);
	return error;
}

enum mt_status
store_reserve(
    const struct store *store, const char *account, struct mt_error *err)
{
	char name[NAME_SIZE];
	int error;

	file_name(name, account, "next");
	error = take_space(store, name);
	return error ? fail_write(store, name, error, err) : MT_OK;
}

enum mt_status
store_begin(const struct store *store, const char *account,
    const struct store_intent *intent, struct mt_error *err)
{
	enum mt_status status = store_reserve(store, account, err);
	int error;

	if (status != MT_OK)
		return status;
	error = write_intent(store, account, intent);
	if (!error && fsync(store->dir))
		error = errno;
	if (!error)
		return MT_OK;
	store_abandon(store, account, true);
	return fail_write(store, account, error, err);
}

static enum mt_status
finish(const struct store *store, const char *account, struct mt_error *err)
{
	char next[NAME_SIZE], intent[NAME_SIZE];
	int error;

	file_name(next, account, "next");
	file_name(intent, account, "intent");
	error = rename_to_record(store, next, account);
	if (!error && unlinkat(store->dir, intent, 0) && errno != ENOENT)
		error = errno;
	if (!error && fsync(store->dir))
		error = errno;
	return error ? fail_write(store, next, error, err) : MT_OK;
}

enum mt_status
store_commit(const struct store *store, const char *account,
    const struct secret *bytes, struct mt_error *err)
{
	char next[NAME_SIZE];
	int error;

	file_name(next, account, "next");
	error = write_file(store, next, 0, secret_expose(bytes), bytes->len);
	if (error)
		return fail_write(store, next, error, err);
	return finish(store, account, err);
}

enum mt_status
store_adopt(
    const struct store *store, const char *account, struct mt_error *err)
{
	char next[NAME_SIZE];
	int fd, error = 0;

	file_name(next, account, "next");
	fd = open_for_writing(store, next, 0);
	if (fd < 0 || fsync(fd))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error ? fail_write(store, next, error, err)
		     : finish(store, account, err);
}

void
store_abandon(const struct store *store, const char *account, bool keep_intent)
{
	char name[NAME_SIZE];

	file_name(name, account, "next");
	unlinkat(store->dir, name, 0);
	if (keep_intent)
		return;
	file_name(name, account, "intent");
	unlinkat(store->dir, name, 0);
}
