/* SPDX-License-Identifier: ISC */
/* Reads a passphrase from standard input: on a terminal after a prompt, and
 * without showing it. */
#ifndef MT_COMMAND_PASSPHRASE_H
#define MT_COMMAND_PASSPHRASE_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>

/* Standard input is a terminal. */
bool passphrase_is_asked(void);

/*
 * Reads one line; its end does not belong to it.  MT_BAD_INPUT if there is none
 * or it is empty.  A signal that would end the process does so after the
 * terminal is as it was.
 */
enum mt_status passphrase_read(const char *prompt, struct secret *passphrase,
    struct mt_error *err) MT_MUST_CHECK;

/* A descriptor from which the passphrase can be read, once.  The caller closes
 * it. */
enum mt_status passphrase_open(const struct secret *passphrase, int *ret_fd,
    struct mt_error *err) MT_MUST_CHECK;

#endif
