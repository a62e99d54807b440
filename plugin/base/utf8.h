/* SPDX-License-Identifier: ISC */
/*
 * What is valid UTF-8 (RFC 3629): shortest form, no surrogates, nothing beyond
 * U+10FFFF.  Knows nothing of charsets.
 */
#ifndef MT_BASE_UTF8_H
#define MT_BASE_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The number of bytes at the start of `text` that are valid UTF-8. */
size_t utf8_valid_len(const char *text, size_t len);

/* The largest length up to `max` at which valid UTF-8 can be cut. */
size_t utf8_cut_len(const char *text, size_t len, size_t max);

#endif
