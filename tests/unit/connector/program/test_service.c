/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "base/buf.h"
#include "control.h"

#include "state/state.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_MS 3600000
#define WAIT_MS 10000

static const char poll_request[] = "{\"type\":\"poll_request\"}";

/* A job that does nothing but count, and that can be held up. */
struct job {
	bool held;
	int begun;
	int ended;
};

#define ACCOUNTS 3

struct world;

/* An account of which nothing is real but the descriptor of its session. */
struct account {
	struct world *world;
	char name[8]; /* in the state */
	struct job visit;
	enum mt_status outcome;
	bool idles;      /* visits leave a session behind */
	int session[2];  /* ours, the server's; -1: none */
	int left;        /* sessions that are over */
	bool reconciled; /* the last visit compared */
	bool loaded;
	int removed;
	int64_t poll_ms;
};

/* A service on its own thread, and what its jobs do. */
struct world {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct account accounts[ACCOUNTS];
	atomic_size_t wanted; /* of them */
	struct state *state;
	struct job send; /* the first account's message */
	bool stopped;

	struct service_settings settings;
	pthread_t thread;
	enum mt_status status;
	bool left;
	char dir[32];
	char path[48];
};

static void
do_job(struct world *w, struct job *job)
{
	pthread_mutex_lock(&w->lock);
	job->begun++;
	pthread_cond_broadcast(&w->changed);
	while (job->held)
		pthread_cond_wait(&w->changed, &w->lock);
	job->ended++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static enum mt_status
enter(void *context, const struct watch_visit *kind,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	(void)context;
	(void)kind;
	(void)ret_result;
	(void)ret_report;
	(void)err;
	return MT_OK;
}

static enum mt_status
visit(void *context, const struct watch_visit *kind,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	struct account *a = context;
	struct world *w = a->world;
	struct json_object *report = json_object_new_object();
	enum mt_status outcome;

	pthread_mutex_lock(&w->lock);
	a->reconciled = kind->reconcile;
	if (a->idles && a->session[0] < 0) {
		assert_int_equal(
		    socketpair(
			AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a->session),
		    0);
		ret_result->entered = true;
	}
	ret_result->listening = a->idles;
	pthread_mutex_unlock(&w->lock);
	do_job(w, &a->visit);
	pthread_mutex_lock(&w->lock);
	json_object_object_add(
	    report, "poll", json_object_new_int(a->visit.ended));
	outcome = a->outcome;
	pthread_mutex_unlock(&w->lock);
	*ret_report = report;
	return outcome == MT_OK ? MT_OK : mt_fail(err, outcome, "on purpose");
}

static int
descriptor(void *context)
{
	return ((struct account *)context)->session[0];
}

static enum mt_status
listen_to(void *context, bool *ret_news, struct mt_error *err)
{
	struct account *a = context;
	char byte;
	ssize_t n = read(a->session[0], &byte, 1);

	if (n == 0)
		return mt_fail(err, MT_RETRY_LATER, "bye");
	*ret_news = n == 1 && byte == '!';
	return MT_OK;
}

static void
leave(void *context)
{
	struct account *a = context;

	pthread_mutex_lock(&a->world->lock);
	if (a->session[0] >= 0) {
		close(a->session[0]);
		close(a->session[1]);
		a->session[0] = a->session[1] = -1;
		a->left++;
	}
	pthread_cond_broadcast(&a->world->changed);
	pthread_mutex_unlock(&a->world->lock);
}

static bool
has_token(void *context, const struct token_helper *helper, const char *name)
{
	(void)context;
	(void)helper;
	(void)name;
	return false;
}

static void
describe(void *context, struct json_object *status)
{
	(void)context;
	(void)status;
}

/* As far as it comes. */
static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct account *a = context;

	(void)ret_conn;
	(void)deadline;
	do_job(a->world, &a->world->send);
	return mt_fail(err, MT_RETRY_LATER, "on purpose");
}

