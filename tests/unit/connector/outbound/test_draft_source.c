/* SPDX-License-Identifier: ISC */
#include "outbound/draft_source.h"

#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "unit/connector/scratch.h"

#define FIELDS "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\""
#define DRAFT "{" FIELDS "}"
#define WITH_FILE "{" FIELDS ",\"attachments\":[{\"path\":\"inbox/a.bin\"}]}"

static void
sha256_of(const char *text, char ret_hex[65])
{
	unsigned char digest[32];

	gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

static int
setup(void **state)
{
	if (scratch_setup(state) != 0)
		return -1;
	scratch_mkdir(*state, "email");
	scratch_mkdir(*state, "email/drafts");
	scratch_mkdir(*state, "email/inbox");
	scratch_mkdir(*state, "email2");
	scratch_write(*state, "email/drafts/a.json", DRAFT);
	scratch_write(*state, "email/drafts/file.json", WITH_FILE);
	scratch_write(*state, "email/inbox/a.bin", "content");
	scratch_write(*state, "email2/x", DRAFT);
	return 0;
}

/* A source in the directory of the agent "email".  Caller: close(.agent_dir) */
static struct draft_source
source_of(const char *dir)
{
	struct draft_source source = {
	    .agent_dir = open(scratch_path(dir, "email"), O_PATH | O_CLOEXEC),
	    .agent = "email",
	};

	assert_true(source.agent_dir >= 0);
	return source;
}

/* The error text, "" if the draft was read. */
static const char *
try(const struct draft_source *source)
{
	static struct mt_error err;
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft;

	err.text[0] = '\0';
	if (draft_source_read(&draft, source, digest, &err) == MT_OK)
		draft_done(&draft);
	else
		assert_int_equal(err.status, MT_BAD_INPUT);
	return err.text;
}

static void
paths_are_taken_as_the_agent_names_them(void **state)
{
	static const char *const cases[][2] = {
	    {"drafts/a.json", ""},
	    {"/workspace/agents/email/drafts/a.json", ""},
	    {"/workspace/agents/email//drafts/a.json", ""},
	    {"/workspace/agents/email/../email2/x", "path traversal rejected"},
	    {"/workspace/agents/email2/x", "path traversal rejected"},
	    {"/workspace/agents/emai", "path traversal rejected"},
	    {"/workspace/agents/email", "path traversal rejected"},
	    {"../email2/x", "path traversal rejected"},
	    {"/etc/passwd", "path traversal rejected"},
	    {"-", "cannot read draft: :enoent"},
	    {"drafts", "cannot read draft: :eisdir"},
	    {"drafts/none.json", "cannot read draft: :enoent"},
	};
	struct draft_source source = source_of(*state);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		source.path = cases[i][0];
		assert_string_equal(try(&source), cases[i][1]);
	}
	close(source.agent_dir);
}

static void
a_draft_that_was_changed_is_refused(void **state)
{
	struct draft_source source = source_of(*state);
	char hex[65];

	sha256_of(DRAFT, hex);
	source.path = "drafts/a.json";
	source.sha256 = hex;
	assert_string_equal(try(&source), "");
	hex[0] = hex[0] == '0' ? '1' : '0';
	assert_non_null(strstr(try(&source), "draft_sha256"));
	hex[0] = '\0';
	assert_non_null(strstr(try(&source), "draft_sha256"));
	/* nothing can have changed what stands in the request */
	source.json = DRAFT;
	source.len = strlen(DRAFT);
	assert_string_equal(try(&source), "");
	close(source.agent_dir);
}

static void
attached_files_are_read_by_the_same_rule(void **state)
{
	static const char *const cases[][2] = {
	    {"inbox/a.bin", ""},
	    {"/workspace/agents/email/inbox/a.bin", ""},
	    {"../email2/x", "path traversal rejected"},
	    {"/etc/passwd", "path traversal rejected"},
	    {"inbox/b", "cannot read attachment 1: :enoent"},
	    {"inbox", "cannot read attachment 1: :eisdir"},
	};
	struct draft_source source = source_of(*state);
	char json[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		source.json = json;
		source.len = (size_t)snprintf(json, sizeof(json),
		    "{" FIELDS ",\"attachments\":[{\"path\":\"%s\"}]}",
		    cases[i][0]);
		assert_string_equal(try(&source), cases[i][1]);
	}
	close(source.agent_dir);
}

