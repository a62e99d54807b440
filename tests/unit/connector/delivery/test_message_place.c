/* SPDX-License-Identifier: ISC */
#include "delivery/message_place.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

struct text_case {
	const char *text;
	const char *expected; /* NULL: refused */
};

static const struct text_case cases[] = {
    {"{\"uid\":\"5\"}", "{\"uid\":\"9-8\"}"},
    {" {\n  \"uid\": \"5\",\n  \"imap_uid\" : \"5\",\n\t\"uidvalidity\":\"7\" "
     "} \n",
	" {\n  \"uid\": \"9-8\",\n  \"imap_uid\" : \"8\",\n\t\"uidvalidity\":"
	"\"9\" } \n"},
    /* what others say under such names is theirs */
    {"{\"headers\":{\"uid\":\"x\",\"a\":[{\"uid\":\"y\"}]},\"uid\":\"5\"}",
	"{\"headers\":{\"uid\":\"x\",\"a\":[{\"uid\":\"y\"}]},\"uid\":\"9-"
	"8\"}"},
    {"{\"subject\":\"\\\"uid\\\":\\\"1\\\" }\",\"uid\":\"5\"}",
	"{\"subject\":\"\\\"uid\\\":\\\"1\\\" }\",\"uid\":\"9-8\"}"},
    {"{\"a\":\"\\\\\",\"uid\":\"5\"}", "{\"a\":\"\\\\\",\"uid\":\"9-8\"}"},
    {"{\"size\":12,\"t\":true,\"uid\":\"5\",\"imap_uid\":null}",
	"{\"size\":12,\"t\":true,\"uid\":\"9-8\",\"imap_uid\":null}"},
    {"{\"uid\":\"\"}", "{\"uid\":\"9-8\"}"},
    /* what no program of ours writes is left alone */
    {"", NULL},
    {"{}", NULL},
    {"[\"uid\"]", NULL},
    {"{\"uid\":5}", NULL},
    {"{\"UID\":\"5\"}", NULL},
    {"{\"uid\":\"5\"", NULL},
    {"{\"uid\":\"5\"}x", NULL},
    {"{\"uid\":\"5", NULL},
    {"{\"uid\":\"5\\", NULL},
    {"{\"uid\" \"5\"}", NULL},
    {"{\"uid\":\"5\",}", NULL},
    {"{\"a\":[[[,\"uid\":\"5\"}", NULL},
    {"{\"a\":,\"uid\":\"5\"}", NULL},
    {"{uid:\"5\"}", NULL},
};

static void
place_is_changed_and_nothing_else(void **state)
{
	const struct message_place place = {
	    .handle = "9-8", .imap_uid = 8, .uidvalidity = 9};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct text_case *c = &cases[i];
		size_t len = strlen(c->text);
		char *exact = malloc(len + 1); /* for the sanitizer */
		struct buf out = BUF_INIT(1000);
		bool done;

		assert_non_null(exact);
		memcpy(exact, c->text, len);
		exact = realloc(exact, len ? len : 1);
		done = message_place_set(&out, exact, len, &place);
		if (done != (c->expected != NULL))
			fail_msg("%s", c->text);
		if (done)
			assert_string_equal(buf_text(&out), c->expected);
		buf_done(&out);
		free(exact);
	}
}

static void
place_that_nobody_knows_is_empty(void **state)
{
	static const char text[] =
	    "{\"uid\":\"5\",\"imap_uid\":\"5\",\"uidvalidity\":\"7\"}";
	const struct message_place place = {.handle = "5"};
	struct buf out = BUF_INIT(1000);

	(void)state;
	assert_true(message_place_set(&out, text, strlen(text), &place));
	assert_string_equal(buf_text(&out),
	    "{\"uid\":\"5\",\"imap_uid\":\"\",\"uidvalidity\":\"\"}");
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(place_is_changed_and_nothing_else),
	    cmocka_unit_test(place_that_nobody_knows_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
