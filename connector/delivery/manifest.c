/* SPDX-License-Identifier: ISC */
#include "delivery/manifest.h"

#include "base/deadline.h"
#include "delivery/manifest_source.h"
#include "delivery/publish.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK "risk-manifest.lock"
#define WINDOW (256 * 1024)
#define LOCK_MS 30000
#define AGAIN_MS 20
#define WATCHED_MAX 200000

/* The gateway, in its group, must be able to write it. */
#define MODE 0660

/* The old text's ranges with commas between them, then what is new. */
static void
list_parts(const struct manifest_change *change, int fd,
    struct publish_part *parts, size_t count)
{
	for (size_t i = 0; i < change->kept_count; i++) {
		const struct manifest_range *kept = &change->kept[i];

		parts[2 * i] =
		    (struct publish_part){.data = i ? "," : "{", .len = 1};
		parts[2 * i + 1] = (struct publish_part){.fd = fd,
		    .begin = kept->begin,
		    .len = (size_t)(kept->end - kept->begin)};
	}
	if (!change->kept_count)
		parts[0] = (struct publish_part){.data = "{", .len = 1};
	parts[count - 1] = (struct publish_part){
	    .data = change->added.data, .len = change->added.len};
}

static enum mt_status
stage(struct publisher *p, const struct manifest_change *change, int fd,
    struct mt_error *err)
{
	size_t count = change->kept_count ? 2 * change->kept_count + 1 : 2;
	struct publish_part *parts = calloc(count, sizeof(*parts));
	enum mt_status status;

	if (!parts)
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for " MANIFEST_NAME);
	list_parts(change, fd, parts, count);
	status = publish_stage_file(p, MANIFEST_NAME, parts, count, MODE, err);
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
	struct manifest_source source;
};

enum outcome { ENTERED, CHANGED /* by somebody, in the meantime */ };

/* The old file is read a second time for the new one, which must not get the
 * place if that was written to meanwhile: it may be no JSON. */
static enum mt_status
replace(struct entering *e, const struct manifest_change *change,
    enum outcome *ret_outcome, struct mt_error *err)
{
	struct manifest_source *s = &e->source;
	struct mt_error why;
	enum mt_status status = stage(e->publisher, change, s->fd, &why);

	*ret_outcome = CHANGED;
	if (manifest_source_was_written(s))
		return MT_OK;
	if (status != MT_OK) {
		*err = why;
		return status;
	}
	if (!manifest_source_is_current(s, &e->folder))
		return MT_OK;
	status = publish_put_file(e->publisher, &e->folder, MANIFEST_NAME, err);
	manifest_source_displace(s, &e->folder);
	if (status == MT_OK && !manifest_source_was_written(s))
		*ret_outcome = ENTERED;
	return status;
}

static enum mt_status
enter_once(struct entering *e, enum outcome *ret_outcome, struct mt_error *err)
{
	const struct manifest_reader reader = {
	    .read = manifest_source_read,
	    .context = &e->source,
	    .window = WINDOW,
	};
	struct manifest_change change;
	enum mt_status status =
	    manifest_change_make(e->source.fd < 0 ? NULL : &reader, e->paths,
		e->mode, e->agent, e->time, &change, err);

	if (status != MT_OK)
		return status;
	*ret_outcome =
	    manifest_source_was_written(&e->source) ? CHANGED : ENTERED;
	if (*ret_outcome == ENTERED &&
	    (change.added_count || e->source.displaced))
		status = replace(e, &change, ret_outcome, err);
	manifest_change_done(&change);
	return status;
}

static const char changes_always[] =
    MANIFEST_PATH " in the workspace changes all the time";
static const char is_no_json[] =
    MANIFEST_PATH " in the workspace cannot be read as JSON; it is left alone "
		  "and no mail is published: mend it, or remove it";

static enum mt_status
enter_until_done(struct entering *e, struct mt_error *err)
{
	enum outcome outcome = CHANGED;
	struct mt_error why;
	enum mt_status status =
	    manifest_source_open(&e->source, &e->folder, err);

	while (status == MT_OK) {
		status = enter_once(e, &outcome, &why);
		if (status == MT_OK && outcome == ENTERED)
			return MT_OK;
		if (status != MT_OK && status != MT_BAD_INPUT) {
			*err = why;
			return status;
		}
		if (deadline_passed(e->deadline))
			return mt_fail(err, MT_RETRY_LATER, "%s",
			    status == MT_OK ? changes_always : is_no_json);
		poll(NULL, 0, AGAIN_MS);
		status = manifest_source_renew(&e->source, &e->folder, err);
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
	    .source = MANIFEST_SOURCE_INIT,
	};
	int lock = -1;
	enum mt_status status =
	    publish_lock(p, LOCK, deadline_in_ms(LOCK_MS), &lock, err);

	if (status != MT_OK)
		return status;
	status = publish_folder_open(p, MANIFEST_FOLDER, &e.folder, err);
	if (status == MT_OK) {
		e.deadline = deadline_in_ms(MANIFEST_PATIENCE_MS);
		write_time(e.time, sizeof(e.time));
		status = enter_until_done(&e, err);
		manifest_source_close(&e.source);
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
