/* SPDX-License-Identifier: ISC */
#include "mail/imap_news.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define LINES_MAX 8

static char work_name[] = "Work", summer_name[] = "&AOk-t&AOk-",
	    summer_utf8[] = "\u00e9t\u00e9", quoted_name[] = "a \"\\b";

static struct imap_watched mailboxes[3];

static struct imap_news_reader
new_reader(void)
{
	mailboxes[0] = (struct imap_watched){.name = work_name};
	mailboxes[1] =
	    (struct imap_watched){.name = summer_name, .utf8 = summer_utf8};
	mailboxes[2] = (struct imap_watched){.name = quoted_name};
	return (struct imap_news_reader){.mailboxes = mailboxes, .count = 3};
}

/* Lines, and which mailboxes are news; or what is wrong with them. */
static const struct {
	const char *lines[LINES_MAX];
	uint64_t others;
	const char *wrong;
} cases[] = {
    {{"* STATUS Work (MESSAGES 1 UIDNEXT 2)"}, 1, NULL},
    {{"* status \"Work\" (UIDNEXT 2 UNSEEN 1)"}, 1, NULL},
    {{"* STATUS {4}", "Work (MESSAGES 1)"}, 1, NULL},
    {{"* STATUS Works (MESSAGES 1)", "* STATUS work (MESSAGES 1)"}, 0, NULL},
    {{"* STATUS &AOk-t&AOk- (MESSAGES 1)"}, 2, NULL},
    {{"* STATUS {5}", "\u00e9t\u00e9 (MESSAGES 1)"}, 2, NULL},
    {{"* STATUS \"a \\\"\\\\b\" ()"}, 4, NULL},
    {{"* STATUS {6}", "a \"\\b (MAILBOXID (F1) MESSAGES 1 X 99999999999)"}, 0,
	NULL},
    {{"* STATUS {5}", "a \"\\b (MAILBOXID (F1) X 99999999999)"}, 4, NULL},
    {{"* STATUS Work (MESSAGES 1)", "* STATUS {5}", "\u00e9t\u00e9 ()"}, 3,
	NULL},
    /* what is no news */
    {{"* OK Still here", "* 1 RECENT", "", "+ idling", "* 3 EXISTS",
	 "* 1 FETCH (FLAGS (\\Seen))", "* X-VENDOR (((", "* NO {5}"},
	0, NULL},
    {{"* LIST () \".\" {4}", "Work", "* STATUS Work ()"}, 1, NULL},
    {{"* LIST () {1}", ". {29}", "* STATUS Work (MESSAGES 1) xx",
	 "* STATUS Work ()"},
	1, NULL},
    /* what no server says */
    {{"* STATUS Work"}, 0, "a STATUS"},
    {{"* STATUS Work MESSAGES"}, 0, "a STATUS"},
    {{"* STATUS Work (MESSAGES)"}, 0, "a STATUS"},
    {{"* STATUS Work (MESSAGES 1"}, 0, "a STATUS"},
    {{"* STATUS Work (MESSAGES 1 (UIDNEXT 1)"}, 0, "a STATUS"},
    {{"* STATUS Work (X (("}, 0, "a STATUS"},
    {{"* STATUS \"Work (MESSAGES 1)"}, 0, "a STATUS"},
    {{"* STATUS \"Work\\"}, 0, "a STATUS"},
    {{"* STATUS {4}", "Wo", "rk ()"}, 0, "several lines"},
    {{"* STATUS {5}", "Work"}, 0, "several lines"},
    {{"7 OK who asked?"}, 0, "no IMAP"},
    {{"*"}, 0, "no IMAP"},
    {{"HTTP/1.1 400 Bad Request", "* STATUS Work ()"}, 0, "no IMAP"},
};

static void
lines_are_news_of_the_mailboxes_they_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct imap_news_reader r = new_reader();
		for (size_t j = 0; j < LINES_MAX && cases[i].lines[j]; j++)
			imap_news_take(&r, cases[i].lines[j]);
		if (r.news.others != cases[i].others ||
		    r.news.others_changed != (cases[i].others != 0) ||
		    !r.wrong != !cases[i].wrong ||
		    (r.wrong && !strstr(r.wrong, cases[i].wrong)))
			fail_msg("case %zu, %s: others %llu, %s", i,
			    cases[i].lines[0],
			    (unsigned long long)r.news.others,
			    r.wrong ? r.wrong : "nothing wrong");
	}
}

