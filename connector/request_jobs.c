/* SPDX-License-Identifier: ISC */
#include "request_jobs.h"

#include "base/deadline.h"
#include "report.h"
#include "sender.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

/* Those that wait for a server keep the others from nothing. */
enum lane { LANE_SERVER, LANE_DISK, LANES };

enum job_state {
	JOB_WAITING, /* for its turn */
	JOB_RUNNING, /* in the pool */
	JOB_WATCHED, /* its message is in the outbox */
};

struct job {
	struct pool_job work;
	TAILQ_ENTRY(job) link;
	struct request_jobs *jobs;
	enum job_state state;
	struct request request;
	size_t waiters;
	struct request_outcome outcome; /* written by the thread */
};

/* Who wants to know what comes of a job. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct control_peer *peer;
	struct job *job;
	struct deadline deadline;
};

struct request_jobs {
	struct request_jobs_settings settings;
	struct pool *pool;
	uv_timer_t *timer; /* for the first waiter */
	TAILQ_HEAD(, job) list;
	size_t count;
	TAILQ_HEAD(, waiter) waiters; /* who came first is impatient first */
	size_t running[LANES];
	unsigned failures; /* of the server, in a row */
	bool stopping;
	void (*stopped)(void *context);
	void *stopped_context;
};

static enum lane
lane_of(const struct job *job)
{
	switch (job->request.name) {
	case REQUEST_SAVE_DRAFT:
	case REQUEST_MOVE:
	case REQUEST_CREATE_FOLDER:
		return LANE_SERVER;
	case REQUEST_SEND:
	case REQUEST_QUEUE:
		break;
	}
	return LANE_DISK;
}

static void
refuse(struct control_peer *peer, enum request_name name, const char *detail)
{
	control_reply(peer, request_answer(name, MT_RETRY_LATER, detail));
}

/* ---- who waits ---- */

static void plan(struct request_jobs *j);

static void
remove_waiter(struct waiter *w)
{
	TAILQ_REMOVE(&w->job->jobs->waiters, w, link);
	w->job->waiters--;
	free(w);
}

/* Those in the outbox have the patience of their watch. */
static bool
is_impatient(const struct waiter *w)
{
	return w->job->state != JOB_WATCHED && deadline_passed(w->deadline);
}

static void
on_time(uv_timer_t *timer)
{
	static const char detail[] =
	    "not done yet, and not given up; ask again with the same "
	    "request_id to learn what comes of it";
	struct request_jobs *j = timer->data;
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&j->waiters); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!is_impatient(w))
			continue;
		refuse(w->peer, w->job->request.name, detail);
		remove_waiter(w);
	}
	plan(j);
}

static void
plan(struct request_jobs *j)
{
	struct waiter *w;

	uv_timer_stop(j->timer);
	TAILQ_FOREACH(w, &j->waiters, link)
	if (w->job->state != JOB_WATCHED) {
		uv_timer_start(j->timer, on_time,
		    (uint64_t)deadline_left_ms(w->deadline), 0);
		return;
	}
}

static bool
add_waiter(struct job *job, struct control_peer *peer)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return false;
	*w = (struct waiter){
	    .peer = peer,
	    .job = job,
	    .deadline = deadline_in_ms(job->jobs->settings.patience_ms),
	};
	job->waiters++;
	TAILQ_INSERT_TAIL(&job->jobs->waiters, w, link);
	plan(job->jobs);
	return true;
}

/* ---- the end of a job ---- */

static void
end_if_stopped(struct request_jobs *j)
{
	if (j->stopping && !j->count && j->stopped) {
		void (*stopped)(void *context) = j->stopped;
		j->stopped = NULL;
		stopped(j->stopped_context); /* may free it */
	}
}

static void
free_job(struct job *job)
{
	struct request_jobs *j = job->jobs;

	j->count--;
	json_object_put(job->outcome.report);
	request_done(&job->request);
	free(job);
	plan(j);
	end_if_stopped(j);
}

/* All who wait get this answer; a reference to it is taken over.  Who gets it
 * may ask for the same at once: for a new job. */
static void
finish(struct job *job, struct json_object *answer)
{
	struct request_jobs *j = job->jobs;
	struct waiter *w, *next;

	if (!answer)
		answer = request_answer(
		    job->request.name, MT_NO_MEMORY, "no memory for an answer");
	TAILQ_REMOVE(&j->list, job, link);
	for (w = TAILQ_FIRST(&j->waiters); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->job != job)
			continue;
		control_reply(w->peer, json_object_get(answer));
		remove_waiter(w);
	}
	json_object_put(answer);
	free_job(job);
}

/* ---- work ---- */

static void start_next(struct request_jobs *j, enum lane lane);

static void
on_told(void *context, int64_t entry, const struct send_report *report)
{
	struct buf json = BUF_INIT(8192);

	(void)entry;
	send_add_json(&json, report);
	finish(context, json_tokener_parse(buf_text(&json)));
	buf_done(&json);
}

static struct waiter *
first_waiter(const struct job *job)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &job->jobs->waiters, link)
	if (w->job == job)
		return w;
	return NULL;
}

