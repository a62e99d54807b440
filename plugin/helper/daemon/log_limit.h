/* SPDX-License-Identifier: ISC */
/*
 * Keeps lines that others can bring about from filling the log.  The first about
 * each uid and subject is written at once, and what follows is counted; the next
 * that is written, after a pause, tells how many there were.
 */
#ifndef MT_DAEMON_LOG_LIMIT_H
#define MT_DAEMON_LOG_LIMIT_H

#include "tokensock/account_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_LIMIT_SUBJECTS 512     /* that are known at a time */
#define LOG_LIMIT_LINES 1024       /* at most in one pause, about all of them */
#define LOG_LIMIT_PAUSE_MS 600000L /* between two lines about one */

struct log_limit_subject {
	uid_t uid;
	char what[ACCOUNT_NAME_MAX + 1];
	int64_t again_ms; /* boot clock; 0: unused */
	unsigned long held;
};

/* All zero at first. */
struct log_limit {
	struct log_limit_subject subjects[LOG_LIMIT_SUBJECTS];
	int64_t pause_end_ms; /* boot clock */
	unsigned int lines;   /* in this pause */
	unsigned long held;   /* about subjects that are not known any more */
};

/*
 * True if a line about what `uid` does to `what`, an account or "", is to be
 * written now (clock_boot_ms()); *ret_held is how many like it, or about others
 * that had to be forgotten, were not written before.
 */
bool log_limit_takes(struct log_limit *limit, uid_t uid, const char *what,
    int64_t now_ms, unsigned long *ret_held);

#define LOG_LIMIT_TAIL_SIZE 64

/* The end of such a line: " (N more were not logged)", or "" for 0.  Returns
 * `text`. */
const char *log_limit_tail(unsigned long held, char text[LOG_LIMIT_TAIL_SIZE]);

#endif
