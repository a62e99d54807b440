/* SPDX-License-Identifier: ISC */
#include "log_limit.h"

#include <stdio.h>
#include <string.h>

/* The subject, or the place for it: unused, or that of which nothing was
 * written for the longest time. */
static struct log_limit_subject *
find(struct log_limit *limit, uid_t uid, const char *what, bool *ret_known)
{
	struct log_limit_subject *oldest = limit->subjects;

	for (size_t i = 0; i < LOG_LIMIT_SUBJECTS; i++) {
		struct log_limit_subject *s = &limit->subjects[i];

		*ret_known =
		    s->again_ms && s->uid == uid && strcmp(s->what, what) == 0;
		if (*ret_known)
			return s;
		if (s->again_ms < oldest->again_ms)
			oldest = s;
	}
	return oldest;
}

/* Many subjects could still fill the log. */
static bool
has_room(struct log_limit *limit, int64_t now_ms)
{
	if (now_ms >= limit->pause_end_ms) {
		limit->pause_end_ms = now_ms + LOG_LIMIT_PAUSE_MS;
		limit->lines = 0;
	}
	return limit->lines < LOG_LIMIT_LINES;
}

bool
log_limit_takes(struct log_limit *limit, uid_t uid, const char *what,
    int64_t now_ms, unsigned long *ret_held)
{
	bool known;
	struct log_limit_subject *s = find(limit, uid, what, &known);

	if (known && now_ms < s->again_ms) {
		s->held++;
		return false;
	}
	if (!has_room(limit, now_ms)) {
		limit->held++;
		return false;
	}
	/* what was held back about one that is forgotten is told here, too */
	*ret_held = s->held + limit->held;
	*s = (struct log_limit_subject){
	    .uid = uid, .again_ms = now_ms + LOG_LIMIT_PAUSE_MS};
	snprintf(s->what, sizeof(s->what), "%s", what);
	limit->held = 0;
	limit->lines++;
	return true;
}

const char *
log_limit_tail(unsigned long held, char text[LOG_LIMIT_TAIL_SIZE])
{
	text[0] = '\0';
	if (held)
		snprintf(text, LOG_LIMIT_TAIL_SIZE, " (%lu more %s not logged)",
		    held, held == 1 ? "was" : "were");
	return text;
}
