/* SPDX-License-Identifier: ISC */
/*
 * Reads settings files: the one format of all our programs.
 *
 *     # a comment, on a line of its own
 *     name = value
 *     [section words]
 *     name = value with spaces
 *
 * Space around names and values is dropped; there is no quoting and no
 * continuation line.  What a name means is for the caller: it looks the name
 * up in a table of its own and says what is wrong, and the reader adds
 * "file:line: ".  libc only, because the SASL module uses it too.
 */
#ifndef MT_BASE_SETTINGS_H
#define MT_BASE_SETTINGS_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_FILE_MAX 65536 /* bytes in one file */

struct settings_line {
	const char *section; /* "" before the first section */
	const char *name;    /* NULL: the line opened `section` */
	const char *value;
};

/* Called for each section line and each setting, in order.  A failure ends the
 * reading; its text should start with what is wrong ("unknown setting 'x'"). */
typedef enum mt_status (*settings_handler)(
    void *context, const struct settings_line *line, struct mt_error *err);

/* Reads the file at `path`.  A missing file is an error (MT_BAD_CONFIG) unless
 * `ret_found` is given.  The strings live until the handler returns. */
enum mt_status settings_read(const char *path, bool *ret_found,
    settings_handler handler, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* As settings_read, from text in memory that `name` stands for in errors. */
enum mt_status settings_parse(const char *name, const char *text,
    settings_handler handler, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* Reads a whole decimal number within [min, max]; the whole text must be it. */
bool settings_number(const char *text, long min, long max, long *ret_number);

/* Reads a length of time: a whole number with its unit, s, min, h or d, such as
 * 90min; 0 needs none. */
bool settings_duration(const char *text, long *ret_seconds);

/* true/yes/on/1 and false/no/off/0, in any case. */
bool settings_bool(const char *text, bool *ret_value);

#endif
