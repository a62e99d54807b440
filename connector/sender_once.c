/* SPDX-License-Identifier: ISC */
#include "sender_once.h"

#include <stdlib.h>

#define THREADS 32

struct once {
	uv_loop_t loop;
	struct pool *pool;
	struct sender *sender;
	struct mt_error trouble; /* status MT_OK: none */
};

static void
on_stopped(void *context, struct sender *sender)
{
	struct once *once = context;

	(void)sender;
	sender_free(&once->sender);
	pool_free(&once->pool);
}

static void
on_told(void *context, int64_t entry, const struct send_report *report)
{
	struct once *once = context;

	(void)entry;
	(void)report; /* more may be known at the end */
	sender_trouble(once->sender, &once->trouble);
	sender_stop(once->sender, on_stopped, once);
}

static enum mt_status
begin(struct once *once, const struct sender_settings *settings, int64_t entry,
    int64_t patience_ms, struct mt_error *err)
{
	const struct pool_limits limits = {THREADS, THREADS, THREADS};
	enum mt_status status =
	    pool_new(&once->pool, &once->loop, &limits, err);

	if (status != MT_OK)
		return status;
	status =
	    sender_new(&once->sender, &once->loop, once->pool, settings, err);
	if (status != MT_OK) {
		pool_free(&once->pool);
		return status;
	}
	status = entry ? sender_watch_filed(once->sender, entry, patience_ms,
			     on_told, once, err)
		       : sender_watch_all(
			     once->sender, patience_ms, on_told, once, err);
	if (status != MT_OK)
		sender_stop(once->sender, on_stopped, once);
	return status;
}

static enum mt_status
work(const struct sender_settings *settings, int64_t entry, int64_t patience_ms,
    struct mt_error *ret_trouble, struct mt_error *err)
{
	struct once once = {.trouble = {.text = ""}};
	enum mt_status status;

	if (uv_loop_init(&once.loop))
		return mt_fail(err, MT_NO_MEMORY, "no memory for the loop");
	status = begin(&once, settings, entry, patience_ms, err);
	uv_run(&once.loop, UV_RUN_DEFAULT);
	uv_loop_close(&once.loop);
	*ret_trouble = once.trouble;
	return status;
}

enum mt_status
sender_once(const struct sender_settings *settings, int64_t entry,
    int64_t patience_ms, struct send_report *ret_report, struct mt_error *err)
{
	const struct send_settings look = {
	    .state = settings->state,
	    .rules = &settings->submit.rules,
	};
	struct mt_error trouble;
	enum mt_status status =
	    work(settings, entry, patience_ms, &trouble, err);

	if (status != MT_OK)
		return status;
	return send_look(&look, entry, trouble.text, ret_report, err);
}

enum mt_status
sender_once_all(const struct sender_settings *settings, int64_t patience_ms,
    struct mt_error *err)
{
	struct mt_error trouble;
	enum mt_status status = work(settings, 0, patience_ms, &trouble, err);

	if (status == MT_OK && trouble.status != MT_OK)
		status = mt_fail(err, trouble.status, "%s", trouble.text);
	return status;
}
