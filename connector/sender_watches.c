/* SPDX-License-Identifier: ISC */
/* Who waits for an entry of the outbox, and when they are told. */
#include "sender_impl.h"

#include <stdlib.h>

/* Whether all that was due has had its turn. */
static bool
is_idle(const struct sender *s)
{
	if (s->desk_error.status != MT_OK)
		return true;
	return !sender_works(s) &&
	       (!s->plan.due ||
		   !pause_is_over(&s->smtp_pause, uv_now(s->loop))) &&
	       (s->plan.file_s != 0 ||
		   !pause_is_over(&s->imap_pause, uv_now(s->loop)));
}

static bool
is_told(const struct sender *s, const struct sender_watch *w,
    const struct desk_look *look)
{
	const struct send_report *report = &look->report;

	if (s->stopping || uv_now(s->loop) >= w->patience)
		return true;
	if (w->until == UNTIL_IDLE)
		return is_idle(s);
	if (look->status != MT_OK)
		return look->status == MT_BUG; /* the entry is gone */
	if (report->state == SEND_QUEUED && s->desk.blocked)
		return true;
	if (w->until == UNTIL_FILED && report->unfiled)
		return s->imap_pause.failures > 0;
	return report->decided;
}

static void
tell(struct sender *s, struct sender_watch *w, const struct send_report *report)
{
	TAILQ_REMOVE(&s->watches, w, link);
	w->told(w->context, w->entry, report);
	free(w);
}

/* Each watch has a look, in their order, but those that came later. */
void
sender_watches_tell(struct sender *s)
{
	struct sender_desk *d = &s->desk;
	struct sender_watch *w = TAILQ_FIRST(&s->watches), *next;

	for (size_t i = 0; i < d->count && w; i++, w = next) {
		next = TAILQ_NEXT(w, link);
		if (is_told(s, w, &d->looks[i]))
			tell(s, w, &d->looks[i].report);
	}
}

void
sender_watches_end(struct sender *s)
{
	const struct mt_error why = {.text = "the connector is ending"};
	struct sender_watch *w;
	struct send_report report;

	send_unknown(&report, &why);
	while ((w = TAILQ_FIRST(&s->watches)))
		tell(s, w, &report);
}

/* What the watches ask; without memory they are told later. */
void
sender_watches_ask(struct sender *s)
{
	struct sender_desk *d = &s->desk;
	struct sender_watch *w;
	size_t count = 0;

	free(d->looks);
	d->count = 0;
	TAILQ_FOREACH(w, &s->watches, link)
	count++;
	d->looks = calloc(count + 1, sizeof(*d->looks));
	if (!d->looks)
		return;
	TAILQ_FOREACH(w, &s->watches, link)
	d->looks[d->count++].entry = w->entry;
}

static enum mt_status
watch(struct sender *s, int64_t entry, enum sender_until until,
    int64_t patience_ms, sender_told told, void *context, struct mt_error *err)
{
	struct sender_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return mt_fail(err, MT_NO_MEMORY, "no memory to wait");
	*w = (struct sender_watch){
	    .entry = entry,
	    .until = until,
	    .patience = uv_now(s->loop) + (uint64_t)patience_ms,
	    .told = told,
	    .context = context,
	};
	TAILQ_INSERT_TAIL(&s->watches, w, link);
	s->told_all = false;
	if (s->stopping)
		sender_open_desk(s);
	else
		sender_wake(s);
	return MT_OK;
}

enum mt_status
sender_watch(struct sender *s, int64_t entry, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err)
{
	return watch(s, entry, UNTIL_DECIDED, patience_ms, told, context, err);
}

enum mt_status
sender_watch_filed(struct sender *s, int64_t entry, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err)
{
	return watch(s, entry, UNTIL_FILED, patience_ms, told, context, err);
}

enum mt_status
sender_watch_all(struct sender *s, int64_t patience_ms, sender_told told,
    void *context, struct mt_error *err)
{
	return watch(s, 0, UNTIL_IDLE, patience_ms, told, context, err);
}
