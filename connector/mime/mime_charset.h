/* SPDX-License-Identifier: ISC */
/*
 * Bytes in any charset to valid UTF-8.  Nothing is refused: what cannot be read
 * becomes U+FFFD.  For the worker only.
 */
#ifndef MT_MIME_MIME_CHARSET_H
#define MT_MIME_MIME_CHARSET_H

#include <glib.h>
#include <stddef.h>

enum mime_charset_issue {
	MIME_CHARSET_FINE,
	MIME_CHARSET_BROKEN,  /* some bytes have no meaning in the charset */
	MIME_CHARSET_UNKNOWN, /* nobody knows the charset */
	MIME_CHARSET_GUESSED, /* none was named, and it is no UTF-8 */
};

#define MIME_CHARSETS_MAX 64

/* What keeps the tables of charsets in memory. */
struct mime_charsets {
	void *open[MIME_CHARSETS_MAX];
	size_t count;
};

/*
 * Loads the charsets that mail is written in, until they are unloaded: glibc
 * reads each from a file, which the lock-down forbids.  Any other charset is
 * then unknown.
 */
void mime_charset_load(struct mime_charsets *ret_charsets);
void mime_charset_unload(struct mime_charsets *charsets);

/*
 * Appends `len` bytes in `charset` to `out`, as UTF-8.  Without a charset (NULL
 * or ASCII) they are taken as UTF-8 if they are that, else as windows-1252.
 * ISO-8859-1, GB2312 and others are read as what the web reads them as: the
 * larger charset that their users mean.
 */
enum mime_charset_issue mime_charset_decode(
    GString *out, const char *charset, const char *bytes, size_t len);

#endif
