/* SPDX-License-Identifier: ISC */
#include "hook.h"

#include "clock.h"
#include "launcher.h"

#include "base/log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WAITING_MAX 20000 /* news for one program */

/* A frame for the launcher. */
struct job {
	STAILQ_ENTRY(job) link;
	struct secret frame;
};

struct hook {
	char *program; /* NULL: none; what still runs may end */
	STAILQ_HEAD(, job) waiting;
	size_t count;
	bool running;
	bool replaced; /* what runs is another program */
	bool failed;   /* the last time */
};

struct hooks {
	struct launcher *launcher; /* NULL: no hook can run ... */
	struct mt_error why_not;   /* ... because of this */
	bool configured;           /* the launcher may know older settings */
	struct hook hook[HOOKS_MAX];
};

/* ---- what waits ---- */

static void
job_free(struct job *job)
{
	secret_done(&job->frame);
	free(job);
}

static void
forget_waiting(struct hook *hook)
{
	struct job *job;

	while ((job = STAILQ_FIRST(&hook->waiting))) {
		STAILQ_REMOVE_HEAD(&hook->waiting, link);
		job_free(job);
	}
	hook->count = 0;
}

/* Said once, until it goes well again. */
static void
note_failure(struct hook *hook, const char *what)
{
	if (!hook->failed)
		log_warning("hook %s: %s", hook->program, what);
	hook->failed = true;
}

static void
run_next(struct hooks *hooks, struct hook *hook)
{
	struct job *job;

	while (!hook->running && (job = STAILQ_FIRST(&hook->waiting))) {
		STAILQ_REMOVE_HEAD(&hook->waiting, link);
		hook->count--;
		hook->running = launcher_send(hooks->launcher, &job->frame);
		if (!hook->running)
			note_failure(hook, "the process that runs it does not "
					   "listen");
		job_free(job);
	}
}

/* ---- what became of it ---- */

static void
log_output(const struct hook *hook, const char *output)
{
	while (*output) {
		size_t len = strcspn(output, "\n");

		if (len)
			log_debug(
			    "hook %s: %.*s", hook->program, (int)len, output);
		output += len + (output[len] == '\n');
	}
}

static void
on_ended(void *context, size_t slot, const char *why, const char *output)
{
	struct hooks *hooks = context;
	struct hook *hook = &hooks->hook[slot];

	if (!hook->replaced) {
		log_output(hook, output);
		if (*why)
			note_failure(hook, why);
		else
			hook->failed = false;
	}
	hook->running = hook->replaced = false;
	run_next(hooks, hook);
}

static void
on_refused(void *context, const char *why)
{
	(void)context;
	log_error("the hooks stay as they were, the settings cannot be used "
		  "for them: %s",
	    why);
}

static bool
has_hook(const struct hooks *hooks)
{
	for (size_t i = 0; i < HOOKS_MAX; i++)
		if (hooks->hook[i].program)
			return true;
	return false;
}

static void
on_lost(void *context, const struct mt_error *why)
{
	struct hooks *hooks = context;

	mt_fail(&hooks->why_not, why->status,
	    "%s; no hook is run until mailtokend is started anew", why->text);
	log_error("%s", hooks->why_not.text);
	launcher_free(&hooks->launcher);
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		forget_waiting(&hooks->hook[i]);
		hooks->hook[i].running = hooks->hook[i].replaced = false;
	}
}

/* ---- the set ---- */

enum mt_status
hooks_new(uv_loop_t *loop, const struct hook_places *places,
    struct hooks **ret_hooks, struct mt_error *err)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));
	struct mt_error why = {0};

	if (!hooks)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	for (size_t i = 0; i < HOOKS_MAX; i++)
		STAILQ_INIT(&hooks->hook[i].waiting);
	if (!places)
		mt_fail(&hooks->why_not, MT_BAD_CONFIG,
		    "no hook is run: the settings with it must be in a file "
		    "that can be read again");
	else if (launcher_new(loop, places,
		     &(const struct launcher_events){
			 on_ended, on_refused, on_lost, hooks},
		     &hooks->launcher, &why) != MT_OK)
		mt_fail(&hooks->why_not, why.status, "no hook is run: %s",
		    why.text);
	*ret_hooks = hooks;
	return MT_OK;
}

void
hooks_free(struct hooks **hooks)
{
	struct hooks *h = *hooks;

	if (!h)
		return;
	launcher_free(&h->launcher);
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		forget_waiting(&h->hook[i]);
		free(h->hook[i].program);
	}
	free(h);
	*hooks = NULL;
}

static void
set_program(struct hook *hook, const char *program)
{
	bool same = hook->program && program
			? strcmp(hook->program, program) == 0
			: hook->program == program;

	if (same)
		return;
	forget_waiting(hook);
	free(hook->program);
	hook->program = program ? strdup(program) : NULL;
	hook->replaced = hook->running;
	hook->failed = false;
}

static void
have_launcher_reload(struct hooks *hooks)
{
	struct secret frame = SECRET_INIT;

	token_wire_begin(&frame, "reload");
	if (!token_wire_end(&frame) || !launcher_send(hooks->launcher, &frame))
		on_refused(hooks, "the process that runs them does not listen");
	secret_done(&frame);
}

void
hooks_configure(struct hooks *hooks, const struct hook_list *list)
{
	/* it has read the first ones itself */
	if (hooks->configured && hooks->launcher)
		have_launcher_reload(hooks);
	hooks->configured = true;
	for (size_t i = 0; i < HOOKS_MAX; i++)
		set_program(&hooks->hook[i],
		    i < list->count ? list->programs[i] : NULL);
	if (hooks_alarm(hooks))
		log_error("%s", hooks_alarm(hooks));
}

static struct job *
job_new(size_t slot, const char *program, const struct hook_news *news)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	secret_init(&job->frame, NULL);
	if (hook_wire_run(&job->frame, slot, program, news))
		return job;
	job_free(job);
	return NULL;
}

static void
tell(struct hooks *hooks, size_t slot, const struct hook_news *news)
{
	struct hook *hook = &hooks->hook[slot];
	struct job *job = hook->count < WAITING_MAX
			      ? job_new(slot, hook->program, news)
			      : NULL;

	if (!job) {
		note_failure(hook, "too much news to keep");
		return;
	}
	STAILQ_INSERT_TAIL(&hook->waiting, job, link);
	hook->count++;
	run_next(hooks, hook);
}

void
hooks_tell(struct hooks *hooks, const struct hook_news *news)
{
	struct hook_news dated = *news;
	char time[CLOCK_TEXT_SIZE];

	dated.time = clock_format(clock_wall_s(), time);
	for (size_t i = 0; hooks->launcher && i < HOOKS_MAX; i++)
		if (hooks->hook[i].program)
			tell(hooks, i, &dated);
}

const char *
hooks_alarm(const struct hooks *hooks)
{
	return hooks->launcher || !has_hook(hooks) ? NULL : hooks->why_not.text;
}
