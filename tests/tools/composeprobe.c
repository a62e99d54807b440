/* SPDX-License-Identifier: ISC */
/*
 * What connector/outbound makes of drafts, for the tests.  Each line of standard
 * input names where a draft comes from, with TABs between:
 *
 *     json TEXT        it stands here
 *     file PATH        in a file of the agent
 *     pinned SHA256 TEXT|@PATH   the same; attachments need their own sum
 *
 * composeprobe FROM AGENT-DIR AGENT: prints for each line one JSON object,
 * with an error, or the message (base64), the recipients, what the server must
 * offer, and the digest.  Message-ID and Date are always the same.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "outbound/compose.h"
#include "outbound/draft_source.h"
#include "outbound/encoding.h"

#define MESSAGE_ID "<0123456789abcdef0123456789abcdef@example.test>"
#define DATE 1798761599 /* 31 December 2026, 23:59:59 UTC */

static void
add_text(struct json_object *json, const char *name, const char *text)
{
	json_object_object_add(json, name, json_object_new_string(text));
}

static void
add_recipients(struct json_object *json, const struct draft *draft)
{
	const char **recipients = compose_recipients(draft);
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; recipients && recipients[i]; i++)
		json_object_array_add(
		    array, json_object_new_string(recipients[i]));
	json_object_object_add(json, "recipients", array);
	free(recipients);
}

static void
add_digest(struct json_object *json, const unsigned char *digest)
{
	char hex[2 * DRAFT_DIGEST_BYTES + 1];

	for (size_t i = 0; i < DRAFT_DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	add_text(json, "digest", hex);
}

static enum mt_status
compose(struct json_object *json, const struct draft_source *source,
    const struct address *from, struct mt_error *err)
{
	struct buf message = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct buf coded = BUF_INIT(2 * (size_t)COMPOSE_MESSAGE_MAX);
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft;
	enum mt_status status = draft_source_read(&draft, source, digest, err);

	if (status != MT_OK)
		return status;
	status = compose_message(&message, &draft, from, MESSAGE_ID, DATE, err);
	if (status == MT_OK) {
		encoding_add_base64(&coded, message.data, message.len);
		add_text(json, "message", buf_text(&coded));
		add_recipients(json, &draft);
		add_text(json, "dsn", draft.dsn);
		json_object_object_add(json, "smtputf8",
		    json_object_new_boolean(
			compose_needs_smtputf8(&draft, from)));
		add_digest(json, digest);
	}
	buf_done(&coded);
	buf_done(&message);
	draft_done(&draft);
	return status;
}

static void
answer(char *line, const struct draft_source *base, const struct address *from)
{
	struct draft_source source = *base;
	struct json_object *json = json_object_new_object();
	struct mt_error err = {.text = ""};
	const char *kind = strsep(&line, "\t");

	if (!strcmp(kind, "pinned")) {
		source.pinned_only = true;
		source.sha256 = strsep(&line, "\t");
		kind = line && *line == '@' ? "file" : "json";
		line += !strcmp(kind, "file");
	}
	if (!line) {
		add_text(json, "error", "no such kind of line");
	} else {
		source.path = line;
		if (!strcmp(kind, "json")) {
			source.json = line;
			source.len = strlen(line);
		}
		if (compose(json, &source, from, &err) != MT_OK)
			add_text(json, "error", err.text);
	}
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(json);
}

int
main(int argc, char **argv)
{
	struct address_list from = ADDRESS_LIST_INIT;
	struct draft_source source = {.agent_dir = -1};
	struct mt_error err;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (argc < 2 || address_list_add(&from, argv[1], &err) != MT_OK)
		return mt_exit_code(MT_USAGE);
	if (argc == 4) {
		source.agent_dir =
		    open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
		source.agent = argv[3];
		if (source.agent_dir < 0)
			return mt_exit_code(MT_USAGE);
	}
	while ((len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		answer(line, &source, &from.items[0]);
	}
	free(line);
	address_list_done(&from);
	return 0;
}
