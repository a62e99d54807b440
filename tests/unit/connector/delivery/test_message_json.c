/* SPDX-License-Identifier: ISC */
#include "delivery/message_json.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <string.h>

static char *
text(const char *literal)
{
	return (char *)(uintptr_t)literal; /* never released by these tests */
}

/* All that a message can have, with what is hard to write in JSON. */
static struct mime_message
whole_message(struct mime_attachment *attachments, char **defects)
{
	attachments[0] = (struct mime_attachment){
	    .file_name = text("attachment-1-report.pdf"),
	    .original_filename = text("r\xc3\xa9port.pdf"),
	    .content_type = text("application/pdf"),
	    .content_id = text("part1@example.org"),
	    .is_inline = true,
	    .size = 5000000000,
	    .sha256 = "e3b0",
	};
	defects[0] = text("the message ends too early");
	return (struct mime_message){
	    .message_id = text("<1@example.org>"),
	    .from = text("\"Ann \\\"A\\\"\" <ann@example.org>"),
	    .from_address = text("ann@example.org"),
	    .to = text("bob@example.org"),
	    .cc = text("cy@example.org"),
	    .subject = text("caf\xc3\xa9 \xf0\x9f\x98\x80 / \x1b[1m"),
	    .date = text("2026-02-17T10:00:00Z"),
	    .date_raw = text("Tue, 17 Feb 2026 11:00:00 +0100"),
	    .reply_to = text("list@example.org"),
	    .in_reply_to = text("<0@example.org>"),
	    .references = text("<0@example.org> <9@example.org>"),
	    .body_text = text("line\n\ttab \\ \"\n"),
	    .body_html = text("<p>&amp;</p>"),
	    .attachments = attachments,
	    .attachment_count = 1,
	    .defects = defects,
	    .defect_count = 1,
	    .truncated = true,
	    .parsed = true,
	};
}

static const char whole_json[] =
    "{\n"
    "  \"uid\": \"7-12\",\n"
    "  \"message_id\": \"<1@example.org>\",\n"
    "  \"from\": \"\\\"Ann \\\\\\\"A\\\\\\\"\\\" <ann@example.org>\",\n"
    "  \"from_address\": \"ann@example.org\",\n"
    "  \"to\": \"bob@example.org\",\n"
    "  \"cc\": \"cy@example.org\",\n"
    "  \"subject\": \"caf\xc3\xa9 \xf0\x9f\x98\x80 / \\u001b[1m\",\n"
    "  \"date\": \"2026-02-17T10:00:00Z\",\n"
    "  \"date_raw\": \"Tue, 17 Feb 2026 11:00:00 +0100\",\n"
    "  \"references\": \"<0@example.org> <9@example.org>\",\n"
    "  \"headers\": {\n"
    "    \"reply-to\": \"list@example.org\",\n"
    "    \"in-reply-to\": \"<0@example.org>\"\n"
    "  },\n"
    "  \"body_text\": \"line\\n\\ttab \\\\ \\\"\\n\",\n"
    "  \"body_html\": \"<p>&amp;</p>\",\n"
    "  \"attachments\": [\n"
    "    {\n"
    "      \"filename\": \"attachment-1-report.pdf\",\n"
    "      \"content_type\": \"application/pdf\",\n"
    "      \"size\": 5000000000,\n"
    "      \"original_filename\": \"r\xc3\xa9port.pdf\",\n"
    "      \"sha256\": \"e3b0\",\n"
    "      \"inline\": true,\n"
    "      \"content_id\": \"part1@example.org\",\n"
    "      \"unpacked_from\": \"\"\n"
    "    }\n"
    "  ],\n"
    "  \"message_size\": 18446744073709551615,\n"
    "  \"imap_uid\": \"4294967295\",\n"
    "  \"uidvalidity\": \"7\",\n"
    "  \"truncated\": true,\n"
    "  \"defects\": [\n"
    "    \"the message ends too early\"\n"
    "  ]\n"
    "}";

static void
every_key_has_its_place_and_form(void **state)
{
	struct mime_attachment attachments[1];
	char *defects[1];
	struct mime_message m = whole_message(attachments, defects);
	struct message_origin origin = {"7-12", UINT32_MAX, 7, UINT64_MAX};
	struct buf json = BUF_INIT(10000);

	(void)state;
	OK(message_json_write(&json, &m, &origin, &err));
	assert_string_equal(buf_text(&json), whole_json);
	assert_int_equal(json.len, strlen(whole_json));
	buf_done(&json);
}

static void
absent_text_is_empty_text(void **state)
{
	static const char *const keys[] = {"message_id", "from", "from_address",
	    "to", "cc", "subject", "date", "date_raw", "references", "reply-to",
	    "in-reply-to", "body_text", "body_html"};
	struct mime_message nothing = {0};
	struct message_origin origin = {.handle = "1"};
	struct buf json = BUF_INIT(10000);
	char wanted[64];

	(void)state;
	OK(message_json_write(&json, &nothing, &origin, &err));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		snprintf(wanted, sizeof(wanted), "\"%s\": \"\"", keys[i]);
		if (!strstr(buf_text(&json), wanted))
			fail_msg("%s is not an empty string", keys[i]);
	}
	buf_done(&json);
}

static void
text_that_does_not_fit_is_an_error(void **state)
{
	struct mime_message nothing = {0};
	struct message_origin origin = {.handle = "1"};
	struct buf json = BUF_INIT(100);
	struct mt_error err;

	(void)state;
	assert_int_equal(
	    message_json_write(&json, &nothing, &origin, &err), MT_NO_MEMORY);
	buf_done(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_has_its_place_and_form),
	    cmocka_unit_test(absent_text_is_empty_text),
	    cmocka_unit_test(text_that_does_not_fit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