/* STATUS lines of one mailbox in turn, and whether each is news. */
static const struct {
	const char *line;
	bool news;
} turns[] = {
    {"* STATUS Work (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 9)", true},
    {"* STATUS Work (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 9)", false},
    {"* STATUS Work (MESSAGES 1 UIDNEXT 3)", false}, /* expunged */
    {"* STATUS Work (UNSEEN 1)", false},
    {"* STATUS Work (MESSAGES 2)", true},
    {"* STATUS Work (MESSAGES 2 UIDNEXT 4)", true},
    {"* STATUS Work (UIDVALIDITY 10)", true},
    {"* STATUS Work (MESSAGES 4294967296 UIDNEXT -1)", false},
};

static void
status_is_news_when_it_says_something_else(void **state)
{
	struct imap_news_reader r = new_reader();

	(void)state;
	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
		r.news = (struct imap_news){0};
		imap_news_take(&r, turns[i].line);
		if (r.news.others_changed != turns[i].news || r.wrong)
			fail_msg("%s", turns[i].line);
	}
	assert_true(mailboxes[0].covered);
	assert_false(mailboxes[1].covered);
	assert_int_equal(mailboxes[0].status.exists, 2);
	assert_int_equal(mailboxes[0].status.uidnext, 4);
	assert_int_equal(mailboxes[0].status.uidvalidity, 10);
}

static void
farewell_is_kept_for_people(void **state)
{
	struct imap_news_reader r = new_reader();
	char line[1000] = "* BYE [X] a\t\x1b[31m\xff";

	(void)state;
	imap_news_take(&r, line);
	assert_true(r.news.bye);
	assert_string_equal(r.news.bye_text, "a??[31m?");
	memset(line + 6, 'b', sizeof(line) - 7);
	imap_news_take(&r, line);
	assert_int_equal(strlen(r.news.bye_text), IMAP_BYE_MAX - 1);
	assert_null(r.wrong);
}

static void
overflow_makes_news_of_everything(void **state)
{
	struct imap_news_reader r = new_reader();

	(void)state;
	imap_news_take(&r, "* STATUS Work ()");
	r.news = (struct imap_news){0};
	imap_news_take(&r, "* OK [NOTIFICATIONOVERFLOW] too much");
	assert_true(r.news.overflow);
	assert_true(r.news.selected_changed);
	assert_true(r.news.others_changed);
	assert_int_equal(r.news.others, 7);
	assert_false(mailboxes[0].covered);
}

static void
answer_to_a_question_is_no_news(void **state)
{
	struct imap_news_reader r = new_reader();
	struct imap_question q = {.name = "inbox"};

	(void)state;
	r.question = &q;
	imap_news_take(&r, "* STATUS Work ()");
	assert_false(q.answered);
	imap_news_take(&r, "* STATUS {5}");
	imap_news_take(&r, "INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5)");
	assert_true(q.answered);
	assert_int_equal(q.answer.mailbox.exists, 3);
	assert_int_equal(q.answer.mailbox.uidnext, 4);
	assert_int_equal(q.answer.mailbox.uidvalidity, 5);
	assert_int_equal(r.news.others, 1);
	assert_null(r.wrong);
}

static void
name_of_any_length_does_no_harm(void **state)
{
	static char line[3 * IMAP_STATUS_NAME_MAX];
	static const size_t lengths[] = {IMAP_STATUS_NAME_MAX - 1,
	    IMAP_STATUS_NAME_MAX, IMAP_STATUS_NAME_MAX + 1,
	    2 * IMAP_STATUS_NAME_MAX};
	char name[IMAP_STATUS_NAME_MAX];
	const char *items;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		bool fits = lengths[i] < IMAP_STATUS_NAME_MAX;
		for (int quote = 0; quote < 2; quote++) {
			size_t at = (size_t)snprintf(line, sizeof(line),
			    "* STATUS %s", quote ? "\"" : "");
			memset(line + at, 'n', lengths[i]);
			snprintf(line + at + lengths[i],
			    sizeof(line) - at - lengths[i], "%s ()",
			    quote ? "\"" : "");
			assert_true(imap_status_begins(line, name, &items));
			assert_string_equal(items, " ()");
			assert_int_equal(strlen(name), fits ? lengths[i] : 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_news_of_the_mailboxes_they_name),
	    cmocka_unit_test(status_is_news_when_it_says_something_else),
	    cmocka_unit_test(farewell_is_kept_for_people),
	    cmocka_unit_test(overflow_makes_news_of_everything),
	    cmocka_unit_test(answer_to_a_question_is_no_news),
	    cmocka_unit_test(name_of_any_length_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
