/* SPDX-License-Identifier: ISC */
/*
 * What connector/outbound makes of drafts, for the tests.
 *
 * composeprobe FROM: prints for each line of standard input, which is a draft,
 * one JSON object, with an error, or the message (base64), the recipients, what
 * the server must offer, and the digest.  Message-ID and Date are always the
 * same.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

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
answer(const char *text, size_t len, const struct address *from)
{
	const struct draft_source source = {
	    .json = text, .len = len, .agent_dir = -1};
	struct json_object *json = json_object_new_object();
	struct mt_error err = {.text = ""};

	if (compose(json, &source, from, &err) != MT_OK)
		add_text(json, "error", err.text);
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	json_object_put(json);
}

int
main(int argc, char **argv)
{
	struct address_list from = ADDRESS_LIST_INIT;
	struct mt_error err;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (argc != 2 || address_list_add(&from, argv[1], &err) != MT_OK)
		return mt_exit_code(MT_USAGE);
	while ((len = getline(&line, &size, stdin)) > 0)
		answer(line, (size_t)len - (line[len - 1] == '\n'),
		    &from.items[0]);
	free(line);
	address_list_done(&from);
	return 0;
}