static void
queue_message(struct world *w)
{
	static const char *const rcpt_to[] = {"b@example.org", NULL};
	const struct outbox_message message = {
	    .account = w->accounts[0].name,
	    .message_id = "<1@example.org>",
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = "x",
	    .len = 1,
	};
	int64_t id;

	assert_int_equal(
	    outbox_add(w->state, &message, time(NULL), &id, NULL), MT_OK);
}

static struct sender_settings
sending(struct account *a)
{
	return (struct sender_settings){
	    .name = "an account",
	    .smtp_server = "another server",
	    .imap_server = "a server",
	    .connections = 1,
	    .interval_ms = HOUR_MS,
	    .state = a->world->state,
	    .submit =
		{
		    .rules = {.account = a->name},
		    .context = a,
		    .open_smtp = open_smtp,
		},
	};
}

static void
load(void *context, struct service *service)
{
	struct world *w = context;

	for (size_t i = 0; i < ACCOUNTS; i++) {
		struct account *a = &w->accounts[i];
		const struct watched_account account = {
		    .context = a,
		    .name = "an account",
		    .server = "a server",
		    .settings = {a->poll_ms, HOUR_MS, HOUR_MS},
		    .enter = enter,
		    .visit = visit,
		    .descriptor = descriptor,
		    .listen = listen_to,
		    .leave = leave,
		    .has_token = has_token,
		    .describe = describe,
		};
		const struct sender_settings sends = sending(a);
		if (i < w->wanted && !a->loaded)
			assert_int_equal(
			    service_add(service, &account, &sends, NULL),
			    MT_OK);
		else if (i >= w->wanted && a->loaded)
			service_remove(service, a);
		a->loaded = i < w->wanted;
	}
}

static void
note_removed(void *context, void *account)
{
	struct world *w = context;

	pthread_mutex_lock(&w->lock);
	((struct account *)account)->removed++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void
note_stop(void *context)
{
	struct world *w = context;

	pthread_mutex_lock(&w->lock);
	w->stopped = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Waits until *count is `value`. */
static void
wait_for(struct world *w, const int *count, int value)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&w->lock);
	while (*count < value)
		if (pthread_cond_timedwait(&w->changed, &w->lock, &until))
			fail_msg("%d instead of %d", *count, value);
	pthread_mutex_unlock(&w->lock);
}

static void
hold(struct world *w, struct job *job, bool held)
{
	pthread_mutex_lock(&w->lock);
	job->held = held;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void
remove_dir(const char *dir)
{
	scratch_remove(dir, "");
}

static int
make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	service_hold_signals(true);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	for (size_t i = 0; i < ACCOUNTS; i++)
		w->accounts[i] = (struct account){
		    .world = w,
		    .session = {-1, -1},
		    .poll_ms = HOUR_MS,
		};
	for (size_t i = 0; i < ACCOUNTS; i++)
		snprintf(w->accounts[i].name, sizeof(w->accounts[i].name),
		    "a%zu", i);
	w->wanted = 1;
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_service.XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/control", w->dir);
	if (state_open(&w->state, w->dir, NULL) != MT_OK)
		return -1;
	queue_message(w);
	w->settings = (struct service_settings){
	    .control_path = w->path,
	    .context = w,
	    .limits = {8, 8, 4},
	    .load = load,
	    .removed = note_removed,
	    .stop = note_stop,
	    .grace_ms = WAIT_MS,
	};
	*state = w;
	return 0;
}

static int
end_world(void **state)
{
	struct world *w = *state;

	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	state_close(&w->state);
	remove_dir(w->dir);
	free(w);
	return 0;
}

static void *
serve(void *context)
{
	struct world *w = context;

	w->status = service_run(&w->settings, &w->left, NULL);
	return NULL;
}

static enum mt_status
ask(struct world *w, const char *request, struct buf *reply)
{
	return control_ask(
	    w->path, request, reply, deadline_in_ms(WAIT_MS), NULL);
}

