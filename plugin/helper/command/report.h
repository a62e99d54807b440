/* SPDX-License-Identifier: ISC */
/* Says what went wrong and what to do next, in one line on standard error. */
#ifndef MT_COMMAND_REPORT_H
#define MT_COMMAND_REPORT_H

#include "base/buf.h"

#define REPORT_MAX 1024 /* bytes */

/* Writes the sentence: the error's text, and what to do about it unless the
 * text says so itself.  `account` may be NULL. */
void report_write(
    struct buf *out, const struct mt_error *err, const char *account);

#endif
