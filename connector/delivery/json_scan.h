/* SPDX-License-Identifier: ISC */
/*
 * Goes over the members of one JSON object (RFC 8259, strictly, in UTF-8) of any
 * size, and says where in the text they are.  Only a window of the text is in
 * memory at a time; members may be larger than it.  Builds no tree.
 */
#ifndef MT_DELIVERY_JSON_SCAN_H
#define MT_DELIVERY_JSON_SCAN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads as pread(2): up to `len` bytes at `at`; 0 at the end; -1 with errno. */
typedef ssize_t (*json_scan_read)(
    void *context, void *data, size_t len, off_t at);

struct json_scan {
	json_scan_read read;
	void *context;
	char *window; /* of the text, from offset `base` on */
	size_t room;
	size_t have;     /* bytes in it; those from `end` on are part of one */
	const char *at;  /* what comes next */
	const char *end; /* the text is valid UTF-8 up to here */
	off_t base;
	int error; /* errno, of a read that failed */
	bool begun;
	/* the key of a member, of which no more than key_room is kept */
	char *key;
	size_t key_room;
	size_t key_len;
	const char
	    *key_from; /* what of it, in the window, is not in `key` yet */
};

/* Reads `window` bytes at once; keys are told up to a length of `key_max`. */
enum mt_status json_scan_init(struct json_scan *scan, json_scan_read read,
    void *context, size_t window, size_t key_max,
    struct mt_error *err) MT_MUST_CHECK;
void json_scan_done(struct json_scan *scan);

struct json_member {
	off_t begin; /* of its key */
	off_t end;   /* behind its value */
	/* As it is written, without the quotes, and ended by a NUL; NULL if it is
	 * longer than key_max.  Lives until the next call. */
	const char *key;
	size_t key_len;
};

enum json_step {
	JSON_MEMBER,
	JSON_END,   /* of the object, and of the text */
	JSON_WRONG, /* the text is no JSON object, or scan->error says more */
};

/* The next member.  What was told of earlier ones holds only once JSON_END has
 * come.  Nothing follows JSON_END or JSON_WRONG. */
enum json_step json_scan_next(
    struct json_scan *scan, struct json_member *ret_member);

#endif