/* When it returns, both jobs have begun, and the loop answers. */
static void
start(struct world *w)
{
	struct buf reply = BUF_INIT(1000);

	assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
	for (size_t i = 0; i < w->wanted; i++)
		wait_for(w, &w->accounts[i].visit.begun, 1);
	wait_for(w, &w->send.begun, 1);
	assert_int_equal(ask(w, "{\"type\":\"x\"}", &reply), MT_OK);
	assert_non_null(strstr(buf_text(&reply), "unknown request"));
	buf_done(&reply);
}

static void
end(struct world *w)
{
	kill(getpid(), SIGTERM);
	pthread_join(w->thread, NULL);
	assert_int_equal(w->status, MT_OK);
	assert_true(w->stopped);
}

/* One who asks, on a thread of its own. */
struct asker {
	struct world *world;
	pthread_t thread;
	struct buf reply;
};

static void *
ask_and_keep(void *context)
{
	struct asker *a = context;

	assert_int_equal(ask(a->world, poll_request, &a->reply), MT_OK);
	return NULL;
}

static void
request_is_answered_by_a_poll_that_began_after_it(void **state)
{
	struct world *w = *state;
	struct asker asker = {w, 0, BUF_INIT(1000)};
	struct buf other = BUF_INIT(1000);

	w->wanted = 2;
	w->accounts[0].visit.held = true;
	start(w);
	pthread_create(&asker.thread, NULL, ask_and_keep, &asker);
	/* both accounts are asked for at once: the second visit of one shows
	 * that the request has come while the other still is in its first */
	wait_for(w, &w->accounts[1].visit.ended, 2);
	hold(w, &w->accounts[0].visit, false);
	pthread_join(asker.thread, NULL);
	assert_non_null(
	    strstr(buf_text(&asker.reply), "[{\"poll\":2},{\"poll\":2}]"));
	assert_int_equal(ask(w, poll_request, &other), MT_OK);
	assert_non_null(
	    strstr(buf_text(&other), "[{\"poll\":3},{\"poll\":3}]"));
	buf_done(&asker.reply);
	buf_done(&other);
	end(w);
	assert_false(w->left);
}

static void
job_that_hangs_does_not_delay_the_other(void **state)
{
	struct world *w = *state;
	struct buf reply = BUF_INIT(1000);

	w->send.held = true;
	start(w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(w, poll_request, &reply), MT_OK);
	assert_int_equal(w->send.ended, 0);
	hold(w, &w->send, false);
	wait_for(w, &w->send.ended, 1);
	buf_done(&reply);
	end(w);
}

static void
failure_is_tried_again(void **state)
{
	struct world *w = *state;

	w->accounts[0].outcome = MT_RETRY_LATER;
	w->accounts[0].poll_ms = 1;
	start(w);
	wait_for(w, &w->accounts[0].visit.ended, 5);
	end(w);
}

static void
account_that_hangs_does_not_delay_others(void **state)
{
	struct world *w = *state;

	w->wanted = 3;
	w->accounts[0].visit.held = true;
	w->accounts[2].poll_ms = 1;
	start(w);
	wait_for(w, &w->accounts[2].visit.ended, 5);
	assert_int_equal(w->accounts[0].visit.ended, 0);
	hold(w, &w->accounts[0].visit, false);
	end(w);
}

static void
request_is_answered_when_all_accounts_were_visited(void **state)
{
	struct world *w = *state;
	struct buf reply = BUF_INIT(1000);

	w->wanted = 2;
	start(w);
	assert_int_equal(ask(w, poll_request, &reply), MT_OK);
	assert_non_null(strstr(
	    buf_text(&reply), "\"accounts\":[{\"poll\":2},{\"poll\":2}]"));
	buf_done(&reply);
	end(w);
}

