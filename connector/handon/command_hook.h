/* SPDX-License-Identifier: ISC */
/*
 * Announces mail by running a program: without a shell, with a clean
 * environment, and with nothing of the mail in its arguments or environment.
 * On its standard input it gets one JSON object a line, one for each message
 * (event_text.h); exit status 0 means that it has taken all of them.
 */
#ifndef MT_HANDON_COMMAND_HOOK_H
#define MT_HANDON_COMMAND_HOOK_H

#include "handon/sink.h"

#define COMMAND_HOOK_MS 60000 /* then it is killed */
#define COMMAND_HOOKS_MAX 8   /* at a time, of all accounts */

/* `running` counts those that run; it must outlive the sink. */
struct sink *command_hook_new(
    const char *program, const char *agent, unsigned *running);

#endif
