/* SPDX-License-Identifier: ISC */
/*
 * Takes from this process, for good, all that parsing a message does not need:
 * after it there is memory, the socket `socket_fd`, and reading of descriptors
 * that come through it.  Opening a file fails with EACCES, because libraries
 * try that harmlessly (a charset, a time zone); any other system call kills.
 */
#ifndef MT_MIME_MIME_LOCKDOWN_H
#define MT_MIME_MIME_LOCKDOWN_H

#include <stdbool.h>

/* False if the kernel refuses a part of it; the process must then end. */
bool mime_lockdown(int socket_fd);

#endif
