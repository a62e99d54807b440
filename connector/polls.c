/* SPDX-License-Identifier: ISC */
#include "polls.h"

#include "report.h"

#include <json-c/json.h>
#include <stdlib.h>

#define POLLS_MAX 64

struct poll_request {
	TAILQ_ENTRY(poll_request) link;
	struct control_peer *peer;
	struct json_object *reports; /* of the accounts */
	size_t left;                 /* visits to come */
	struct wanted {
		const struct watcher *watcher; /* NULL: visited, or gone */
		uint64_t number;
	} wanted[];
};

void
polls_init(struct polls *p)
{
	TAILQ_INIT(&p->list);
	p->count = 0;
}

struct poll_request *
polls_begin(struct polls *p, struct control_peer *peer, size_t accounts)
{
	struct poll_request *r;

	if (p->count == POLLS_MAX)
		return NULL;
	r = calloc(1, sizeof(*r) + (accounts + 1) * sizeof(struct wanted));
	if (!r)
		return NULL;
	r->peer = peer;
	r->reports = json_object_new_array();
	p->count++;
	TAILQ_INSERT_TAIL(&p->list, r, link);
	return r;
}

void
polls_want(struct poll_request *r, struct watcher *watcher)
{
	r->wanted[r->left++] = (struct wanted){watcher, watcher_ask(watcher)};
}

static void
finish(struct polls *p, struct poll_request *r)
{
	TAILQ_REMOVE(&p->list, r, link);
	p->count--;
	control_reply(r->peer, report_join_polls(r->reports, NULL));
	json_object_put(r->reports);
	free(r);
}

void
polls_go(struct polls *p, struct poll_request *r)
{
	if (!r->left)
		finish(p, r);
}

void
polls_note_visit(struct polls *p, const struct watcher *watcher,
    uint64_t number, struct json_object *report)
{
	struct poll_request *r, *next;

	for (r = TAILQ_FIRST(&p->list); r; r = next) {
		next = TAILQ_NEXT(r, link);
		for (struct wanted *w = r->wanted; w->number; w++) {
			if (w->watcher != watcher || w->number > number)
				continue;
			w->watcher = NULL;
			r->left--;
			if (report)
				json_object_array_add(
				    r->reports, json_object_get(report));
		}
		if (!r->left)
			finish(p, r);
	}
}
