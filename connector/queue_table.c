/* SPDX-License-Identifier: ISC */
#include "queue_table.h"

#include <json-c/json.h>
#include <string.h>

static const char format[] = "%-6s %-10s %-20s %-20s %-30s %s\n";

static const char *
text_of(struct json_object *entry, const char *name)
{
	struct json_object *member;

	return json_object_object_get_ex(entry, name, &member)
		   ? json_object_get_string(member)
		   : "";
}

/* The first, and how many more there are. */
static const char *
recipients_of(struct json_object *entry, char *text, size_t size)
{
	struct json_object *to = NULL;
	size_t count = 0;

	if (json_object_object_get_ex(entry, "to", &to))
		count = json_object_array_length(to);
	if (!count)
		return "";
	snprintf(text, size, "%s",
	    json_object_get_string(json_object_array_get_idx(to, 0)));
	if (count > 1)
		snprintf(text + strlen(text), size - strlen(text), " +%zu",
		    count - 1);
	return text;
}

static void
print_entry(struct json_object *entry, FILE *out)
{
	const char *detail = text_of(entry, "detail");
	const char *state = text_of(entry, "state");
	char to[400];

	fprintf(out, format, text_of(entry, "id"), state,
	    text_of(entry, "queued"), text_of(entry, "next_attempt"),
	    recipients_of(entry, to, sizeof(to)), text_of(entry, "subject"));
	if (*detail && strcmp(state, "sent") != 0)
		fprintf(out, "       %s\n", detail);
	if (strcmp(text_of(entry, "sent_copy"), "given_up") == 0)
		fprintf(out, "       not in Sent: %s\n",
		    text_of(entry, "sent_copy_detail"));
}

void
queue_table_print(struct json_object *report, FILE *out)
{
	struct json_object *entries = NULL;
	size_t count = 0;

	if (json_object_object_get_ex(report, "entries", &entries))
		count = json_object_array_length(entries);
	if (!count) {
		fputs("The queue is empty.\n", out);
		return;
	}
	fprintf(out, format, "ID", "STATE", "QUEUED", "NEXT ATTEMPT", "TO",
	    "SUBJECT");
	for (size_t i = 0; i < count; i++)
		print_entry(json_object_array_get_idx(entries, i), out);
}
