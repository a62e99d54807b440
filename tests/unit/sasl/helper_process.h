/* SPDX-License-Identifier: ISC */
/*
 * A scripted helper in a process of its own, so that it can be killed, and so
 * that a token is in this process only if the module brought it here.
 */
#ifndef MT_TESTS_HELPER_PROCESS_H
#define MT_TESTS_HELPER_PROCESS_H

#include "unit/tokensock/scripted_helper.h"

#include <stdint.h>
#include <sys/types.h>

#define HELPER_TOKEN_LEN 400

/* Starts the helper in a child; with rules of NULL it serves everybody the
 * token of `key`.  Call it while there is one thread only. */
pid_t helper_process_start(
    const char *path, const struct helper_rule *rules, uint64_t key);

/* Ends the child, and removes its socket. */
void helper_process_stop(pid_t pid, const char *path);

/*
 * How many copies of pieces of that token are in the memory that this process
 * can write.  They are compared with what is computed byte by byte, so that the
 * search holds no copy itself.
 */
size_t helper_process_copies_of_token(uint64_t key);

#endif
