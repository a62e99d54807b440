/* SPDX-License-Identifier: ISC */
#include "state.h"

#include "base/deadline.h"
#include "base/fs.h"
#include "base/settings.h"
#include "state_db.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000
#define ID_LENGTH 16

static const char about_schema_1[] =
    "CREATE TABLE about (id TEXT NOT NULL);"
    "INSERT INTO about VALUES (lower(hex(randomblob(8))));";

/* In the order of their making; append only. */
static const char *const migrations[] = {
    about_schema_1,
    inbound_state_schema_1,
    outbox_schema_1,
    done_state_schema_1,
    mailbox_state_schema_1,
    match_state_schema_1,
    suspect_state_schema_1,
    event_queue_schema_1,
    outbox_schema_2,
    move_state_schema_1,
    draft_state_schema_1,
};

#define VERSION (sizeof(migrations) / sizeof(*migrations))

/* Whether the directory is ours and nobody else can put files into it.  What
 * is in it has modes of its own, so that others may list it. */
static enum mt_status
check_dir(const char *dir, struct mt_error *err)
{
	struct stat info;

	if (stat(dir, &info))
		return mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "cannot use the state directory %s", dir);
	if (!S_ISDIR(info.st_mode))
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state directory %s is not a directory", dir);
	if (info.st_uid != geteuid())
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state directory %s belongs to uid %lu, and this is "
		    "uid %lu",
		    dir, (unsigned long)info.st_uid, (unsigned long)geteuid());
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return mt_fail(err, MT_BAD_CONFIG,
		    "others can write to the state directory %s; run chmod "
		    "go-w on it",
		    dir);
	return MT_OK;
}

static enum mt_status
join(char *path, const char *dir, const char *name, struct mt_error *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state directory's path is too long: %s", dir);
	return MT_OK;
}

/* Space may come by itself. */
static enum mt_status
status_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? MT_RETRY_LATER
						  : MT_BAD_CONFIG;
}

/* SQLite's own would be readable by others.  An existing file is not opened:
 * closing it again would drop the locks of other threads (POSIX). */
static enum mt_status
create_file(const char *path, const char *dir, struct mt_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return MT_OK;
	if (fd < 0)
		return mt_fail_errno(
		    err, status_of(errno), errno, "cannot create %s", path);
	close(fd);
	return fs_sync_dir(dir, err);
}

static enum mt_status
configure(struct state *state, struct mt_error *err)
{
	static const char sql[] = "PRAGMA journal_mode = WAL;"
				  "PRAGMA synchronous = FULL;"
				  "PRAGMA foreign_keys = ON;"
				  "PRAGMA trusted_schema = OFF;";
	int result;

	sqlite3_extended_result_codes(state->db, 1);
	sqlite3_busy_timeout(state->db, BUSY_TIMEOUT_MS);
	result = sqlite3_exec(state->db, sql, NULL, NULL, NULL);
	if (result != SQLITE_OK)
		return state_db_fail(state->db, result, "cannot open", err);
	return MT_OK;
}

static enum mt_status
read_number(struct state *state, const char *sql, int64_t *ret_number,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state, sql);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		*ret_number = row ? state_db_number(&s, 0) : 0;
	state_db_finish(&s);
	return status;
}

static enum mt_status
run_migrations(struct state *state, size_t first, struct mt_error *err)
{
	char pragma[64];
	int result = SQLITE_OK;

	for (size_t i = first; i < VERSION && result == SQLITE_OK; i++)
		result =
		    sqlite3_exec(state->db, migrations[i], NULL, NULL, NULL);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", VERSION);
	if (result == SQLITE_OK)
		result = sqlite3_exec(state->db, pragma, NULL, NULL, NULL);
	if (result != SQLITE_OK)
		return state_db_fail(state->db, result, "cannot update", err);
	return MT_OK;
}

static enum mt_status
migrate_inside(struct state *state, struct mt_error *err)
{
	int64_t version;
	enum mt_status status;

	status = read_number(state, "PRAGMA user_version", &version, err);
	if (status != MT_OK)
		return status;
	if (version < 0 || (size_t)version > VERSION)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state in %s is of version %lld, and this program "
		    "knows up to %zu; use the newer program",
		    state->dir, (long long)version, VERSION);
	if ((size_t)version == VERSION)
		return MT_OK;
	return run_migrations(state, (size_t)version, err);
}

static enum mt_status
read_id(struct state *state, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state, "SELECT id FROM about");
	status = state_db_step(&s, &row, err);
	if (status == MT_OK &&
	    (!row || strlen(state_db_text(&s, 0)) != ID_LENGTH))
		status = mt_fail(err, MT_BAD_CONFIG,
		    "the state in %s is damaged: it has no id", state->dir);
	if (status == MT_OK)
		memcpy(state->id, state_db_text(&s, 0), ID_LENGTH);
	state_db_finish(&s);
	return status;
}

