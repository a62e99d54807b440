/* SPDX-License-Identifier: ISC */
/* JSON from files of our own, which is whole or nothing. */
#ifndef MT_DAEMON_STRICT_JSON_H
#define MT_DAEMON_STRICT_JSON_H

#include "base/secret.h"

#include <json-c/json.h>

/* The whole text as one JSON object, or NULL.  Caller: json_object_put(). */
struct json_object *strict_json_parse(const struct secret *bytes);

#endif
