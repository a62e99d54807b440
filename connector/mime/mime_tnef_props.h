/* SPDX-License-Identifier: ISC */
/*
 * The MAPI properties of a message or an attachment in TNEF, read with
 * libytnef, which is given one block of properties at a time: one that it
 * refuses costs no other.  For the worker only.
 */
#ifndef MT_MIME_MIME_TNEF_PROPS_H
#define MT_MIME_MIME_TNEF_PROPS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Property identifiers, [MS-OXPROPS]. */
enum mime_tnef_prop {
	MIME_TNEF_PROP_BODY = 0x1000,
	MIME_TNEF_PROP_RTF = 0x1009,
	MIME_TNEF_PROP_HTML = 0x1013,
	MIME_TNEF_PROP_NAME = 0x3001,
	MIME_TNEF_PROP_DATA = 0x3701,
	MIME_TNEF_PROP_FILE_NAME = 0x3704,
	MIME_TNEF_PROP_LONG_FILE_NAME = 0x3707,
	MIME_TNEF_PROP_MIME_TYPE = 0x370e,
	MIME_TNEF_PROP_CONTENT_ID = 0x3712,
};

struct mime_tnef_props;

/* NULL if libytnef cannot read them. */
struct mime_tnef_props *mime_tnef_props_new(const uint8_t *block, size_t len);
void mime_tnef_props_free(struct mime_tnef_props **props);

/* The text of a property, in UTF-8 or in `charset` as it is stored, converted;
 * NULL if there is none.  g_free. */
char *mime_tnef_props_text(const struct mime_tnef_props *props,
    enum mime_tnef_prop id, const char *charset);

/* The bytes of a property, which may be binary, an object or text; NULL if
 * there are none.  They belong to `props`. */
const uint8_t *mime_tnef_props_bytes(const struct mime_tnef_props *props,
    enum mime_tnef_prop id, size_t *ret_len, bool *ret_is_object);

/*
 * Compressed RTF ([MS-OXRTFCP]) as RTF of at most `max` bytes.  NULL if it is
 * none, or claims to be larger than its bytes can be.  g_byte_array_unref.
 */
GByteArray *mime_tnef_rtf(const uint8_t *bytes, size_t len, size_t max);

#endif