static void
news_bring_a_visit_and_signs_of_life_do_not(void **state)
{
	struct world *w = *state;
	struct account *a = &w->accounts[0];

	a->idles = true;
	start(w);
	wait_for(w, &a->visit.ended, 1);
	assert_int_equal(write(a->session[1], "....!", 5), 5);
	wait_for(w, &a->visit.ended, 2);
	assert_int_equal(a->visit.ended, 2);
	assert_false(a->reconciled);
	end(w);
	assert_int_equal(a->left, 1);
}

static void
session_that_ends_is_entered_again_and_compared(void **state)
{
	struct world *w = *state;
	struct account *a = &w->accounts[0];

	a->idles = true;
	a->poll_ms = 1000; /* or the pause after so short a session is longer */
	start(w);
	wait_for(w, &a->visit.ended, 1);
	a->reconciled = false;
	shutdown(a->session[1], SHUT_RDWR);
	wait_for(w, &a->left, 1);
	wait_for(w, &a->visit.ended, 2);
	assert_true(a->reconciled);
	end(w);
}

static void
hangup_adds_and_removes_accounts(void **state)
{
	struct world *w = *state;

	start(w);
	w->wanted = 3;
	kill(getpid(), SIGHUP);
	wait_for(w, &w->accounts[2].visit.ended, 1);
	w->wanted = 1;
	hold(w, &w->accounts[0].visit, true);
	kill(getpid(), SIGHUP);
	wait_for(w, &w->accounts[1].removed, 1);
	wait_for(w, &w->accounts[2].removed, 1);
	hold(w, &w->accounts[0].visit, false);
	assert_int_equal(w->accounts[0].removed, 0);
	end(w);
}

/* The signal does not end the process. */
static void
expect_held_back(int number)
{
	sigset_t set;
	int found = 0;

	kill(getpid(), number);
	sigemptyset(&set);
	sigaddset(&set, number);
	assert_int_equal(sigwait(&set, &found), 0);
	assert_int_equal(found, number);
}

static void
end_waits_for_what_is_under_way(void **state)
{
	struct world *w = *state;

	w->send.held = true;
	start(w);
	kill(getpid(), SIGTERM);
	/* another one changes nothing */
	kill(getpid(), SIGINT);
	pthread_mutex_lock(&w->lock);
	while (!w->stopped)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	hold(w, &w->send, false);
	pthread_join(w->thread, NULL);
	assert_false(w->left);
	assert_int_equal(w->send.ended, 1);
	expect_held_back(SIGTERM);
}

/* Ends as the connector then does. */
static int
be_left(void)
{
	struct world *w = NULL;

	if (make_world((void **)&w))
		return 1;
	w->accounts[0].visit.held = w->send.held = true;
	w->settings.grace_ms = 1;
	start(w);
	end(w);
	remove_dir(w->dir);
	_exit(w->left ? 0 : 1);
}

static void
end_does_not_wait_for_ever(void **state)
{
	/* a process of its own, because it leaves threads behind */
	char *argv[] = {(char[]){"test_service"}, (char[]){"left"}, NULL};
	int status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return be_left();
#define IN_WORLD(test)                                                         \
	cmocka_unit_test_setup_teardown(test, make_world, end_world)
	const struct CMUnitTest tests[] = {
	    IN_WORLD(request_is_answered_by_a_poll_that_began_after_it),
	    IN_WORLD(job_that_hangs_does_not_delay_the_other),
	    IN_WORLD(failure_is_tried_again),
	    IN_WORLD(account_that_hangs_does_not_delay_others),
	    IN_WORLD(request_is_answered_when_all_accounts_were_visited),
	    IN_WORLD(news_bring_a_visit_and_signs_of_life_do_not),
	    IN_WORLD(session_that_ends_is_entered_again_and_compared),
	    IN_WORLD(hangup_adds_and_removes_accounts),
	    IN_WORLD(end_waits_for_what_is_under_way),
	    cmocka_unit_test(end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
