/* SPDX-License-Identifier: ISC */
/*
 * The file that `login --emit` hands to the helper: made new, with the
 * caller's rights, readable by its owner only, and gone again when no login
 * comes of it.  This unit never reads it.
 */
#ifndef MT_COMMAND_EMIT_FILE_H
#define MT_COMMAND_EMIT_FILE_H

#include "base/status.h"

struct emit_file {
	const char *path;
	int fd; /* -1: none */
};

#define EMIT_FILE_NONE                                                         \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Makes the file.  MT_BAD_INPUT if there is anything at `path` already. */
enum mt_status emit_file_create(struct emit_file *file, const char *path,
    struct mt_error *err) MT_MUST_CHECK;

/* Makes what the helper wrote durable, and closes the file. */
enum mt_status emit_file_keep(
    struct emit_file *file, struct mt_error *err) MT_MUST_CHECK;

/* Closes and removes the file, unless another one has taken its place.  Does
 * nothing after emit_file_keep(), or if there was none. */
void emit_file_remove(struct emit_file *file);

#endif
