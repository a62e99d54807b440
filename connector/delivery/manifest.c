/* SPDX-License-Identifier: ISC */
#include "delivery/manifest.h"

#include "base/deadline.h"
#include "delivery/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER ".tri-onyx"
#define NAME "risk-manifest.json"
#define LOCK "risk-manifest.lock"
#define SIZE_MAX_BYTES (512 * 1024 * 1024)
#define LOCK_MS 30000
#define AGAIN_MS 20
#define WATCHED_MAX 200000

/* The gateway, in its group, must be able to write it. */
#define MODE 0660

/* The manifest as it was read; fd -1: there was none. */
struct source {
	int fd;
	struct stat read;  /* the file, when it was read */
	struct stat place; /* what had the manifest's name then */
	bool displaced;    /* we gave that name to another file since */
	char *text;
	size_t len;
};

static void
source_done(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->text);
	*s = (struct source){.fd = -1};
}

static bool
same_state(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum mt_status
fail_read(int error, struct mt_error *err)
{
	return mt_fail_errno(err,
	    error == ELOOP || error == EACCES ? MT_BAD_CONFIG : MT_RETRY_LATER,
	    error, "cannot read " FOLDER "/" NAME " in the workspace");
}

/* Reads all of an open manifest anew. */
static enum mt_status
read_open(struct source *s, struct mt_error *err)
{
	ssize_t n;
	char *text;

	if (fstat(s->fd, &s->read))
		return fail_read(errno, err);
	if (!S_ISREG(s->read.st_mode) || s->read.st_size > SIZE_MAX_BYTES)
		return mt_fail(err, MT_BAD_CONFIG,
		    FOLDER "/" NAME " in the workspace is no file, or far too "
			   "large");
	text = realloc(s->text, (size_t)s->read.st_size + 1);
	if (!text)
		return mt_fail(err, MT_NO_MEMORY, "no memory for " NAME);
	s->text = text;
	s->len = 0;
	while (s->len < (size_t)s->read.st_size) {
		n = pread(s->fd, s->text + s->len,
		    (size_t)s->read.st_size - s->len, (off_t)s->len);
		if (n < 0)
			return fail_read(errno, err);
		if (n == 0)
			break; /* it has just become shorter */
		s->len += (size_t)n;
	}
	return MT_OK;
}

static enum mt_status
read_current(
    struct source *s, const struct publish_folder *folder, struct mt_error *err)
{
	enum mt_status status;

	source_done(s);
	s->fd = openat(
	    folder->fd, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? MT_OK : fail_read(errno, err);
	status = read_open(s, err);
	s->place = s->read;
	return status;
}

/* Whether the manifest is still what was read. */
static bool
is_current(const struct source *s, const struct publish_folder *folder)
{
	struct stat info;

	if (fstatat(folder->fd, NAME, &info, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT && s->fd < 0;
	return s->fd >= 0 && same_state(&info, &s->place);
}

/* Whether somebody has written to what was read after it was read. */
static bool
was_written(const struct source *s)
{
	struct stat info;

	return s->fd >= 0 && !fstat(s->fd, &info) &&
	       !same_state(&info, &s->read);
}

static enum mt_status
stage(struct publisher *p, const struct manifest_change *change,
    struct mt_error *err)
{
	size_t count = change->piece_count + 1;
	struct iovec *parts = calloc(count, sizeof(*parts));
	enum mt_status status;

	if (!parts)
		return mt_fail(err, MT_NO_MEMORY, "no memory for " NAME);
	for (size_t i = 0; i < change->piece_count; i++)
		parts[i] =
		    (struct iovec){(void *)(uintptr_t)change->pieces[i].data,
			change->pieces[i].len};
	parts[count - 1] =
	    (struct iovec){change->added.data, change->added.len};
	status = publish_stage_file(p, NAME, parts, count, MODE, err);
	free(parts);
	return status;
}

struct entering {
	struct publisher *publisher;
	struct publish_folder folder;
	struct manifest_paths *paths;
	enum manifest_mode mode;
	const char *agent;
	char time[40];
	struct deadline deadline;
	struct source source;
};

enum outcome { ENTERED, CHANGED /* by somebody, in the meantime */ };

static enum mt_status
replace(struct entering *e, const struct manifest_change *change,
    enum outcome *ret_outcome, struct mt_error *err)
{
	enum mt_status status = stage(e->publisher, change, err);

	*ret_outcome = CHANGED;
	if (status != MT_OK)
		return status;
	e->source.displaced = is_current(&e->source, &e->folder);
	if (!e->source.displaced)
		return MT_OK;
	status = publish_put_file(e->publisher, &e->folder, NAME, err);
	if (status == MT_OK && !was_written(&e->source))
		*ret_outcome = ENTERED;
	return status;
}

static enum mt_status
enter_once(struct entering *e, enum outcome *ret_outcome, struct mt_error *err)
{
	struct manifest_change change;
	enum mt_status status = manifest_change_make(
	    e->source.fd < 0 ? NULL : e->source.text, e->source.len, e->paths,
	    e->mode, e->agent, e->time, &change, err);

	if (status != MT_OK)
		return status;
	*ret_outcome = ENTERED;
	if (change.added_count)
		status = replace(e, &change, ret_outcome, err);
	manifest_change_done(&change);
	return status;
}

/*
 * After a try that did not do.  What was read has been written to: either while
 * it had the name, or, by somebody who had opened it before, after we took the
 * name from it.  Then that is what to begin with, in the place of ours.
 */
static enum mt_status
read_again(struct entering *e, struct mt_error *err)
{
	struct source *s = &e->source;

	poll(NULL, 0, AGAIN_MS);
	if (!s->displaced ||
	    fstatat(e->folder.fd, NAME, &s->place, AT_SYMLINK_NOFOLLOW))
		return read_current(s, &e->folder, err);
	return read_open(s, err);
}

static enum mt_status
enter_until_done(struct entering *e, struct mt_error *err)
{
	enum outcome outcome = CHANGED;
	struct mt_error why;
	enum mt_status status = read_current(&e->source, &e->folder, err);

	while (status == MT_OK) {
		status = enter_once(e, &outcome, &why);
		if (status == MT_OK && outcome == ENTERED)
			return MT_OK;
		if (status != MT_OK && status != MT_BAD_INPUT) {
			*err = why;
			return status;
		}
		if (deadline_passed(e->deadline))
			return mt_fail(err, MT_RETRY_LATER,
			    status == MT_OK
				? FOLDER "/" NAME " in the workspace changes "
					 "all the time"
				: FOLDER "/" NAME " in the workspace cannot be "
					 "read as JSON; it is left alone and "
					 "no mail is published: mend it, or "
					 "remove it");
		status = read_again(e, err);
	}
	return status;
}

static void
write_time(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, size - len, ".%06ldZ", now.tv_nsec / 1000);
}

static enum mt_status
enter(struct publisher *p, struct manifest_paths *paths,
    enum manifest_mode mode, const char *agent, struct mt_error *err)
{
	struct entering e = {
	    .publisher = p,
	    .paths = paths,
	    .mode = mode,
	    .agent = agent,
	    .source = {.fd = -1},
	};
	int lock = -1;
	enum mt_status status =
	    publish_lock(p, LOCK, deadline_in_ms(LOCK_MS), &lock, err);

	if (status != MT_OK)
		return status;
	status = publish_folder_open(p, FOLDER, &e.folder, err);
	if (status == MT_OK) {
		e.deadline = deadline_in_ms(MANIFEST_PATIENCE_MS);
		write_time(e.time, sizeof(e.time));
		status = enter_until_done(&e, err);
		source_done(&e.source);
		publish_folder_close(&e.folder);
	}
	close(lock);
	return status;
}

/* ---- the watch ---- */

/* What one call entered. */
struct watched {
	struct watched *next;
	struct deadline due;
	struct manifest_paths paths;
	char *agent;
};

struct manifest_watch {
	pthread_mutex_t mutex;
	struct watched *first;
	struct watched **last;
	size_t count; /* of paths */
};

struct manifest_watch *
manifest_watch_new(void)
{
	struct manifest_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->mutex, NULL);
	w->last = &w->first;
	return w;
}

static void
watched_free(struct watched *entry)
{
	manifest_paths_done(&entry->paths);
	free(entry->agent);
	free(entry);
}

/* The entry that was put in first; the caller's then. */
static struct watched *
pop(struct manifest_watch *w)
{
	struct watched *entry = w->first;

	if (!entry)
		return NULL;
	w->first = entry->next;
	if (!w->first)
		w->last = &w->first;
	w->count -= entry->paths.count;
	return entry;
}

static void
push(struct manifest_watch *w, struct watched *entry)
{
	entry->due = deadline_in_ms(MANIFEST_LOOK_MS);
	entry->next = NULL;
	*w->last = entry;
	w->last = &entry->next;
	w->count += entry->paths.count;
}

void
manifest_watch_free(struct manifest_watch **watch)
{
	struct manifest_watch *w = *watch;
	struct watched *entry;

	*watch = NULL;
	if (!w)
		return;
	while ((entry = pop(w)))
		watched_free(entry);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}

/* Takes over the paths.  What there is no room or memory for is not watched. */
static void
watch(struct manifest_watch *w, struct manifest_paths *paths, const char *agent)
{
	struct watched *entry = calloc(1, sizeof(*entry));

	if (!entry || !(entry->agent = strdup(agent))) {
		free(entry);
		return;
	}
	pthread_mutex_lock(&w->mutex);
	if (w->count + paths->count <= WATCHED_MAX) {
		entry->paths = *paths;
		*paths = (struct manifest_paths){0};
		push(w, entry);
		entry = NULL;
	}
	pthread_mutex_unlock(&w->mutex);
	if (entry)
		watched_free(entry);
}

enum mt_status
manifest_enter(struct publisher *p, struct manifest_watch *w,
    struct manifest_paths *paths, enum manifest_mode mode, const char *agent,
    struct mt_error *err)
{
	enum mt_status status;

	if (!paths->count)
		return MT_OK;
	status = enter(p, paths, mode, agent, err);
	if (status == MT_OK && w)
		watch(w, paths, agent);
	return status;
}

int64_t
manifest_watch_due_ms(struct manifest_watch *w)
{
	int64_t due_ms = INT64_MAX;

	pthread_mutex_lock(&w->mutex);
	if (w->first)
		due_ms = deadline_left_ms(w->first->due);
	pthread_mutex_unlock(&w->mutex);
	return due_ms;
}

static struct watched *
pop_due(struct manifest_watch *w)
{
	struct watched *entry = NULL;

	pthread_mutex_lock(&w->mutex);
	if (w->first && deadline_passed(w->first->due))
		entry = pop(w);
	pthread_mutex_unlock(&w->mutex);
	return entry;
}

/* Joins `entry` to the due ones before it: one look for all of an agent. */
static bool
join(struct watched *all, struct watched *entry)
{
	size_t count = all->paths.count + entry->paths.count;
	char **paths;

	if (strcmp(all->agent, entry->agent) != 0)
		return false;
	paths = reallocarray(all->paths.paths, count, sizeof(*paths));
	if (!paths)
		return false;
	memcpy(paths + all->paths.count, entry->paths.paths,
	    entry->paths.count * sizeof(*paths));
	all->paths = (struct manifest_paths){paths, count};
	entry->paths.count = 0;
	return true;
}

enum mt_status
manifest_watch_look(struct manifest_watch *w, struct publisher *p,
    int64_t *ret_next_ms, struct mt_error *err)
{
	struct watched *all = pop_due(w), *entry = NULL;
	enum mt_status status = MT_OK;

	while (all && status == MT_OK) {
		while ((entry = pop_due(w)) && join(all, entry))
			watched_free(entry);
		status =
		    enter(p, &all->paths, MANIFEST_MISSING, all->agent, err);
		if (status != MT_OK) {
			pthread_mutex_lock(&w->mutex);
			push(w, all);
			if (entry)
				push(w, entry);
			pthread_mutex_unlock(&w->mutex);
			break;
		}
		watched_free(all);
		all = entry;
	}
	*ret_next_ms = manifest_watch_due_ms(w);
	return status;
}
