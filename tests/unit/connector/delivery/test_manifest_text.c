/* SPDX-License-Identifier: ISC */
#include "delivery/manifest_text.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME "2026-02-17T10:00:00.000000Z"
#define OURS                                                                   \
	"{\"taint_level\":\"high\",\"sensitivity_level\":\"low\","             \
	"\"risk_level\":\"high\",\"agent\":\"email\",\"updated_at\":\"" TIME   \
	"\"}"

/* A text, of which no more than is asked for is told at once. */
struct text {
	const char *data;
	size_t len;
	int error; /* errno, in the place of its second half */
};

static ssize_t
read_text(void *context, void *data, size_t len, off_t at)
{
	const struct text *text = context;
	size_t left = text->len - (size_t)at;

	if (text->error && (size_t)at + len > text->len / 2) {
		errno = text->error;
		return -1;
	}
	if (len > left)
		len = left;
	memcpy(data, text->data + at, len);
	return (ssize_t)len;
}

static char *
new_text(const struct manifest_change *made, const char *old)
{
	struct buf new = BUF_INIT(1024 * 1024);

	buf_add_text(&new, "{");
	for (size_t i = 0; i < made->kept_count; i++) {
		const struct manifest_range *kept = &made->kept[i];

		buf_add_text(&new, i ? "," : "");
		buf_add(
		    &new, old + kept->begin, (size_t)(kept->end - kept->begin));
	}
	buf_add(&new, made->added.data, made->added.len);
	return buf_take(&new);
}

/* The new text, or NULL if the old one is refused; free(). */
static char *
change_by(const char *old, size_t window, enum manifest_mode mode,
    const char *const *files)
{
	struct text text = {.data = old, .len = old ? strlen(old) : 0};
	const struct manifest_reader reader = {read_text, &text, window};
	struct manifest_paths paths = {0};
	struct manifest_change made;
	struct mt_error err;
	enum mt_status status;
	char *new;

	for (; *files; files++)
		assert_int_equal(
		    manifest_paths_add(&paths, "in", "1", *files, &err), MT_OK);
	status = manifest_change_make(
	    old ? &reader : NULL, &paths, mode, "email", TIME, &made, &err);
	manifest_paths_done(&paths);
	if (status != MT_OK) {
		assert_int_equal(status, MT_BAD_INPUT);
		return NULL;
	}
	new = new_text(&made, old);
	manifest_change_done(&made);
	return new;
}

/* The same with windows that end at each place. */
static char *
change(const char *old, enum manifest_mode mode, const char *const *files)
{
	char *whole = change_by(old, 65536, mode, files);

	for (size_t window = 1; old && window <= strlen(old); window++) {
		char *new = change_by(old, window, mode, files);

		if (!whole != !new || (whole && strcmp(whole, new) != 0))
			fail_msg("a window of %zu makes \"%s\" of \"%s\"",
			    window, new ? new : "(refused)", old);
		free(new);
	}
	return whole;
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
	    /* what only begins as ours does, or goes on */
	    {"{\"in/1/\":1,\"in/1/aa\":2,\"in/1/a\\u0000\":3}", MANIFEST_SET,
		one,
		"{\"in/1/\":1,\"in/1/aa\":2,\"in/1/a\\u0000\":3,"
		"\n\"in/1/a\":" OURS "\n}"},
	    /* characters of two, three and four bytes */
	    {"{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x93\xa8\"}",
		MANIFEST_MISSING, one,
		"{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x93\xa8\""
		",\n\"in/1/a\":" OURS "\n}"},
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
	    "{\"a\":\"\xff\"}", "{\"a\":1}\xc3", "{\"a\":\"\xe2\x82\"}",
	    "{\"a\":\"\xff\xff\xff\xff\xff\xff\"}", "{a:1}", "{'a':1}",
	    "\xef\xbb\xbf{}"};
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

static void
text_that_cannot_be_read_is_no_wrong_one(void **state)
{
	const char *whole = "{\"x\": 1, \"y\": 2, \"z\": 3}";
	struct text text = {.data = whole, .len = strlen(whole), .error = EIO};
	const struct manifest_reader reader = {read_text, &text, 4};
	struct manifest_paths paths = {0};
	struct manifest_change made;
	struct mt_error err;

	(void)state;
	assert_int_equal(
	    manifest_paths_add(&paths, "in", "1", "a", &err), MT_OK);
	assert_int_equal(manifest_change_make(&reader, &paths, MANIFEST_SET,
			     "email", TIME, &made, &err),
	    MT_RETRY_LATER);
	manifest_paths_done(&paths);
}

/* However often somebody has entered our files: what is remembered of a text is
 * bounded by what is entered, and ours still is what counts. */
static void
number_of_ranges_does_not_grow_with_the_text(void **state)
{
	enum { TIMES = 5000 };
	static const char member[] = "\"x\":1,\"in/1/a\":2,";
	size_t len = strlen(member);
	char *many = malloc(2 + TIMES * len + 1);
	struct text text = {.data = many, .len = 1 + TIMES * len};
	const struct manifest_reader reader = {read_text, &text, 4096};
	struct manifest_paths paths = {0};
	struct manifest_change made;
	struct json_object *root, *entry, *level = NULL;
	struct mt_error err;
	char *new;

	(void)state;
	assert_non_null(many);
	many[0] = '{';
	for (size_t i = 0; i < TIMES; i++)
		memcpy(many + 1 + i * len, member, len);
	many[text.len - 1] = '}'; /* for the last comma */
	assert_int_equal(
	    manifest_paths_add(&paths, "in", "1", "a", &err), MT_OK);
	assert_int_equal(manifest_change_make(&reader, &paths, MANIFEST_SET,
			     "email", TIME, &made, &err),
	    MT_OK);
	assert_true(made.kept_count < 100);
	new = new_text(&made, many);
	root = json_tokener_parse(new);
	assert_true(json_object_object_get_ex(root, "in/1/a", &entry));
	assert_true(json_object_object_get_ex(entry, "taint_level", &level));
	json_object_put(root);
	free(new);
	manifest_change_done(&made);
	manifest_paths_done(&paths);
	free(many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		files_are_entered_and_the_rest_is_kept_byte_for_byte),
	    cmocka_unit_test(what_is_no_object_is_refused),
	    cmocka_unit_test(every_beginning_of_a_manifest_is_refused),
	    cmocka_unit_test(text_that_cannot_be_read_is_no_wrong_one),
	    cmocka_unit_test(number_of_ranges_does_not_grow_with_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
