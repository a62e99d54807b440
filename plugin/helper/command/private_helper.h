/* SPDX-License-Identifier: ISC */
/*
 * A token helper of our own, for where none is running: `mailtokend --once`
 * on a socket pair.  It serves this one connection under the store's lock and
 * ends with it.
 */
#ifndef MT_COMMAND_PRIVATE_HELPER_H
#define MT_COMMAND_PRIVATE_HELPER_H

#include "base/status.h"

#include <sys/types.h>

/*
 * Starts it.  `config` is its --config, or NULL.  *ret_fd is our end of the
 * connection and the caller's.  MT_UNREACHABLE if it cannot be started; what
 * goes wrong inside it shows when it is asked, see private_helper_end().
 */
enum mt_status private_helper_start(const char *config, pid_t *ret_pid,
    int *ret_fd, struct mt_error *err) MT_MUST_CHECK;

/*
 * Waits for its end, after our end of the connection was closed.  MT_OK when
 * it ended well, else what its exit code means.  Blocks as long as it takes to
 * bring a refresh in flight to its end, 60 s at most; it is never killed, for
 * its memory may hold the only copy of a new refresh token.
 */
enum mt_status private_helper_end(
    pid_t pid, struct mt_error *err) MT_MUST_CHECK;

#endif
