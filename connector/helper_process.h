/* SPDX-License-Identifier: ISC */
/*
 * A mailtokend of our own as a process: started with the settings and the
 * client secret in anonymous files, an environment without anything of ours,
 * and a pipe whose end tells it to go.  Knows nothing of what it is asked.
 */
#ifndef MT_CONNECTOR_HELPER_PROCESS_H
#define MT_CONNECTOR_HELPER_PROCESS_H

#include "base/deadline.h"
#include "base/status.h"
#include "config.h"

#include <stdbool.h>
#include <sys/types.h>

#define HELPER_ACCOUNT "connector" /* the one account that it has */

struct helper_process {
	pid_t pid;    /* 0: none */
	int lifeline; /* it ends when this is closed; -1 */
};

#define HELPER_PROCESS_INIT                                                    \
	{                                                                      \
		.lifeline = -1                                                 \
	}

struct helper_place {
	const char *store;  /* directory */
	const char *socket; /* where it listens */
};

/* Starts it; only while there is none.  MT_BAD_CONFIG: the program cannot be
 * run; MT_RETRY_LATER: not now. */
enum mt_status helper_process_start(struct helper_process *process,
    const struct config *config, const struct helper_place *place,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * True when it has ended since it was started, once: then there is none.
 * MT_BAD_CONFIG: by itself, and the next one would; MT_UNREACHABLE: another one
 * may fare better.
 */
bool helper_process_has_ended(struct helper_process *process,
    enum mt_status *ret_why, struct mt_error *err);

/* Tells it to go: it takes nothing on, and ends after what is under way. */
void helper_process_dismiss(struct helper_process *process);

/* Dismisses it and waits for its end; at the deadline it is left alone. */
void helper_process_stop(
    struct helper_process *process, struct deadline deadline);

#endif
