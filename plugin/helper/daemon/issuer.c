/* SPDX-License-Identifier: ISC */
#include "issuer.h"

#include "clock.h"
#include "refresh.h"
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

/* How long who finds too many under way stays away. */
#define CROWD_MS 1000

struct issuer {
	SLIST_ENTRY(issuer) link;
	char host[URL_HOST_SIZE + 8]; /* and port */
	unsigned int under_way;
	unsigned int failures; /* in a row */
	unsigned int trials;   /* that failed in a row, while it is down */
	bool on_trial;
	bool pause_is_servers;
	int64_t next_trial_ms; /* boot clock */
	struct mt_error why;
};

struct issuers {
	SLIST_HEAD(, issuer) known;
};

enum mt_status
issuers_new(struct issuers **ret_issuers, struct mt_error *err)
{
	struct issuers *issuers = calloc(1, sizeof(*issuers));

	if (!issuers)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	SLIST_INIT(&issuers->known);
	*ret_issuers = issuers;
	return MT_OK;
}

void
issuers_free(struct issuers **issuers)
{
	struct issuer *issuer;

	if (!*issuers)
		return;
	while ((issuer = SLIST_FIRST(&(*issuers)->known))) {
		SLIST_REMOVE_HEAD(&(*issuers)->known, link);
		free(issuer);
	}
	free(*issuers);
	*issuers = NULL;
}

static bool
is_down(const struct issuer *issuer)
{
	return issuer->failures >= ISSUER_DOWN_AFTER;
}

void
issuers_network_changed(struct issuers *issuers)
{
	struct issuer *issuer;

	SLIST_FOREACH(issuer, &issuers->known, link)
	if (is_down(issuer) && !issuer->pause_is_servers)
		issuer->next_trial_ms = clock_boot_ms();
}

struct issuer *
issuers_get(struct issuers *issuers, const char *endpoint)
{
	char host[sizeof(((struct issuer *)0)->host)];
	struct issuer *issuer;
	struct url url;

	if (!issuers || !url_parse(endpoint, &url))
		return NULL;
	snprintf(host, sizeof(host), "%s:%ld", url.host, url.port);
	SLIST_FOREACH(issuer, &issuers->known, link)
	if (strcasecmp(issuer->host, host) == 0)
		return issuer;
	issuer = calloc(1, sizeof(*issuer));
	if (!issuer)
		return NULL;
	memcpy(issuer->host, host, sizeof(host));
	SLIST_INSERT_HEAD(&issuers->known, issuer, link);
	return issuer;
}

const char *
issuer_host(const struct issuer *issuer)
{
	return issuer->host;
}

enum issuer_turn
issuer_turn(const struct issuer *issuer, bool unasked, int64_t *ret_until_ms)
{
	int64_t now = clock_boot_ms();
	unsigned int most = issuer->failures ? 1 : ISSUER_UNASKED_MAX;

	if (is_down(issuer) && issuer->on_trial)
		return ISSUER_QUEUE;
	if (is_down(issuer) && issuer->next_trial_ms > now) {
		*ret_until_ms = issuer->next_trial_ms;
		return ISSUER_WAIT;
	}
	if (unasked && issuer->under_way >= most) {
		*ret_until_ms = now + CROWD_MS;
		return ISSUER_WAIT;
	}
	return ISSUER_GO;
}

bool
issuer_begin(struct issuer *issuer)
{
	bool is_trial = is_down(issuer) && !issuer->on_trial;

	issuer->under_way++;
	if (is_trial)
		issuer->on_trial = true;
	return is_trial;
}

/* Requests that were on their way when it went down do not make the pause
 * longer: a hundred of them are one failure. */
static enum issuer_news
note_failure(struct issuer *issuer, bool was_trial, long retry_after_s,
    const struct mt_error *why)
{
	bool was_down = is_down(issuer);
	long pause_s;

	issuer->failures++;
	issuer->why = *why;
	if (!is_down(issuer) || (was_down && !was_trial))
		return ISSUER_AS_BEFORE;
	pause_s = refresh_pause_s(++issuer->trials);
	issuer->pause_is_servers = retry_after_s > 0;
	if (pause_s < retry_after_s)
		pause_s = retry_after_s < REFRESH_PAUSE_MAX_S
			      ? retry_after_s
			      : REFRESH_PAUSE_MAX_S;
	issuer->next_trial_ms = clock_boot_ms() + (int64_t)pause_s * 1000;
	return ISSUER_STILL_DOWN;
}

static enum issuer_news
note_answer(struct issuer *issuer)
{
	bool was_down = is_down(issuer);

	issuer->failures = issuer->trials = 0;
	issuer->on_trial = false;
	return was_down ? ISSUER_BACK : ISSUER_AS_BEFORE;
}

enum issuer_news
issuer_end(struct issuer *issuer, bool was_trial, enum issuer_outcome outcome,
    long retry_after_s, const struct mt_error *why)
{
	issuer->under_way--;
	if (was_trial)
		issuer->on_trial = false;
	switch (outcome) {
	case ISSUER_ANSWERED:
		return note_answer(issuer);
	case ISSUER_FAILED:
		return note_failure(issuer, was_trial, retry_after_s, why);
	case ISSUER_UNKNOWN:
		break;
	}
	/* whoever waited for the trial makes the next */
	return was_trial && is_down(issuer) ? ISSUER_STILL_DOWN
					    : ISSUER_AS_BEFORE;
}

struct issuer_view
issuer_view(const struct issuer *issuer)
{
	int64_t left = issuer->next_trial_ms - clock_boot_ms();
	struct issuer_view view = {
	    .down = is_down(issuer),
	    .failures = issuer->failures,
	    .why = issuer->why.text,
	};

	if (view.down && !issuer->on_trial && left > 0)
		view.next_trial_s = (long)((left + 999) / 1000);
	return view;
}