/* False: what is known now is all that will be known. */
static bool
watch(struct job *job)
{
	const struct request_jobs_settings *s = &job->jobs->settings;
	const struct waiter *w = first_waiter(job);

	if (!job->outcome.entry || !s->sender || !w)
		return false;
	job->state = JOB_WATCHED;
	plan(job->jobs);
	return sender_watch(s->sender, job->outcome.entry,
		   deadline_left_ms(w->deadline), on_told, job, NULL) == MT_OK;
}

static bool
wakes_sender(const struct job *job)
{
	return job->outcome.entry || (job->request.name == REQUEST_QUEUE &&
					 job->outcome.status == MT_OK);
}

static void
run_job(struct pool_job *work)
{
	struct job *job =
	    (struct job *)(void *)((char *)work - offsetof(struct job, work));
	const struct request_jobs_settings *s = &job->jobs->settings;

	s->perform(s->context, &job->request, &job->outcome);
	work->status = job->outcome.status;
}

static void
on_done(struct pool_job *work)
{
	struct job *job =
	    (struct job *)(void *)((char *)work - offsetof(struct job, work));
	struct request_jobs *j = job->jobs;
	enum lane lane = lane_of(job);
	struct json_object *report;

	j->running[lane]--;
	if (lane == LANE_SERVER)
		j->failures =
		    job->outcome.status == MT_RETRY_LATER ? j->failures + 1 : 0;
	start_next(j, lane);
	if (watch(job))
		return;
	if (j->settings.sender && wakes_sender(job))
		sender_wake(j->settings.sender);
	report = job->outcome.report;
	job->outcome.report = NULL;
	finish(job, report);
}

static void
start(struct job *job)
{
	struct request_jobs *j = job->jobs;
	enum lane lane = lane_of(job);

	j->running[lane]++;
	job->state = JOB_RUNNING;
	job->work = (struct pool_job){
	    .run = run_job,
	    .done = on_done,
	    .server = lane == LANE_SERVER ? j->settings.server : "the disk",
	    .failures = lane == LANE_SERVER ? j->failures : 0,
	};
	pool_submit(j->pool, &job->work);
}

static void
start_next(struct request_jobs *j, enum lane lane)
{
	struct job *job;

	if (j->running[lane] >= REQUEST_JOBS_AT_ONCE)
		return;
	TAILQ_FOREACH(job, &j->list, link)
	if (job->state == JOB_WAITING && lane_of(job) == lane) {
		start(job);
		return;
	}
}

/* ---- what comes ---- */

/* The same, under way; a message in the outbox is watched by each by itself. */
static struct job *
find_same(const struct request_jobs *j, const struct request *request)
{
	struct job *job;

	if (!request->request_id || request->name == REQUEST_SEND)
		return NULL;
	TAILQ_FOREACH(job, &j->list, link)
	if (request_equals(&job->request, request))
		return job;
	return NULL;
}

static struct job *
add_job(struct request_jobs *j, struct request *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->jobs = j;
	job->request = *request;
	*request = (struct request){.name = request->name};
	TAILQ_INSERT_TAIL(&j->list, job, link);
	j->count++;
	return job;
}

void
request_jobs_take(
    struct request_jobs *j, struct control_peer *peer, struct request *request)
{
	struct job *same = find_same(j, request), *job = same;

	if (j->stopping)
		refuse(peer, request->name, "the connector is ending");
	else if (!job && j->count == REQUEST_JOBS_MAX)
		refuse(peer, request->name, "too many requests");
	else if (!job && !(job = add_job(j, request)))
		refuse(peer, request->name, "no memory for a request");
	else if (!add_waiter(job, peer))
		refuse(peer, job->request.name, "no memory for a request");
	else if (!same)
		start_next(j, lane_of(job));
	if (job && job != same && !job->waiters) {
		TAILQ_REMOVE(&j->list, job, link);
		free_job(job);
	}
	request_done(request);
}

size_t
request_jobs_count(const struct request_jobs *j)
{
	return j->count;
}

/* ---- beginning and end ---- */

enum mt_status
request_jobs_new(struct request_jobs **ret_jobs, uv_loop_t *loop,
    struct pool *pool, const struct request_jobs_settings *settings,
    struct mt_error *err)
{
	struct request_jobs *j = calloc(1, sizeof(*j));

	if (j)
		j->timer = calloc(1, sizeof(*j->timer));
	if (!j || !j->timer) {
		free(j);
		return mt_fail(err, MT_NO_MEMORY, "no memory for requests");
	}
	j->settings = *settings;
	j->pool = pool;
	uv_timer_init(loop, j->timer);
	j->timer->data = j;
	TAILQ_INIT(&j->list);
	TAILQ_INIT(&j->waiters);
	*ret_jobs = j;
	return MT_OK;
}

void
request_jobs_stop(
    struct request_jobs *j, void (*stopped)(void *context), void *context)
{
	struct job *job, *next;

	j->stopping = true;
	j->settings.sender = NULL; /* which may end first */
	for (job = TAILQ_FIRST(&j->list); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->state == JOB_WAITING)
			finish(job,
			    request_answer(job->request.name, MT_RETRY_LATER,
				"the connector is ending"));
	}
	j->stopped = stopped;
	j->stopped_context = context;
	end_if_stopped(j);
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

void
request_jobs_free(struct request_jobs **jobs)
{
	struct request_jobs *j = *jobs;

	if (!j)
		return;
	uv_close((uv_handle_t *)j->timer, free_handle);
	free(j);
	*jobs = NULL;
}
