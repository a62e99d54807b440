/* SPDX-License-Identifier: ISC */
/*
 * The worker as a process: started with an empty environment and nothing open
 * but its socket, ended by SIGKILL, which it cannot refuse.  Knows nothing of
 * what is said on the socket, except that the worker says first that it is
 * ready.
 */
#ifndef MT_MIME_MIME_PROCESS_H
#define MT_MIME_MIME_PROCESS_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>

#define MIME_PROCESS_FD 3 /* the worker's end of the socket, in the worker */

struct mime_process {
	pid_t pid; /* 0: none */
	int fd;    /* our end */
};

#define MIME_PROCESS_INIT                                                      \
	{                                                                      \
		.fd = -1                                                       \
	}

/*
 * Starts the program at `path` and waits until it is ready.  Fails with
 * MT_RETRY_LATER: whatever the reason, no message is to blame.
 */
enum mt_status mime_process_start(struct mime_process *process,
    const char *path, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* True if it was started and has neither ended nor said anything. */
bool mime_process_is_idle(const struct mime_process *process);

/* Kills it, if there is one, and waits for its end.  Returns the signal that
 * had ended it before (0: none). */
int mime_process_stop(struct mime_process *process);

#endif
