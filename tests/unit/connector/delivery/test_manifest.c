/* SPDX-License-Identifier: ISC */
#include "delivery/manifest.h"

#include "base/buf.h"
#include "delivery/publish.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANIFEST ".tri-onyx/risk-manifest.json"

/* What somebody does while the new manifest is put together. */
static void (*meanwhile)(void);
static const char *workspace;

ssize_t
copy_file_range(
    int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
	void (*act)(void) = meanwhile;

	meanwhile = NULL;
	if (act)
		act();
	return syscall(
	    SYS_copy_file_range, from, from_at, to, to_at, len, flags);
}

static struct publisher *
open_publisher(const char *dir)
{
	struct publisher *p;

	OK(publish_open(&p, dir, "test", &err));
	return p;
}

static enum mt_status
enter(struct publisher *p, struct manifest_watch *w, const char *handle,
    struct mt_error *why)
{
	struct manifest_paths paths = {0};
	enum mt_status status;

	OK(manifest_paths_add(
	    &paths, "agents/email/inbox", handle, "message.json", &err));
	status = manifest_enter(p, w, &paths, MANIFEST_SET, "email", why);
	manifest_paths_done(&paths);
	return status;
}

/* The manifest, NULL if it does not parse; json_object_put(). */
static struct json_object *
read_manifest(const char *dir)
{
	char *text = scratch_read(dir, MANIFEST);
	struct json_object *root = text ? json_tokener_parse(text) : NULL;

	free(text);
	return root;
}

static bool
has(const char *dir, const char *path)
{
	struct json_object *root = read_manifest(dir);
	bool found = json_object_object_get_ex(root, path, NULL);

	json_object_put(root);
	return found;
}

static void
entry_is_made_as_the_contract_says(void **scratch)
{
	static const struct {
		const char *member, *value;
	} expected[] = {
	    {"taint_level", "high"},
	    {"sensitivity_level", "low"},
	    {"risk_level", "high"},
	    {"agent", "email"},
	};
	struct publisher *p = open_publisher(*scratch);
	struct json_object *root, *entry = NULL, *value;
	int year, day;

	OK(enter(p, NULL, "1", &err));
	OK(enter(p, NULL, "2", &err));
	root = read_manifest(*scratch);
	assert_int_equal(json_object_object_length(root), 2);
	assert_true(json_object_object_get_ex(
	    root, "agents/email/inbox/1/message.json", &entry));
	assert_int_equal(json_object_object_length(entry), 5);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		assert_true(json_object_object_get_ex(
		    entry, expected[i].member, &value));
		assert_string_equal(
		    json_object_get_string(value), expected[i].value);
	}
	assert_true(json_object_object_get_ex(entry, "updated_at", &value));
	assert_int_equal(sscanf(json_object_get_string(value),
			     "%4d-%*2d-%2dT%*2d:%*2d:%*2d.%*6dZ", &year, &day),
	    2);
	assert_int_equal(strlen(json_object_get_string(value)), 27);
	json_object_put(root);
	/* the gateway, in its group, has to write it */
	assert_int_equal(scratch_mode(*scratch, MANIFEST) & 0777, 0660);
	publish_close(&p);
}

static void
manifest_that_does_not_parse_is_left_alone(void **scratch)
{
	static const char half[] = "{\"a\": {\"taint_level\": \"hi";
	struct publisher *p = open_publisher(*scratch);
	struct mt_error why;
	char *text;

	scratch_write(*scratch, MANIFEST, half);
	assert_int_equal(enter(p, NULL, "1", &why), MT_RETRY_LATER);
	assert_non_null(strstr(why.text, "mend it, or remove it"));
	text = scratch_read(*scratch, MANIFEST);
	assert_string_equal(text, half);
	free(text);
	assert_int_equal(unlink(scratch_path(*scratch, MANIFEST)), 0);
	OK(enter(p, NULL, "1", &err));
	publish_close(&p);
}

static void
link_in_its_place_is_not_followed(void **scratch)
{
	struct publisher *p = open_publisher(*scratch);
	struct mt_error why;

	scratch_write(*scratch, "elsewhere", "{}");
	assert_int_equal(
	    symlink("../elsewhere", scratch_path(*scratch, MANIFEST)), 0);
	assert_int_equal(enter(p, NULL, "1", &why), MT_BAD_CONFIG);
	publish_close(&p);
}

