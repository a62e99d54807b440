/* SPDX-License-Identifier: ISC */
#include "follower.h"

#include "tokensock/token_client.h"

#include <stdlib.h>

#define RETRY_MS 5000
#define DEADLINE_MS 1000 /* the helper answers at once, or is of no use */

/* One connection; on its own, for libuv. */
struct line {
	struct follower *follower;
	size_t index; /* of the helper */
	struct token_client client;
	uv_timer_t *retry;
	uv_poll_t *poll; /* NULL: not connected */
	bool failed;     /* the last time */
};

struct follower {
	uv_loop_t *loop;
	struct token_helper *helper;
	struct follower_events events;
	size_t count;
	struct line lines[];
};

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void
disconnect(struct line *line)
{
	if (line->poll)
		uv_close((uv_handle_t *)line->poll, free_handle);
	line->poll = NULL;
	token_client_done(&line->client);
}

static void on_retry(uv_timer_t *timer);

static void
try_later(struct line *line)
{
	line->failed = true;
	uv_timer_start(line->retry, on_retry, RETRY_MS, 0);
}

static bool
take_event(struct line *line)
{
	const struct follower *f = line->follower;
	struct token_wire_message message;
	const char *name, *state;

	if (token_client_read(&line->client, &message,
		deadline_in_ms(DEADLINE_MS), NULL) != MT_OK)
		return false;
	name = token_wire_get(&message, "account");
	state = token_wire_get(&message, "state");
	if (name && state)
		f->events.account(f->events.context, f->helper, name, state);
	return true;
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct line *line = poll->data;
	bool good = status >= 0;

	(void)events;
	/* several may have come at once */
	do
		good = good && take_event(line);
	while (good && line->client.early.len);
	if (!good) {
		disconnect(line);
		try_later(line);
	}
}

static enum mt_status
subscribe(struct line *line)
{
	return token_helper_subscribe(line->follower->helper, line->index,
	    &line->client, deadline_in_ms(DEADLINE_MS), NULL);
}

static bool
attach(struct line *line)
{
	line->poll = calloc(1, sizeof(*line->poll));
	if (!line->poll ||
	    uv_poll_init(line->follower->loop, line->poll, line->client.fd)) {
		free(line->poll);
		line->poll = NULL;
		return false;
	}
	line->poll->data = line;
	uv_poll_start(line->poll, UV_READABLE, on_event);
	return true;
}

static void
on_retry(uv_timer_t *timer)
{
	struct line *line = timer->data;
	const struct follower *f = line->follower;

	if (subscribe(line) != MT_OK || !attach(line)) {
		disconnect(line);
		try_later(line);
		return;
	}
	if (line->failed)
		f->events.appeared(f->events.context);
	line->failed = false;
}

enum mt_status
follower_new(struct follower **ret_follower, uv_loop_t *loop,
    struct token_helper *helper, const struct follower_events *events,
    struct mt_error *err)
{
	size_t count = token_helper_count(helper);
	struct follower *f =
	    calloc(1, sizeof(*f) + count * sizeof(struct line));

	if (!f)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	*f = (struct follower){
	    .loop = loop,
	    .helper = helper,
	    .events = *events,
	};
	for (; f->count < count; f->count++) {
		struct line *line = &f->lines[f->count];
		line->follower = f;
		line->index = f->count;
		token_client_init(&line->client, (uid_t)-1);
		line->retry = calloc(1, sizeof(*line->retry));
		if (!line->retry) {
			follower_free(&f);
			return mt_fail(err, MT_NO_MEMORY, "no memory");
		}
		uv_timer_init(loop, line->retry);
		line->retry->data = line;
		uv_timer_start(line->retry, on_retry, 0, 0);
	}
	*ret_follower = f;
	return MT_OK;
}

void
follower_free(struct follower **follower)
{
	struct follower *f = *follower;

	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++) {
		disconnect(&f->lines[i]);
		uv_close((uv_handle_t *)f->lines[i].retry, free_handle);
	}
	free(f);
	*follower = NULL;
}
