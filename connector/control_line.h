/* SPDX-License-Identifier: ISC */
/*
 * A request as it stands on a line of the control sockets: one JSON object
 * (RFC 8259) with a "type" and perhaps a "request_id".
 */
#ifndef MT_CONNECTOR_CONTROL_LINE_H
#define MT_CONNECTOR_CONTROL_LINE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define CONTROL_REQUEST_ID_MAX 128 /* bytes */

struct control_line {
	struct json_object *object;
	const char *type;       /* the object's, as what follows */
	const char *request_id; /* NULL: none */
};

/*
 * Takes a line (without its end) apart.  MT_BAD_INPUT says what is wrong with
 * it; `request_id` is then filled all the same, if it could be made out.  In any
 * case control_line_done.
 */
enum mt_status control_line_parse(struct control_line *ret_line,
    const char *text, size_t len, struct mt_error *err) MT_MUST_CHECK;

/* Whether this is a name that a request may have. */
bool control_is_request_id(const char *text);

void control_line_done(struct control_line *line);

/*
 * The text of a member; NULL if it is absent or null.  MT_BAD_INPUT names a
 * member that is no text, or holds a NUL.
 */
enum mt_status control_line_text(struct json_object *object, const char *name,
    const char **ret_text, struct mt_error *err) MT_MUST_CHECK;

#endif
