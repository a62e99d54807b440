/* SPDX-License-Identifier: ISC */
/*
 * One line a message on standard error.  For programs only: libraries return
 * errors.  Under systemd each line starts with its priority (sd-daemon(3)),
 * otherwise with the program's name.  Control characters become '?'.  Safe to
 * use from several threads.
 */
#ifndef MT_BASE_LOG_H
#define MT_BASE_LOG_H

#include "status.h"

#include <stdbool.h>

/*
 * Called once by main, before any thread and any file.  `program` must outlive
 * the process; `verbose` switches log_debug on.  Also sees to it that standard
 * input, output and error are open: otherwise a file of ours would get the
 * number of one, and with it what we log and print.
 */
void log_init(const char *program, bool verbose);

/* From now on errors only: for a program that another one runs for its user,
 * to whom it reports in its own way. */
void log_errors_only(void);

void log_error(const char *format, ...) MT_PRINTF(1, 2);
void log_warning(const char *format, ...) MT_PRINTF(1, 2);
void log_info(const char *format, ...) MT_PRINTF(1, 2);
void log_debug(const char *format, ...) MT_PRINTF(1, 2);

#endif
