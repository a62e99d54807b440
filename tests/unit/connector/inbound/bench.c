/* SPDX-License-Identifier: ISC */
#include "unit/connector/inbound/bench.h"

#include "delivery/publish.h"
#include "inbound/fetch.h"
#include "inbound/recover.h"
#include "mime/mime_pool.h"
#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
on_delivery(void *context, const struct inbound_delivery *d)
{
	struct bench *b = context;

	buf_add_format(&b->delivered, "%s ", d->handle);
	buf_add_format(&b->reports, "%s|%s|%s|%s\n", d->handle, d->sender,
	    d->subject, d->path);
}

static void
on_notice(void *context, const char *sentence)
{
	struct bench *b = context;

	buf_add_format(&b->notices, "%s\n", sentence);
}

static void
open_all(struct bench *b)
{
	OK(state_open(&b->in.state, scratch_path(b->dir, "state"), &err));
	OK(state_lock_deliverer(b->in.state, &err));
	OK(publish_open(
	    &b->in.publisher, b->workspace, state_id(b->in.state), &err));
	b->in.mime = mime_pool_new(MIME_WORKER, 1);
	assert_non_null(b->in.mime);
	OK(recover_all(&b->in, &err));
}

static void
close_all(struct bench *b)
{
	mime_pool_free(&b->in.mime);
	publish_close(&b->in.publisher);
	state_close(&b->in.state);
}

int
bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b || scratch_setup((void **)&b->dir))
		return -1;
	b->delivered = (struct buf)BUF_INIT(65536);
	b->reports = (struct buf)BUF_INIT(65536);
	b->notices = (struct buf)BUF_INIT(65536);
	snprintf(b->workspace, sizeof(b->workspace), "%s/ws", b->dir);
	scratch_mkdir(b->dir, "ws");
	b->server.uidvalidity = 7;
	b->in = (struct inbound){
	    .account = "a@example.org",
	    .mailbox = "INBOX",
	    .folder = INBOX,
	    .gateway_state = "agents/email/state",
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .context = b,
	    .delivered = on_delivery,
	    .notice = on_notice,
	};
	open_all(b);
	*state = b;
	return 0;
}

int
bench_teardown(void **state)
{
	struct bench *b = *state;
	int result;

	close_all(b);
	buf_done(&b->delivered);
	buf_done(&b->reports);
	buf_done(&b->notices);
	result = scratch_teardown((void **)&b->dir);
	free(b);
	return result;
}

void
bench_restart(struct bench *b)
{
	close_all(b);
	buf_reset(&b->delivered);
	open_all(b);
}

enum mt_status
bench_poll(struct bench *b)
{
	buf_reset(&b->delivered);
	b->err = (struct mt_error){0};
	return fetch_poll(&b->in, &b->server, &b->err);
}

void
bench_expect(struct bench *b, const char *handles)
{
	if (bench_poll(b) != MT_OK)
		fail_msg("%s", b->err.text);
	assert_string_equal(buf_text(&b->delivered), handles);
	assert_int_equal(bench_staged(b), 0);
}

char *
bench_json(struct bench *b, const char *handle, const char *member)
{
	char path[128];
	char *text, *copy;
	struct json_object *root, *value = NULL;

	snprintf(path, sizeof(path), INBOX "/%s/message.json", handle);
	text = scratch_read(b->workspace, path);
	assert_non_null(text);
	root = json_tokener_parse(text);
	assert_non_null(root);
	assert_true(json_object_object_get_ex(root, member, &value));
	copy = strdup(json_object_get_string(value));
	json_object_put(root);
	free(text);
	assert_non_null(copy);
	return copy;
}

void
bench_assert_json(struct bench *b, const char *handle, const char *member,
    const char *expected)
{
	char *text = bench_json(b, handle, member);

	assert_string_equal(text, expected);
	free(text);
}

bool
bench_has(struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), INBOX "/%s", name);
	return scratch_exists(b->workspace, path);
}

size_t
bench_staged(struct bench *b)
{
	char path[128];

	snprintf(path, sizeof(path), ".tri-onyx/email-tmp/%s",
	    state_id(b->in.state));
	return scratch_count(b->workspace, path);
}
