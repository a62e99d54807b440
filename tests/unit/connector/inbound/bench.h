/* SPDX-License-Identifier: ISC */
/* What the inbound tests share: a workspace, a state and a fake mailbox. */
#ifndef MT_TEST_INBOUND_BENCH_H
#define MT_TEST_INBOUND_BENCH_H

#include "base/buf.h"
#include "inbound/inbound.h"
#include "unit/connector/inbound/fake_imap.h"

#define INBOX "agents/email/inbox"

struct bench {
	char *dir; /* removed in the end */
	char workspace[128];
	struct inbound in;
	struct imap_conn server;
	struct mt_error err;  /* of the last poll */
	struct buf delivered; /* handles, each followed by a space */
	struct buf reports;   /* "handle|sender|subject|path" lines */
	struct buf notices;
};

/* cmocka's setup and teardown: *state is a struct bench. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* Forgets what is in memory, as a new process would, and opens all again. */
void bench_restart(struct bench *b);

enum mt_status bench_poll(struct bench *b);

/* A poll that has to succeed and to deliver these handles ("1 2 "), no more. */
void bench_expect(struct bench *b, const char *handles);

/* A member of a delivered message.json as text; the caller frees it. */
char *bench_json(struct bench *b, const char *handle, const char *member);

void bench_assert_json(struct bench *b, const char *handle, const char *member,
    const char *expected);

/* Whether the workspace has agents/email/inbox/<name>. */
bool bench_has(struct bench *b, const char *name);

/* Number of things that are staged. */
size_t bench_staged(struct bench *b);

#endif
