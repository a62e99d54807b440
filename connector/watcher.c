/* SPDX-License-Identifier: ISC */
#include "watcher.h"

#include "base/deadline.h"
#include "base/log.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A visit may take long, but not for ever; and a renewal has its deadline. */
#define SILENCE_SLACK_MS 900000

struct watcher {
	struct watched_account account;
	struct watch watch;
	struct pool *pool;
	struct pool_job job;
	uv_loop_t *loop;
	uv_timer_t *timer;
	uv_poll_t *poll; /* of the session that is listened to; NULL: none */
	watcher_visited visited;
	void *context;
	void (*stopped)(void *context, struct watcher *watcher);
	uint64_t visits; /* begun */

	/* written by the thread during a visit */
	bool entered; /* its first half is done */
	struct watch_visit visit;
	struct watch_result result;
	struct mt_error error;
	struct json_object *report;

	bool blocked;  /* there was no token, and somebody must act */
	bool ok_heard; /* of some account, during the visit */
	bool hurried;  /* because of that, since it last went well */

	/* for people */
	struct mt_error last_error; /* of the last visit */
	struct mt_error last_loss;  /* of a session; stays */
	time_t last_visit;          /* wall clock; 0: never */
	int64_t heard_ms; /* when the server was last known to be alive */
	struct deadline silence; /* after it, it cannot be; stands in suspend */
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
note_alive(struct watcher *w)
{
	w->heard_ms = now_ms();
	w->silence =
	    deadline_in_ms(w->watch.settings.renew_ms + SILENCE_SLACK_MS);
}

static uint32_t
dice(void)
{
	return arc4random();
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

/* ---- visits ---- */

static void
stop_listening(struct watcher *w)
{
	if (!w->poll)
		return;
	uv_poll_stop(w->poll);
	uv_close((uv_handle_t *)w->poll, free_handle);
	w->poll = NULL;
}

static void
run_visit(struct pool_job *job)
{
	struct watcher *w =
	    (struct watcher *)(void *)((char *)job -
				       offsetof(struct watcher, job));

	if (!w->entered) {
		w->result.status = w->account.enter(w->account.context,
		    &w->visit, &w->result, &w->report, &w->error);
		w->entered = w->result.status == MT_OK;
		/* the many places for those in doubt are not for work */
		if (!w->entered || job->doubtful) {
			job->status = w->result.status;
			return;
		}
	}
	w->result.status = w->account.visit(
	    w->account.context, &w->visit, &w->result, &w->report, &w->error);
	w->entered = false;
	job->status = w->result.status;
}

static void
begin_visit(struct watcher *w)
{
	stop_listening(w);
	uv_timer_stop(w->timer);
	w->visit = watch_begin(&w->watch);
	w->ok_heard = false;
	w->visits++;
	w->result = (struct watch_result){0};
	w->report = NULL;
	w->job.failures = w->watch.failures;
	w->job.new = w->visits == 1;
	pool_submit(w->pool, &w->job);
}

static void
on_time(uv_timer_t *timer)
{
	begin_visit(timer->data);
}

/* When it is due, and not during a visit. */
static void
plan(struct watcher *w)
{
	int64_t wait = w->watch.due_ms - now_ms();

	if (w->watch.state != WATCH_VISITED && !w->stopped)
		uv_timer_start(
		    w->timer, on_time, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void
note_loss(struct watcher *w, const struct mt_error *why)
{
	log_info("%s: the session is over: %s", w->account.name, why->text);
	w->last_loss = *why;
}

static void
lose(struct watcher *w, const struct mt_error *why)
{
	note_loss(w, why);
	stop_listening(w);
	w->account.leave(w->account.context);
	watch_lose(&w->watch, now_ms(), dice());
	plan(w);
}

/* Takes in what the idle session has brought. */
static void
hear(struct watcher *w)
{
	struct mt_error why = {0};
	bool news = false;

	if (w->account.listen(w->account.context, &news, &why) != MT_OK) {
		lose(w, &why);
		return;
	}
	note_alive(w);
	if (news) {
		watch_hear(&w->watch, w->heard_ms);
		plan(w);
	}
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status; /* a broken one is found out by reading */
	(void)events;
	hear(poll->data);
}

static void
begin_listening(struct watcher *w)
{
	static const struct mt_error why = {
	    MT_NO_MEMORY, "no memory to listen to it"};

	w->poll = calloc(1, sizeof(*w->poll));
	if (!w->poll || uv_poll_init(w->loop, w->poll,
			    w->account.descriptor(w->account.context))) {
		free(w->poll);
		w->poll = NULL;
		lose(w, &why);
		return;
	}
	w->poll->data = w;
	uv_poll_start(w->poll, UV_READABLE, on_readable);
	/* what came together with the last answer waits in a buffer */
	hear(w);
}

static void
log_result(const struct watcher *w, bool failed_before)
{
	int64_t wait = w->watch.due_ms - now_ms();

	/* it was told to end, and its account is reloaded or removed */
	if (w->stopped && w->result.status == MT_RETRY_LATER)
		return;
	if (w->result.status != MT_OK)
		log_error("IMAP poll failed: %s (account %s, next try in "
			  "%lld s)",
		    w->error.text, w->account.name,
		    wait > 0 ? (long long)(wait + 999) / 1000 : 0);
	else if (failed_before)
		log_info("IMAP poll works again (account %s)", w->account.name);
}

static void
end(struct watcher *w)
{
	stop_listening(w);
	w->account.leave(w->account.context);
	w->stopped(w->context, w);
}

/*
 * Whose token works again cannot be asked during a visit, so what was heard then
 * counts for this account, too: it is one visit more.  One, until it goes well:
 * "ok" may have been no more than a refresh that the visit itself has caused.
 */
static void
hear_late(struct watcher *w)
{
	if (w->result.status == MT_OK)
		w->hurried = false;
	if (!w->blocked || !w->ok_heard || w->hurried)
		return;
	w->hurried = true;
	w->blocked = false;
	watch_ask(&w->watch, now_ms());
}

static void
on_visited(struct pool_job *job)
{
	struct watcher *w =
	    (struct watcher *)(void *)((char *)job -
				       offsetof(struct watcher, job));

	bool failed_before = w->watch.failures > 0;
	struct json_object *report = w->report;

	if (w->entered) {
		w->job.failures = 0;
		w->job.new = false;
		pool_submit(w->pool, &w->job);
		return;
	}
	w->report = NULL;
	watch_end(&w->watch, &w->result, now_ms(), dice());
	w->blocked = w->result.status == MT_UNREACHABLE ||
		     w->result.status == MT_NEEDS_LOGIN ||
		     w->result.status == MT_NEEDS_ADMIN;
	hear_late(w);
	if (w->result.lost.status != MT_OK)
		note_loss(w, &w->result.lost);
	log_result(w, failed_before);
	w->last_visit = time(NULL);
	w->last_error =
	    w->result.status == MT_OK ? (struct mt_error){0} : w->error;
	if (w->result.status == MT_OK)
		note_alive(w);
	w->visited(w->context, w, w->visits, report);
	if (w->stopped) {
		end(w);
		return;
	}
	plan(w);
	if (w->watch.state == WATCH_LISTENED)
		begin_listening(w);
}

/* ---- for the service ---- */

enum mt_status
watcher_new(struct watcher **ret_watcher, uv_loop_t *loop, struct pool *pool,
    const struct watched_account *account, watcher_visited visited,
    void *context, struct mt_error *err)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (w)
		w->timer = calloc(1, sizeof(*w->timer));
	if (!w || !w->timer) {
		free(w);
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	}
	w->account = *account;
	w->loop = loop;
	w->pool = pool;
	w->visited = visited;
	w->context = context;
	w->job = (struct pool_job){
	    .run = run_visit,
	    .done = on_visited,
	    .server = account->server,
	};
	uv_timer_init(loop, w->timer);
	w->timer->data = w;
	watch_init(&w->watch, &account->settings, now_ms());
	note_alive(w);
	plan(w);
	*ret_watcher = w;
	return MT_OK;
}

uint64_t
watcher_ask(struct watcher *w)
{
	watch_ask(&w->watch, now_ms());
	plan(w);
	return w->visits + 1;
}

static bool
waits_for_a_person(const char *state)
{
	return strcmp(state, "needs-login") == 0 ||
	       strcmp(state, "needs-admin") == 0 ||
	       strcmp(state, "broken-config") == 0;
}

/*
 * An account that somebody had to mend works again: that ends the backoff.  A
 * refresh alone does not, or a server that rejects every token would be asked
 * without pause.
 */
bool
watcher_hear_token(struct watcher *w, const struct token_helper *helper,
    const char *name, const char *state)
{
	if (w->watch.state == WATCH_VISITED) {
		w->ok_heard = w->ok_heard || strcmp(state, "ok") == 0;
		return false;
	}
	if (!w->account.has_token(w->account.context, helper, name))
		return false;
	if (waits_for_a_person(state)) {
		w->blocked = true;
	} else if (strcmp(state, "ok") == 0 && w->blocked) {
		watcher_hear_helper(w);
		return true;
	} else if (strcmp(state, "ok") == 0) {
		watch_renew_token(&w->watch, now_ms(), dice());
		plan(w);
	}
	return false;
}

void
watcher_hear_helper(struct watcher *w)
{
	if (!w->blocked)
		return;
	w->blocked = false;
	watcher_ask(w);
}

bool
watcher_is_stuck(const struct watcher *w)
{
	return w->watch.state == WATCH_LISTENED && deadline_passed(w->silence);
}

void *
watcher_context(const struct watcher *w)
{
	return w->account.context;
}

static const char *
state_word(const struct watcher *w)
{
	static const char *const words[] = {
	    [WATCH_AWAY] = "waiting",
	    [WATCH_VISITED] = "receiving",
	    [WATCH_LISTENED] = "listening",
	};

	return words[w->watch.state];
}

static void
add_number(struct json_object *object, const char *name, int64_t number)
{
	json_object_object_add(object, name, json_object_new_int64(number));
}

struct json_object *
watcher_status(const struct watcher *w)
{
	struct json_object *status = json_object_new_object();
	int64_t now = now_ms();

	if (!status)
		return NULL;
	json_object_object_add(
	    status, "account", json_object_new_string(w->account.name));
	json_object_object_add(
	    status, "state", json_object_new_string(state_word(w)));
	if (w->last_visit)
		add_number(status, "last_visit", w->last_visit);
	add_number(status, "server_heard_s", (now - w->heard_ms) / 1000);
	if (w->watch.state != WATCH_VISITED)
		add_number(status, "next_visit_s",
		    w->watch.due_ms > now ? (w->watch.due_ms - now) / 1000 : 0);
	add_number(status, "failures", w->watch.failures);
	if (w->last_error.status != MT_OK)
		json_object_object_add(status, "last_error",
		    json_object_new_string(w->last_error.text));
	if (w->last_loss.status != MT_OK)
		json_object_object_add(status, "last_loss",
		    json_object_new_string(w->last_loss.text));
	if (w->watch.state != WATCH_VISITED)
		w->account.describe(w->account.context, status);
	return status;
}

void
watcher_stop(
    struct watcher *w, void (*stopped)(void *context, struct watcher *watcher))
{
	w->stopped = stopped;
	uv_timer_stop(w->timer);
	if (w->watch.state != WATCH_VISITED)
		end(w);
}

void
watcher_free(struct watcher **watcher)
{
	struct watcher *w = *watcher;

	if (!w)
		return;
	uv_close((uv_handle_t *)w->timer, free_handle);
	free(w);
	*watcher = NULL;
}