static void
an_attached_file_arrives_whole(void **state)
{
	struct draft_source source = source_of(*state);
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft;

	source.path = "drafts/file.json";
	assert_int_equal(
	    draft_source_read(&draft, &source, digest, NULL), MT_OK);
	assert_int_equal(draft.attachments.count, 1);
	assert_int_equal(draft.attachments.items[0].len, strlen("content"));
	assert_memory_equal(
	    draft.attachments.items[0].bytes, "content", strlen("content"));
	assert_string_equal(draft.attachments.items[0].filename, "a.bin");
	draft_done(&draft);
	scratch_write(*state, "email/inbox/a.bin", "");
	assert_string_equal(try(&source), "");
	close(source.agent_dir);
}

static void
pinned_drafts_pin_their_files(void **state)
{
	struct draft_source source = source_of(*state);
	char json[400], hex[65];

	source.pinned_only = true;
	source.path = "drafts/file.json";
	assert_non_null(strstr(try(&source), "attachment 1 is a file and has "
					     "no sha256"));
	sha256_of("content", hex);
	source.json = json;
	source.len = (size_t)snprintf(json, sizeof(json),
	    "{" FIELDS ",\"attachments\":[{\"path\":\"inbox/a.bin\","
	    "\"sha256\":\"%s\"}]}",
	    hex);
	assert_string_equal(try(&source), "");
	scratch_write(*state, "email/inbox/a.bin", "other");
	assert_string_equal(
	    try(&source), "attachment 1 is not what its sha256 says");
	close(source.agent_dir);
}

static void
digest_of(const struct draft_source *source,
    unsigned char ret_digest[DRAFT_DIGEST_BYTES])
{
	struct draft draft;

	assert_int_equal(
	    draft_source_read(&draft, source, ret_digest, NULL), MT_OK);
	draft_done(&draft);
}

static void
the_digest_is_that_of_the_message(void **state)
{
	struct draft_source source = source_of(*state);
	unsigned char one[DRAFT_DIGEST_BYTES], two[DRAFT_DIGEST_BYTES];

	source.path = "drafts/file.json";
	digest_of(&source, one);
	digest_of(&source, two);
	assert_memory_equal(one, two, sizeof(one));
	/* the same words from elsewhere */
	source.json = WITH_FILE;
	source.len = strlen(WITH_FILE);
	digest_of(&source, two);
	assert_memory_equal(one, two, sizeof(one));
	scratch_write(*state, "email/inbox/a.bin", "Content");
	digest_of(&source, two);
	assert_memory_not_equal(one, two, sizeof(one));
	source.json = DRAFT;
	source.len = strlen(DRAFT);
	digest_of(&source, one);
	assert_memory_not_equal(one, two, sizeof(one));
	close(source.agent_dir);
}

static void
the_digest_is_known_without_the_files(void **state)
{
	struct draft_source source = source_of(*state);
	unsigned char one[DRAFT_DIGEST_BYTES], two[DRAFT_DIGEST_BYTES];
	char json[400], draft_hex[65], hex[65];

	sha256_of(DRAFT, draft_hex);
	sha256_of("content", hex);
	source.path = "drafts/a.json";
	assert_false(draft_source_named_digest(&source, two));
	source.sha256 = draft_hex;
	digest_of(&source, one);
	assert_true(draft_source_named_digest(&source, two));
	assert_memory_equal(one, two, sizeof(one));
	scratch_write(*state, "email/drafts/a.json", WITH_FILE);
	memset(two, 0, sizeof(two));
	assert_true(draft_source_named_digest(&source, two));
	assert_memory_equal(one, two, sizeof(one));
	source.sha256 = "no hexadecimal digits";
	assert_false(draft_source_named_digest(&source, two));

	source.json = json;
	source.len = (size_t)snprintf(json, sizeof(json),
	    "{" FIELDS ",\"attachments\":[{\"path\":\"inbox/a.bin\","
	    "\"sha256\":\"%s\"}]}",
	    hex);
	digest_of(&source, one);
	scratch_write(*state, "email/inbox/a.bin", "other");
	assert_true(draft_source_named_digest(&source, two));
	assert_memory_equal(one, two, sizeof(one));
	source.json = WITH_FILE;
	source.len = strlen(WITH_FILE);
	assert_false(draft_source_named_digest(&source, two));
	close(source.agent_dir);
}

