/* SPDX-License-Identifier: ISC */
#include "state/draft_state.h"

#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <string.h>

static const unsigned char digest[DRAFT_STATE_DIGEST_BYTES] = {1};

static struct draft_record
begin(struct state *state, const char *account, const char *message_id,
    time_t now)
{
	const struct draft_request request = {
	    .account = account,
	    .request_id = "r1",
	    .digest = digest,
	    .message_id = message_id,
	    .now = now,
	};
	struct draft_record record = DRAFT_RECORD_INIT;

	OK(draft_state_begin(state, &request, &record, &err));
	return record;
}

static void
request_means_one_message(void **scratch)
{
	struct state *state = NULL;
	struct draft_record first, again, other;

	OK(state_open(&state, *scratch, &err));
	first = begin(state, "a", "<1@x>", 1000);
	assert_true(first.fresh && first.claim >= 0 && !first.mailbox);

	again = begin(state, "a", "<2@x>", 2000);
	assert_true(!again.fresh && again.claim < 0); /* it is worked on */
	assert_string_equal(again.message_id, "<1@x>");
	assert_int_equal(again.date, 1000);
	draft_record_done(&again);

	draft_record_done(&first); /* as when its process dies */
	again = begin(state, "a", "<2@x>", 2000);
	assert_true(!again.fresh && again.claim >= 0 && !again.mailbox);
	OK(draft_state_saved(state, again.id, "Drafts", &err));
	draft_record_done(&again);
	again = begin(state, "a", "<2@x>", 2000);
	assert_string_equal(again.mailbox, "Drafts");
	draft_record_done(&again);

	other = begin(state, "b", "<3@x>", 2000); /* of another account */
	assert_true(other.fresh);
	draft_record_done(&other);
	state_close(&state);
}

static void
request_of_another_message_is_refused(void **scratch)
{
	static const unsigned char changed[DRAFT_STATE_DIGEST_BYTES] = {2};
	const struct draft_request request = {
	    .account = "a",
	    .request_id = "r1",
	    .digest = changed,
	    .message_id = "<2@x>",
	    .now = 2000,
	};
	struct draft_record record = DRAFT_RECORD_INIT;
	struct mt_error why = {0};
	struct state *state = NULL;

	OK(state_open(&state, *scratch, &err));
	record = begin(state, "a", "<1@x>", 1000);
	draft_record_done(&record);
	assert_int_equal(
	    draft_state_begin(state, &request, &record, &why), MT_REFUSED);
	assert_string_equal(
	    why.text, "request_id was used for another message");
	state_close(&state);
}

static void
request_is_forgotten_after_a_week(void **scratch)
{
	struct state *state = NULL;
	struct draft_record record;

	OK(state_open(&state, *scratch, &err));
	record = begin(state, "a", "<1@x>", 1000);
	draft_record_done(&record);
	record = begin(state, "a", "<2@x>", 1000 + DRAFT_STATE_KEEP_S);
	assert_false(record.fresh);
	draft_record_done(&record);
	record = begin(state, "a", "<3@x>", 1001 + DRAFT_STATE_KEEP_S);
	assert_true(record.fresh);
	assert_string_equal(record.message_id, "<3@x>");
	draft_record_done(&record);
	state_close(&state);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(request_means_one_message),
	    CASE(request_of_another_message_is_refused),
	    CASE(request_is_forgotten_after_a_week),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
