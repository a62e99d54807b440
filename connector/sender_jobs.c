/* SPDX-License-Identifier: ISC */
/* What a sender has done in threads of the pool. */
#include "sender_impl.h"

#include "outbound/filing.h"

#include <stddef.h>
#include <time.h>

#define JOB_MS 600000

static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	const struct submit_settings *theirs =
	    &((struct sender *)context)->settings.submit;

	return theirs->open_smtp(theirs->context, ret_conn, deadline, err);
}

static enum mt_status
open_imap(void *context, struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	const struct submit_settings *theirs =
	    &((struct sender *)context)->settings.submit;

	return theirs->open_imap(theirs->context, ret_conn, deadline, err);
}

static void
on_result(void *context, const struct outbox_entry *entry)
{
	struct sender *s = context;

	if (s->settings.submit.result)
		s->settings.submit.result(s->settings.submit.context, entry);
	uv_async_send(s->news);
}

static void
on_copied(void *context, const struct outbox_entry *entry)
{
	struct sender *s = context;

	if (s->settings.submit.copied)
		s->settings.submit.copied(s->settings.submit.context, entry);
	uv_async_send(s->news);
}

struct sender_work *
sender_work_of(struct pool_job *job)
{
	return (
	    struct sender_work *)(void *)((char *)job -
					  offsetof(struct sender_work, job));
}

static void
run_smtp(struct pool_job *job)
{
	struct sender_work *w = sender_work_of(job);

	job->status = submit_work(w->sender->settings.state, &w->sender->submit,
	    deadline_in_ms(JOB_MS), &w->stranded, &w->error);
}

static void
run_imap(struct pool_job *job)
{
	struct sender_work *w = sender_work_of(job);

	job->status = filing_work(w->sender->settings.state, &w->sender->submit,
	    deadline_in_ms(JOB_MS), &w->error);
}

struct sender *
sender_of_desk(struct pool_job *job)
{
	return (struct sender *)(void *)((char *)job -
					 offsetof(struct sender, desk.job));
}

static enum mt_status
take_lock(struct sender *s)
{
	struct sender_desk *d = &s->desk;
	enum mt_status status = MT_OK;

	d->held = false;
	if (s->lock >= 0)
		return MT_OK;
	status = outbox_lock(s->settings.state, s->submit.rules.account,
	    &s->lock, deadline_in_ms(0), &d->error);
	d->held = status == MT_RETRY_LATER;
	return status;
}

/* Everything that needs the lock. */
static enum mt_status
plan(struct sender *s)
{
	struct sender_desk *d = &s->desk;
	struct state *state = s->settings.state;
	enum mt_status status = take_lock(s);

	if (status != MT_OK)
		return status;
	if (d->recover)
		status = submit_recover(state, &s->submit, &d->error);
	if (status == MT_OK && d->tidy)
		status = submit_tidy(state, &s->submit, d->away, &d->error);
	if (status == MT_OK)
		status = outbox_plan(
		    state, &s->submit.rules, time(NULL), &d->plan, &d->error);
	return status;
}

static void
run_desk(struct pool_job *job)
{
	struct sender *s = sender_of_desk(job);
	struct sender_desk *d = &s->desk;
	const struct send_settings look = {
	    .state = s->settings.state,
	    .rules = &s->submit.rules,
	};

	d->status = d->only_looks ? MT_OK : plan(s);
	for (size_t i = 0; i < d->count; i++) {
		struct desk_look *l = &d->looks[i];
		struct mt_error why;

		l->report = (struct send_report)SEND_REPORT_INIT;
		l->status = MT_OK;
		if (!l->entry)
			continue;
		l->status =
		    send_look(&look, l->entry, d->why, &l->report, &why);
		if (l->status != MT_OK)
			send_unknown(&l->report, &why);
	}
	job->status = MT_OK; /* it says nothing about a server */
}

void
sender_jobs_init(struct sender *s, void (*desk_done)(struct pool_job *job),
    void (*work_done)(struct pool_job *job))
{
	s->submit = s->settings.submit;
	s->submit.context = s;
	s->submit.stop = &s->stop;
	s->submit.open_smtp = open_smtp;
	s->submit.open_imap = open_imap;
	s->submit.result = on_result;
	s->submit.copied = on_copied;
	s->desk.job = (struct pool_job){
	    .run = run_desk, .done = desk_done, .server = "the outbox"};
	for (unsigned i = 0; i < s->settings.connections; i++)
		s->smtp[i] = (struct sender_work){
		    .job = {run_smtp, work_done, s->settings.smtp_server},
		    .sender = s,
		};
	s->imap = (struct sender_work){
	    .job = {run_imap, work_done, s->settings.imap_server},
	    .sender = s,
	};
}