/* A manifest with members of all sizes beside that of the window in which it is
 * read, and one of our files at the end of each. */
static void
members_of_any_size_are_kept(void **scratch)
{
	static const size_t sizes[] = {1, 262100, 262144, 262150, 600000, 3};
	const size_t count = sizeof(sizes) / sizeof(*sizes);
	struct publisher *p = open_publisher(*scratch);
	struct buf text = BUF_INIT(8 * 1024 * 1024);
	struct json_object *root, *value;
	char path[64];

	for (size_t i = 0; i < count; i++) {
		buf_add_format(&text, "%c\"theirs%zu\":\"", i ? ',' : '{', i);
		for (size_t n = 0; n < sizes[i]; n++)
			buf_add_char(&text, (char)('a' + n % 19));
		buf_add_format(
		    &text, "\",\n\"agents/email/inbox/%zu/message.json\":0", i);
	}
	buf_add_text(&text, "}");
	scratch_write(*scratch, MANIFEST, buf_text(&text));
	OK(enter(p, NULL, "0", &err));
	OK(enter(p, NULL, "4", &err));
	root = read_manifest(*scratch);
	assert_int_equal(json_object_object_length(root), 2 * count);
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "theirs%zu", i);
		assert_true(json_object_object_get_ex(root, path, &value));
		assert_int_equal(json_object_get_string_len(value), sizes[i]);
		snprintf(path, sizeof(path),
		    "agents/email/inbox/%zu/message.json", i);
		assert_true(json_object_object_get_ex(root, path, &value));
		assert_int_equal(json_object_is_type(value, json_type_object),
		    i == 0 || i == 4);
	}
	json_object_put(root);
	buf_done(&text);
	publish_close(&p);
}

/* Other entries of the same length: only when it was written tells of it. */
static void
write_the_same_size(void)
{
	scratch_write(workspace, MANIFEST, "{\"bb\": 1, \"a\": 2}");
}

static void
write_half(void)
{
	scratch_write(workspace, MANIFEST, "{\"bb\": 1, ");
}

static void *
finish(void *unused)
{
	(void)unused;
	poll(NULL, 0, 100);
	write_the_same_size();
	return NULL;
}

static void
write_half_now_and_the_rest_soon(void)
{
	pthread_t writer;

	write_half();
	assert_int_equal(pthread_create(&writer, NULL, finish, NULL), 0);
	pthread_detach(writer);
}

static void
what_is_written_while_the_new_one_is_put_together_is_kept(void **scratch)
{
	static void (*const acts[])(void) = {
	    write_the_same_size, write_half_now_and_the_rest_soon};
	struct publisher *p = open_publisher(*scratch);

	workspace = *scratch;
	for (size_t i = 0; i < 2; i++) {
		struct json_object *root;

		scratch_write(*scratch, MANIFEST, "{\"a\": 1, \"bb\": 2}");
		meanwhile = acts[i];
		OK(enter(p, NULL, "1", &err));
		assert_null(meanwhile);
		root = read_manifest(*scratch);
		assert_int_equal(json_object_object_length(root), 3);
		assert_int_equal(
		    json_object_get_int(json_object_object_get(root, "bb")), 1);
		json_object_put(root);
	}
	publish_close(&p);
}

/* Nobody ever sees one that is no JSON in the place of one that is. */
static void
half_written_one_is_never_put_together(void **scratch)
{
	struct publisher *p = open_publisher(*scratch);
	struct mt_error why;
	char *text;

	workspace = *scratch;
	scratch_write(*scratch, MANIFEST, "{\"a\": 1, \"bb\": 2}");
	meanwhile = write_half;
	assert_int_equal(enter(p, NULL, "1", &why), MT_RETRY_LATER);
	text = scratch_read(*scratch, MANIFEST);
	assert_string_equal(text, "{\"bb\": 1, ");
	free(text);
	publish_close(&p);
}

static void *
finish_writing(void *dir)
{
	poll(NULL, 0, 100);
	scratch_write(dir, MANIFEST, "{\"theirs\": {\"taint_level\": 1}}");
	return NULL;
}