static void
sizes_are_limited(void **state)
{
	struct draft_source source = source_of(*state);
	const char *big = scratch_path(*state, "email/drafts/a.json");
	const char *file = scratch_path(*state, "email/inbox/a.bin");

	source.path = "drafts/a.json";
	assert_int_equal(truncate(big, (off_t)DRAFT_MAX + 1), 0);
	assert_string_equal(try(&source), "draft is longer than 1048576 bytes");
	source.path = "drafts/file.json";
	assert_int_equal(truncate(file, ATTACHMENTS_BYTES_MAX), 0);
	assert_string_equal(try(&source), "");
	assert_int_equal(truncate(file, (off_t)ATTACHMENTS_BYTES_MAX + 1), 0);
	assert_string_equal(try(&source),
	    "the attachments are longer than 26214400 bytes together");
	close(source.agent_dir);
}

/* The command line: files of the caller. */
static void
files_are_read_and_their_errors_named(void **state)
{
	struct draft_source source = {.agent_dir = -1};

	source.path = "/nowhere/draft";
	assert_string_equal(try(&source), "cannot read draft: :enoent");
	source.path = "/";
	assert_string_equal(try(&source), "cannot read draft: :eisdir");
	scratch_write(*state, "empty", "");
	source.path = scratch_path(*state, "empty");
	assert_string_equal(try(&source), "invalid JSON in draft file");
	assert_int_equal(
	    symlink("email/drafts/a.json", scratch_path(*state, "link")), 0);
	source.path = scratch_path(*state, "link");
	assert_string_equal(try(&source), "");
}

static void
at_the_command_line_files_lie_beneath_the_current_directory(void **state)
{
	struct draft_source source = {.agent_dir = -1};
	char path[300];

	snprintf(path, sizeof(path), "%s",
	    scratch_path(*state, "email/drafts/file.json"));
	source.path = path;
	assert_int_equal(chdir(scratch_path(*state, "email2")), 0);
	assert_string_equal(try(&source), "cannot read attachment 1: :enoent");
	assert_int_equal(chdir(scratch_path(*state, "email")), 0);
	assert_string_equal(try(&source), "");
	scratch_write(*state, "email/drafts/file.json",
	    "{" FIELDS ",\"attachments\":[{\"path\":\"/etc/passwd\"}]}");
	assert_non_null(strstr(try(&source), "path traversal rejected: "
					     "attachment 1 must lie beneath"));
	assert_int_equal(chdir("/"), 0);
}

static void
a_dash_reads_standard_input(void **state)
{
	struct draft_source source = {.agent_dir = -1, .path = "-"};
	int ends[2], old = dup(STDIN_FILENO);
	const char *text;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], DRAFT, strlen(DRAFT)), strlen(DRAFT));
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	text = try(&source);
	dup2(old, STDIN_FILENO);
	close(old);
	close(ends[0]);
	assert_string_equal(text, "");
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(paths_are_taken_as_the_agent_names_them),
	    TEST(a_draft_that_was_changed_is_refused),
	    TEST(attached_files_are_read_by_the_same_rule),
	    TEST(an_attached_file_arrives_whole),
	    TEST(pinned_drafts_pin_their_files),
	    TEST(the_digest_is_that_of_the_message),
	    TEST(the_digest_is_known_without_the_files),
	    TEST(sizes_are_limited),
	    TEST(files_are_read_and_their_errors_named),
	    TEST(at_the_command_line_files_lie_beneath_the_current_directory),
	    TEST(a_dash_reads_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
