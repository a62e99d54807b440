/* SPDX-License-Identifier: ISC */
/*
 * Hears what the token helpers of one kind tell of their accounts, as long as
 * they are there.
 */
#ifndef MT_CONNECTOR_FOLLOWER_H
#define MT_CONNECTOR_FOLLOWER_H

#include "base/status.h"
#include "token_helper.h"

#include <uv.h>

struct follower;

struct follower_events {
	void *context;
	/* An account is in another state now, or has another token. */
	void (*account)(void *context, const struct token_helper *helper,
	    const char *name, const char *state);
	/* A helper listens that did not. */
	void (*appeared)(void *context);
};

/* `helper` must outlive it. */
enum mt_status follower_new(struct follower **ret_follower, uv_loop_t *loop,
    struct token_helper *helper, const struct follower_events *events,
    struct mt_error *err) MT_MUST_CHECK;

/* The loop must run once more for the memory of the handles. */
void follower_free(struct follower **follower);

#endif
