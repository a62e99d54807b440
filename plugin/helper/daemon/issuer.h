/* SPDX-License-Identifier: ISC */
/*
 * The servers that issue tokens, by the host of the token endpoint, and when
 * they are left alone.
 *
 * When several requests in a row came to nothing, whatever account they were
 * for, one request at a time tries the server, after pauses that grow; all other
 * accounts wait for it.  The first answer that is one ends that.
 */
#ifndef MT_DAEMON_ISSUER_H
#define MT_DAEMON_ISSUER_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define ISSUER_DOWN_AFTER 3  /* failures in a row */
#define ISSUER_UNASKED_MAX 4 /* requests at a time that nobody waits for */

struct issuers;
struct issuer;

enum mt_status issuers_new(
    struct issuers **ret_issuers, struct mt_error *err) MT_MUST_CHECK;
void issuers_free(struct issuers **issuers);

/* The network may be back: servers that are down may be tried, but for those
 * that asked for the pause. */
void issuers_network_changed(struct issuers *issuers);

/* That of this endpoint; lives as long as all.  NULL: no memory. */
struct issuer *issuers_get(struct issuers *issuers, const char *endpoint);

const char *issuer_host(const struct issuer *issuer);

enum issuer_turn {
	ISSUER_GO,
	ISSUER_WAIT,  /* until *ret_until_ms of the boot clock */
	ISSUER_QUEUE, /* until the request that tries the server has ended */
};

/* Whether a request may go out; `unasked`: nobody waits for its answer. */
enum issuer_turn issuer_turn(
    const struct issuer *issuer, bool unasked, int64_t *ret_until_ms);

/* A request goes out.  Returns whether it is the one that tries the server. */
bool issuer_begin(struct issuer *issuer);

enum issuer_outcome {
	ISSUER_ANSWERED, /* yes or no, but an answer */
	ISSUER_FAILED,
	ISSUER_UNKNOWN, /* nobody looked at the answer */
};

enum issuer_news {
	ISSUER_AS_BEFORE,
	ISSUER_BACK,
	ISSUER_STILL_DOWN, /* the request that tried it has failed */
};

/* It has ended: what `issuer_begin` said of it, and why it failed, if so. */
enum issuer_news issuer_end(struct issuer *issuer, bool was_trial,
    enum issuer_outcome outcome, long retry_after_s,
    const struct mt_error *why);

struct issuer_view {
	bool down;
	unsigned int failures; /* in a row */
	long next_trial_s;     /* 0: now, or under way */
	const char *why;       /* the last failure */
};

struct issuer_view issuer_view(const struct issuer *issuer);

#endif
