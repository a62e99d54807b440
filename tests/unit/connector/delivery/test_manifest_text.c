/* SPDX-License-Identifier: ISC */
#include "delivery/manifest_text.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define TIME "2026-02-17T10:00:00.000000Z"
#define OURS                                                                   \
	"{\"taint_level\":\"high\",\"sensitivity_level\":\"low\","             \
	"\"risk_level\":\"high\",\"agent\":\"email\",\"updated_at\":\"" TIME   \
	"\"}"

/* The new text, or NULL if the old one is refused; free(). */
static char *
change(const char *text, enum manifest_mode mode, const char *const *files)
{
	struct manifest_paths paths = {0};
	struct manifest_change made;
	struct buf new = BUF_INIT(65536);
	struct mt_error err;
	enum mt_status status;

	for (; *files; files++)
		assert_int_equal(
		    manifest_paths_add(&paths, "in", "1", *files, &err), MT_OK);
	status = manifest_change_make(text, text ? strlen(text) : 0, &paths,
	    mode, "email", TIME, &made, &err);
	manifest_paths_done(&paths);
	if (status != MT_OK) {
		assert_int_equal(status, MT_BAD_INPUT);
		return NULL;
	}
	for (size_t i = 0; i < made.piece_count; i++)
		buf_add(&new, made.pieces[i].data, made.pieces[i].len);
	buf_add(&new, made.added.data, made.added.len);
	manifest_change_done(&made);
	return buf_take(&new);
}

static void
files_are_entered_and_the_rest_is_kept_byte_for_byte(void **state)
{
	static const char *const one[] = {"a", NULL};
	static const char *const two[] = {"b", "a", NULL};
	static const struct {
		const char *before;
		enum manifest_mode mode;
		const char *const *files;
		const char *after;
	} cases[] = {
	    {NULL, MANIFEST_SET, one, "{\n\"in/1/a\":" OURS "\n}"},
	    {"{}", MANIFEST_SET, two,
		"{\n\"in/1/a\":" OURS ",\n\"in/1/b\":" OURS "\n}"},
	    {" { } \n", MANIFEST_MISSING, one, "{\n\"in/1/a\":" OURS "\n}"},
	    {"{\"x\" : [1.50, {\"\\u00e9\":null}] }", MANIFEST_SET, one,
		"{\"x\" : [1.50, {\"\\u00e9\":null}],\n\"in/1/a\":" OURS "\n}"},
	    /* first, last, in the middle, alone */
	    {"{\"in/1/a\":{}, \"x\":1,\n \"y\":2}", MANIFEST_SET, one,
		"{\"x\":1,\n \"y\":2,\n\"in/1/a\":" OURS "\n}"},
	    {"{\"x\":1,\"y\":2,\"in/1/a\":3}", MANIFEST_SET, one,
		"{\"x\":1,\"y\":2,\n\"in/1/a\":" OURS "\n}"},
	    {"{\"x\":1,\"in/1/a\":3,\"y\":2}", MANIFEST_SET, one,
		"{\"x\":1,\"y\":2,\n\"in/1/a\":" OURS "\n}"},
	    {"{\"in/1/a\":\"}\"}", MANIFEST_SET, one,
		"{\n\"in/1/a\":" OURS "\n}"},
	    /* under another spelling of its key, and twice */
	    {"{\"in\\/1\\/\\u0061\":3,\"in/1/a\":4}", MANIFEST_SET, one,
		"{\n\"in/1/a\":" OURS "\n}"},
	    /* reviewed by somebody */
	    {"{\"in/1/a\":{\"taint_level\":\"low\",\"reviewed_by\":\"ann\"}}",
		MANIFEST_MISSING, two,
		"{\"in/1/a\":{\"taint_level\":\"low\",\"reviewed_by\":\"ann\"}"
		",\n\"in/1/b\":" OURS "\n}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *after =
		    change(cases[i].before, cases[i].mode, cases[i].files);
		assert_non_null(after);
		assert_string_equal(after, cases[i].after);
		free(after);
	}
}

static void
what_is_no_object_is_refused(void **state)
{
	static const char *const cases[] = {"", " ", "{", "[]", "null", "{]",
	    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}",
	    "{\"a\":1}}", "{\"a\":1} x", "{\"a\":01}", "{\"a\":-}",
	    "{\"a\":1.}", "{\"a\":1e}", "{\"a\":tru}", "{\"a\":\"\n\"}",
	    "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"", "{\"a",
	    "{\"a\":\"\xff\"}", "{a:1}", "{'a':1}", "\xef\xbb\xbf{}"};
	static const char *const files[] = {"a", NULL};
	char deep[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (change(cases[i], MANIFEST_SET, files))
			fail_msg("taken: %s", cases[i]);
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	deep[sizeof(deep) - 1] = '\0';
	assert_null(change(deep, MANIFEST_SET, files));
}

/* Wherever a writer has been interrupted. */
static void
every_beginning_of_a_manifest_is_refused(void **state)
{
	static const char *const files[] = {"a", NULL};
	const char *whole = "{\"x\": {\"n\": [1.5e3, true, \"\\u00e9\\n\"]},"
			    " \"y\": null, \"in/1/a\": {}}";
	char part[128];

	(void)state;
	for (size_t len = 0; len < strlen(whole); len++) {
		memcpy(part, whole, len);
		part[len] = '\0';
		assert_null(change(part, MANIFEST_SET, files));
	}
	snprintf(part, sizeof(part), "%s", whole);
	free(change(part, MANIFEST_SET, files));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		files_are_entered_and_the_rest_is_kept_byte_for_byte),
	    cmocka_unit_test(what_is_no_object_is_refused),
	    cmocka_unit_test(every_beginning_of_a_manifest_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
