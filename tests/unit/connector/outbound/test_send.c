/* SPDX-License-Identifier: ISC */
#include "outbound/send.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include "state/state.h"

#include <stdio.h>

/* How each answer begins; success is whether the message is in our hands. */
#define HEAD(success, state)                                                   \
	"{\"type\":\"send_email_response\",\"success\":" success               \
	",\"state\":\"" state "\","

static const struct outbox_rules rules = {
    "alice", OUTBOX_RETRY, OUTBOX_FILED_BY_NOBODY, 0};

static void
check(enum send_state state, const char *id, const char *detail,
    const char *expected)
{
	struct send_report report = {.state = state};
	struct buf b = BUF_INIT(8192);

	snprintf(report.message_id, sizeof(report.message_id), "%s", id);
	snprintf(report.detail, sizeof(report.detail), "%s", detail);
	send_add_json(&b, &report);
	assert_string_equal(buf_text(&b), expected);
	buf_done(&b);
}

/* Why it waits is said apart from the word that a requester compares. */
static void
check_queued(void)
{
	const struct mt_error why = {.text = "y"};
	struct send_report report;
	struct buf b = BUF_INIT(8192);

	send_unknown(&report, &why);
	send_add_json(&b, &report);
	assert_string_equal(buf_text(&b),
	    HEAD("true", "queued") "\"detail\":\"queued\","
				   "\"reason\":\"y\"}");
	buf_done(&b);
}

static void
each_state_has_its_word(void **state)
{
	(void)state;
	check(SEND_SENT, "<a@b>", "sent",
	    HEAD("true", "sent") "\"message_id\":\"<a@b>\","
				 "\"detail\":\"sent\"}");
	check(SEND_QUEUED, "<a@b>", "x",
	    HEAD("true", "queued") "\"message_id\":\"<a@b>\","
				   "\"detail\":\"x\"}");
	check_queued();
	check(SEND_UNCERTAIN, "<a@b>", "x",
	    HEAD("true", "uncertain") "\"message_id\":\"<a@b>\","
				      "\"detail\":\"x\"}");
	check(SEND_REFUSED, "", "x",
	    HEAD("false", "refused") "\"detail\":\"x\"}");
	check(SEND_NOT_QUEUED, "", "x",
	    HEAD("false", "not_queued") "\"detail\":\"x\"}");
}

static void
what_a_server_says_cannot_break_the_line(void **state)
{
	static const char *const cases[][2] = {
	    {"\"a\\\n\"", "\\\"a\\\\?\\\""},
	    {"\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7 \xed\x9f\xbf",
		"\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7 \xed\x9f\xbf"},
	    {"latin \xfc end", "latin ? end"},
	    {"cut \xf0\x9f\x93", "cut ???"},
	    {"\xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80",
		"?? ??? ??? ????"},
	    {"\xc3(", "?("},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected),
		    HEAD("false", "refused") "\"detail\":\"%s\"}", cases[i][1]);
		check(SEND_REFUSED, "", cases[i][0], expected);
	}
}

static void
set_state(struct state *s, struct outbox_entry *entry,
    enum outbox_verdict verdict, time_t now)
{
	const struct outbox_result result = {verdict, "reply", NULL};

	OK(outbox_record(s, &rules, entry, &result, now, &err));
}

static void
assert_look(struct state *s, int64_t id, const char *why, enum send_state state,
    const char *detail, const char *reason)
{
	const struct send_settings settings = {.state = s, .rules = &rules};
	struct send_report report;

	OK(send_look(&settings, id, why, &report, &err));
	assert_int_equal(report.state, state);
	assert_string_equal(report.detail, detail);
	assert_string_equal(report.reason, reason);
	assert_string_equal(report.message_id, "<1@x>");
}

/* What a requester is told at each of the steps of a message. */
static void
what_waits_is_queued_and_only_a_lost_answer_is_uncertain(void **dir)
{
	static const char unanswered[] = "the server has not answered yet";
	static const char *const rcpt_to[] = {"b@example.org", NULL};
	const struct outbox_message message = {
	    .account = rules.account,
	    .message_id = "<1@x>",
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = "x",
	    .len = 1,
	};
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state *s = NULL;
	bool found = false;
	int64_t id = 0;

	OK(state_open(&s, *dir, &err));
	OK(outbox_add(s, &message, 1000, &id, &err));
	assert_look(s, id, NULL, SEND_QUEUED, "queued", "");
	assert_look(s, id, "no login", SEND_QUEUED, "queued", "no login");
	OK(outbox_claim(s, &rules, 1000, &entry, &found, &err));
	OK(outbox_attempting(s, &entry, 1000, &err));
	assert_look(s, id, "no login", SEND_QUEUED, "queued", unanswered);
	set_state(s, &entry, OUTBOX_DEFERRED, 1000);
	outbox_entry_done(&entry);
	assert_look(s, id, "", SEND_QUEUED, "queued", "reply");
	OK(outbox_claim(s, &rules, 1005, &entry, &found, &err));
	OK(outbox_attempting(s, &entry, 1005, &err));
	set_state(s, &entry, OUTBOX_LOST, 1005);
	outbox_entry_done(&entry);
	assert_look(s, id, NULL, SEND_UNCERTAIN, "reply", "");
	OK(outbox_claim(s, &rules, 1015, &entry, &found, &err));
	OK(outbox_attempting(s, &entry, 1015, &err));
	assert_look(s, id, NULL, SEND_UNCERTAIN, unanswered, "");
	set_state(s, &entry, OUTBOX_ACCEPTED, 1015);
	outbox_entry_done(&entry);
	assert_look(s, id, "no login", SEND_SENT, "sent", "");
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_state_has_its_word),
	    cmocka_unit_test(what_a_server_says_cannot_break_the_line),
	    cmocka_unit_test_setup_teardown(
		what_waits_is_queued_and_only_a_lost_answer_is_uncertain,
		scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
