/* SPDX-License-Identifier: ISC */
/*
 * application/x-www-form-urlencoded, as OAuth uses it (RFC 6749 appendix B):
 * building request bodies and queries, and reading the query of a redirect.
 */
#ifndef MT_DAEMON_FORM_H
#define MT_DAEMON_FORM_H

#include "base/secret.h"

#include <stddef.h>

/* Appends name=value, with '&' before it unless the form is empty or ends in
 * '?' or '&'.  A NULL value adds nothing.  Sticky, as struct secret is. */
void form_add(struct secret *form, const char *name, const char *value);
void form_add_secret(
    struct secret *form, const char *name, const struct secret *value);

enum form_found {
	FORM_MISSING,
	FORM_FOUND,
	FORM_BAD, /* given twice, or not decodable */
};

/*
 * Finds the value of `name` in the `len` bytes of a query and decodes it into
 * `ret_value`, which is empty unless FORM_FOUND.  A parameter that is given
 * twice is bad (RFC 6749 s3.1).
 */
enum form_found form_get(
    const char *query, size_t len, const char *name, struct secret *ret_value);

#endif
