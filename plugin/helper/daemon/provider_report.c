/* SPDX-License-Identifier: ISC */
#include "provider_report.h"

#include "tokensock/token_wire.h"

#include <json-c/json.h>

static const char *
value_of(const struct provider *provider, const struct setting *setting)
{
	return *(char *const *)(const void *)((const char *)provider +
					      setting->offset);
}

void
provider_report_add(struct secret *frame, const struct provider *provider)
{
	for (const struct setting *s = provider_settings; s->name; s++)
		if (value_of(provider, s))
			token_wire_add(frame, s->name, value_of(provider, s));
}

void
provider_report_add_json(
    struct secret *frame, const char *name, const struct provider *provider)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(
	    object, "provider", json_object_new_string(name));
	for (const struct setting *s = provider_settings; s->name; s++)
		if (value_of(provider, s))
			json_object_object_add(object, s->name,
			    json_object_new_string(value_of(provider, s)));
	token_wire_add(frame, "json",
	    json_object_to_json_string_ext(object,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
