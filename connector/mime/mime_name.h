/* SPDX-License-Identifier: ISC */
/*
 * The name under which an attachment is written: nothing a sender puts into
 * a file name can leave the message's directory, hide or overwrite a file.
 */
#ifndef MT_MIME_MIME_NAME_H
#define MT_MIME_MIME_NAME_H

#include <stddef.h>

#define MIME_NAME_SAFE_MAX 100 /* characters of the sanitised name */
#define MIME_NAME_SIZE 160     /* room for the whole, with its NUL */

/*
 * Writes `attachment-<number>-<name>` into `ret_name`.  In <name> each
 * character (not byte) outside [A-Za-z0-9_.-] has become '_'; of a name beyond
 * MIME_NAME_SAFE_MAX characters the middle is cut, so that the extension stays;
 * dots at the end, which some systems drop, become '_', too; an empty one is
 * `unnamed`.  The name of an embedded message ends in `.eml`, that of a calendar
 * without an extension in `.ics`.  `original` is valid UTF-8.
 */
void mime_name_make(size_t number, const char *original,
    const char *content_type, char ret_name[MIME_NAME_SIZE]);

#endif