static enum mt_status
migrate(struct state *state, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = migrate_inside(state, err);
	if (status == MT_OK)
		status = read_id(state, err);
	return state_db_end(state, status, err);
}

/*
 * SQLite answers "locked" at once, whatever the busy timeout, when two
 * processes make the same database a WAL one.  So one opens it at a time, under
 * a lock on the directory that ends with *ret_fd.
 */
static enum mt_status
enter(const struct state *state, int *ret_fd, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(BUSY_TIMEOUT_MS);
	int fd = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "cannot open the state directory %s", state->dir);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		if ((error == EWOULDBLOCK || error == EINTR) &&
		    !deadline_passed(deadline)) {
			poll(NULL, 0, 5);
			continue;
		}
		close(fd);
		return mt_fail_errno(err, MT_RETRY_LATER, error,
		    "cannot lock the state directory %s", state->dir);
	}
	*ret_fd = fd;
	return MT_OK;
}

static enum mt_status
open_database(struct state *state, struct mt_error *err)
{
	char path[PATH_MAX];
	enum mt_status status;
	int result;

	status = join(path, state->dir, "state.db", err);
	if (status == MT_OK)
		status = create_file(path, state->dir, err);
	if (status != MT_OK)
		return status;
	result = sqlite3_open_v2(path, &state->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
	if (result != SQLITE_OK)
		return state_db_fail(state->db, result, "cannot open", err);
	status = configure(state, err);
	if (status == MT_OK)
		status = migrate(state, err);
	return status;
}

enum mt_status
state_open(struct state **ret_state, const char *dir, struct mt_error *err)
{
	struct state *state;
	enum mt_status status;
	int lock = -1;

	status = fs_make_dirs(dir, 0700, err);
	if (status == MT_OK)
		status = check_dir(dir, err);
	if (status != MT_OK)
		return status;
	state = calloc(1, sizeof(*state));
	if (!state)
		return mt_fail(err, MT_NO_MEMORY, "no memory for the state");
	pthread_mutex_init(&state->transaction, NULL);
	state->deliverer_fd = -1;
	snprintf(state->dir, sizeof(state->dir), "%s", dir);
	status = enter(state, &lock, err);
	if (status == MT_OK) {
		status = open_database(state, err);
		close(lock);
	}
	if (status == MT_OK)
		*ret_state = state;
	else
		state_close(&state);
	return status;
}

void
state_close(struct state **state)
{
	struct state *old = *state;

	*state = NULL;
	if (!old)
		return;
	sqlite3_close(old->db);
	if (old->deliverer_fd >= 0)
		close(old->deliverer_fd);
	pthread_mutex_destroy(&old->transaction);
	free(old);
}

const char *
state_id(const struct state *state)
{
	return state->id;
}

/* The lock is the kernel's; what is written in the file is for people. */
static enum mt_status
fail_held(const struct state *state, int fd, struct mt_error *err)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid;

	text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
	if (settings_number(text, 1, LONG_MAX, &pid))
		return mt_fail(err, MT_RETRY_LATER,
		    "process %ld already delivers mail from %s", pid,
		    state->dir);
	return mt_fail(err, MT_RETRY_LATER,
	    "another process already delivers mail from %s", state->dir);
}

static enum mt_status
take_lock(struct state *state, int fd, const char *path, struct mt_error *err)
{
	/* an open file description's lock: it does not vanish when some
	 * library of this process closes the same file (fcntl(2)) */
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char pid[32];
	int len;

	if (fcntl(fd, F_OFD_SETLK, &whole)) {
		if (errno == EAGAIN || errno == EACCES)
			return fail_held(state, fd, err);
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot lock %s", path);
	}
	len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || fs_write_all(fd, pid, (size_t)len))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot write %s", path);
	return MT_OK;
}

enum mt_status
state_lock_deliverer(struct state *state, struct mt_error *err)
{
	char path[PATH_MAX];
	enum mt_status status;
	int fd;

	if (state->deliverer_fd >= 0)
		return MT_OK;
	status = join(path, state->dir, "deliverer.lock", err);
	if (status != MT_OK)
		return status;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return mt_fail_errno(
		    err, status_of(errno), errno, "cannot open %s", path);
	status = take_lock(state, fd, path, err);
	if (status != MT_OK) {
		close(fd);
		return status;
	}
	state->deliverer_fd = fd;
	return MT_OK;
}
