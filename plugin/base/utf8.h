/* SPDX-License-Identifier: ISC */
/*
 * What is valid UTF-8 (RFC 3629): shortest form, no surrogates, nothing beyond
 * U+10FFFF.  Knows nothing of charsets.
 */
#ifndef MT_BASE_UTF8_H
#define MT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The number of bytes at the start of `text` that are valid UTF-8. */
size_t utf8_valid_len(const char *text, size_t len);

/* The largest length up to `max` at which valid UTF-8 can be cut. */
size_t utf8_cut_len(const char *text, size_t len, size_t max);

/* The length of a control character at the start of valid UTF-8, 0 if there is
 * none: C0, DEL, and C1 (U+0080 to U+009F), which terminals obey, too. */
size_t utf8_control_len(const char *text);

/* The `len` bytes are valid UTF-8 without control characters. */
bool utf8_is_line(const char *text, size_t len);

#endif