static void
writer_who_is_at_it_is_waited_for(void **scratch)
{
	struct publisher *p = open_publisher(*scratch);
	pthread_t writer;

	scratch_write(*scratch, MANIFEST, "{\"theirs\": {\"tai");
	assert_int_equal(
	    pthread_create(&writer, NULL, finish_writing, *scratch), 0);
	OK(enter(p, NULL, "1", &err));
	pthread_join(writer, NULL);
	assert_true(has(*scratch, "theirs"));
	assert_true(has(*scratch, "agents/email/inbox/1/message.json"));
	publish_close(&p);
}

/* As the gateway does it: reads, changes and writes in place, without a lock,
 * and takes what does not parse for nothing. */
struct rude {
	const char *dir;
	atomic_bool stop;
	unsigned written;
};

static void *
write_rudely(void *context)
{
	struct rude *r = context;
	char path[128], key[32];

	snprintf(path, sizeof(path), "%s/" MANIFEST, r->dir);
	while (!atomic_load(&r->stop)) {
		char *text = scratch_read(r->dir, MANIFEST);
		struct json_object *root =
		    text ? json_tokener_parse(text) : NULL;
		const char *new;
		int fd;

		free(text);
		if (!root)
			root = json_object_new_object();
		snprintf(key, sizeof(key), "rude/%u", r->written % 50);
		json_object_object_add(
		    root, key, json_object_new_string("theirs"));
		poll(NULL, 0, 10);
		new = json_object_to_json_string(root);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0660);
		for (size_t at = 0, n; at < strlen(new); at += n) {
			n = strlen(new) - at > 700 ? 700 : strlen(new) - at;
			if (write(fd, new + at, n) != (ssize_t)n)
				break;
		}
		close(fd);
		json_object_put(root);
		r->written++;
	}
	return NULL;
}

static void
entries_survive_a_writer_without_manners(void **scratch)
{
	enum { COUNT = 60 };
	struct publisher *p = open_publisher(*scratch);
	struct manifest_watch *w = manifest_watch_new();
	struct rude rude = {.dir = *scratch};
	struct json_object *root;
	char path[64], handle[16];
	pthread_t writer;
	unsigned vanished = 0;
	int64_t next = 0;

	assert_int_equal(pthread_create(&writer, NULL, write_rudely, &rude), 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(handle, sizeof(handle), "%d", i);
		OK(enter(p, w, handle, &err));
	}
	atomic_store(&rude.stop, true);
	pthread_join(writer, NULL);
	root = read_manifest(*scratch);
	assert_non_null(root);
	vanished = COUNT; /* counted down by those that are there */
	json_object_object_foreach(root, key, value)
	{
		(void)value;
		if (strncmp(key, "agents/", 7) == 0)
			vanished--;
	}
	json_object_put(root);
	/* the race is real: otherwise this test shows nothing */
	assert_true(vanished > 0);
	while (next != INT64_MAX) {
		poll(NULL, 0, (int)next);
		OK(manifest_watch_look(w, p, &next, &err));
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path),
		    "agents/email/inbox/%d/message.json", i);
		if (!has(*scratch, path))
			fail_msg("%s is gone", path);
	}
	manifest_watch_free(&w);
	publish_close(&p);
}

static void *
enter_many(void *context)
{
	struct rude *r = context;
	struct publisher *p = open_publisher(r->dir);
	char handle[32];

	for (int i = 0; i < 50; i++) {
		snprintf(handle, sizeof(handle), "%p-%d", (void *)r, i);
		OK(enter(p, NULL, handle, &err));
	}
	publish_close(&p);
	return NULL;
}

static void
writers_with_manners_take_turns(void **scratch)
{
	struct rude each[4];
	pthread_t threads[4];
	struct json_object *root;

	for (int i = 0; i < 4; i++) {
		each[i].dir = *scratch;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, enter_many, &each[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	root = read_manifest(*scratch);
	assert_int_equal(json_object_object_length(root), 200);
	json_object_put(root);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(                                       \
	    function, scratch_setup, scratch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(entry_is_made_as_the_contract_says),
	    TEST(manifest_that_does_not_parse_is_left_alone),
	    TEST(link_in_its_place_is_not_followed),
	    TEST(members_of_any_size_are_kept),
	    TEST(what_is_written_while_the_new_one_is_put_together_is_kept),
	    TEST(half_written_one_is_never_put_together),
	    TEST(writer_who_is_at_it_is_waited_for),
	    TEST(entries_survive_a_writer_without_manners),
	    TEST(writers_with_manners_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
