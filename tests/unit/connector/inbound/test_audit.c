/* SPDX-License-Identifier: ISC */
#include "inbound/audit.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/inbound/bench.h"
#include "unit/connector/scratch.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST ".tri-onyx/risk-manifest.json"
#define MESSAGE(n) "agents/email/inbox/" #n "/message.json"

static bool
is_entered(struct bench *b, const char *path)
{
	char *text = scratch_read(b->workspace, MANIFEST);
	struct json_object *root = json_tokener_parse(text);
	bool found = json_object_object_get_ex(root, path, NULL);

	json_object_put(root);
	free(text);
	return found;
}

/* Goes on until a round is over. */
static void
audit(struct bench *b)
{
	struct audit audit = {0};
	int64_t next_ms = 0;

	while (next_ms < AUDIT_PAUSE_MS) {
		audit.next = deadline_in_ms(0);
		OK(audit_step(
		    &audit, b->in.state, b->in.publisher, &next_ms, &err));
	}
}

static void
what_others_have_lost_is_entered_again(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 3; i++)
		fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	bench_expect(b, "1 2 3 ");
	assert_true(is_entered(b, MESSAGE(1)));
	scratch_remove(b->workspace, INBOX "/3");
	scratch_write(b->workspace, MANIFEST,
	    "{\"" MESSAGE(2) "\": {\"reviewed_by\": \"ann\"}}");
	audit(b);
	assert_true(is_entered(b, MESSAGE(1)));
	assert_false(is_entered(b, MESSAGE(3)));
	/* what somebody has judged stays judged */
	{
		char *text = scratch_read(b->workspace, MANIFEST);
		assert_non_null(
		    strstr(text, MESSAGE(2) "\": {\"reviewed_by\": \"ann\"}"));
		free(text);
	}
}

static void
what_is_complete_is_not_written(void **state)
{
	struct bench *b = *state;
	char *before, *after;

	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	bench_expect(b, "1 ");
	before = scratch_read(b->workspace, MANIFEST);
	audit(b);
	after = scratch_read(b->workspace, MANIFEST);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
agents_that_are_gone_are_passed_and_not_made(void **state)
{
	static const char other[] = "agents/other/inbox/2/message.json";
	struct bench *b = *state;

	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	bench_expect(b, "1 ");
	b->in.folder = "agents/other/inbox";
	fake_imap_add(&b->server, "From: a@example.org\r\n\r\nx\r\n");
	bench_expect(b, "2 ");
	scratch_remove(b->workspace, "agents/email");
	scratch_write(b->workspace, MANIFEST, "{}");
	audit(b);
	assert_true(is_entered(b, other));
	assert_false(scratch_exists(b->workspace, "agents/email"));
	/* what is there instead need not be a directory */
	scratch_write(b->workspace, "agents/email", "");
	scratch_write(b->workspace, MANIFEST, "{}");
	audit(b);
	assert_true(is_entered(b, other));
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(what_others_have_lost_is_entered_again),
	    CASE(what_is_complete_is_not_written),
	    CASE(agents_that_are_gone_are_passed_and_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
