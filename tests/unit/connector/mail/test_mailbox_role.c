/* SPDX-License-Identifier: ISC */
#include "mail/mailbox_role.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#define LINES_MAX 5

/* What a server lists, and which of it is the one. */
static const struct {
	enum imap_role role;
	const char *lines[LINES_MAX];
	const char *name;
} cases[] = {
    /* what the server says comes first, wherever it is */
    {IMAP_ROLE_SENT,
	{"() \"/\" Sent", "(\\Sent) \"/\" Outgoing", "(\\Sent) \"/\" More"},
	"Outgoing"},
    {IMAP_ROLE_SENT, {"(\\Sent) \"/\" \"[Gmail]/Sent Mail\""},
	"[Gmail]/Sent Mail"},
    {IMAP_ROLE_DRAFTS, {"(\\Sent) \"/\" Sent", "(\\Drafts) \"/\" x"}, "x"},
    {IMAP_ROLE_ALL, {"() \"/\" All", "(\\All) \"/\" \"[Gmail]/Alle\""},
	"[Gmail]/Alle"},
    {IMAP_ROLE_ALL, {"() \"/\" \"All Mail\""}, ""},
    /* names, the most usual first */
    {IMAP_ROLE_SENT, {"() \"/\" \"Sent Items\"", "() \"/\" Sent"}, "Sent"},
    {IMAP_ROLE_SENT, {"() \"/\" \"SENT ITEMS\""}, "SENT ITEMS"},
    {IMAP_ROLE_SENT, {"() \"/\" \"Gesendete Elemente\""}, "Gesendete Elemente"},
    {IMAP_ROLE_SENT, {"() \"/\" \"Envoy&AOk-s\""}, "Envoy\u00e9s"},
    {IMAP_ROLE_SENT, {"() \"/\" \"&XfJT0ZAB-\""}, "\u5df2\u53d1\u9001"},
    {IMAP_ROLE_DRAFTS, {"() \"/\" \"Entw&APw-rfe\""}, "Entw\u00fcrfe"},
    /* beneath the prefix, or INBOX, and nowhere else */
    {IMAP_ROLE_SENT, {"() \".\" INBOX.Sent"}, "INBOX.Sent"},
    {IMAP_ROLE_SENT, {"() \".\" Inbox.Sent"}, "Inbox.Sent"},
    {IMAP_ROLE_SENT, {"() \"/\" INBOX.Sent"}, ""},
    {IMAP_ROLE_SENT, {"() NIL INBOX.Sent"}, ""},
    {IMAP_ROLE_SENT, {"() \"/\" Mine/Sent"}, "Mine/Sent"},
    {IMAP_ROLE_SENT, {"() \"/\" Archive/Sent", "() \"/\" Sent/2025"}, ""},
    {IMAP_ROLE_SENT, {"() \"/\" Unsent", "() \"/\" Sentinel"}, ""},
    /* of others */
    {IMAP_ROLE_SENT,
	{"(\\Sent) \"/\" \"Other/bob/Sent\"", "() \"/\" \"Sent Mail\""},
	"Sent Mail"},
    {IMAP_ROLE_SENT, {"(\\Sent) \"/\" \"Public/Sent\""}, ""},
    /* what cannot be opened */
    {IMAP_ROLE_SENT,
	{"(\\NoSelect \\Sent) \"/\" Sent", "(\\noselect) \"/\" Gesendet"}, ""},
    {IMAP_ROLE_SENT, {"(\\NonExistent \\Sent) \"/\" Sent"}, ""},
    {IMAP_ROLE_SENT, {"(\\Sent) \"/\" \"\""}, ""},
    {IMAP_ROLE_SENT, {"(\\Sent) \"/\" \"Envoy&s\""}, ""}, /* no name */
    {IMAP_ROLE_SENT, {NULL}, ""},
};

static void
the_mailbox_for_a_role_is_found(void **state)
{
	struct mailbox_spaces spaces = {.has_own = false};

	(void)state;
	mailbox_spaces_take(&spaces, IMAP_OWN, "Mine/", '/');
	mailbox_spaces_take(&spaces, IMAP_OWN, "#second/", '/');
	mailbox_spaces_take(&spaces, IMAP_OTHER_USERS, "Other/", '/');
	mailbox_spaces_take(&spaces, IMAP_SHARED, "", '/');
	mailbox_spaces_take(&spaces, IMAP_SHARED, "Public/", '/');
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mailbox_choice choice = {
		    .role = cases[i].role, .spaces = &spaces};
		for (size_t j = 0; j < LINES_MAX && cases[i].lines[j]; j++) {
			char text[200];
			struct imap_list_line line;
			snprintf(
			    text, sizeof(text), "* LIST %s", cases[i].lines[j]);
			assert_true(imap_list_line_begins(text, &line));
			mailbox_choice_take(&choice, &line);
		}
		if (strcmp(choice.name, cases[i].name) != 0)
			fail_msg(
			    "%s: found '%s'", cases[i].lines[0], choice.name);
	}
}

static void
the_first_namespace_of_ones_own_counts(void **state)
{
	struct mailbox_spaces spaces = {.has_own = false};
	char prefix[200];

	(void)state;
	mailbox_spaces_take(&spaces, IMAP_OWN, "&AOk-.", '.');
	mailbox_spaces_take(&spaces, IMAP_OWN, "x/", '/');
	assert_string_equal(spaces.own.prefix, "\u00e9.");
	assert_int_equal(spaces.own.delimiter, '.');
	/* more than anybody has, and what does not fit */
	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	mailbox_spaces_take(&spaces, IMAP_SHARED, prefix, '/');
	assert_int_equal(spaces.foreign_count, 0);
	for (int i = 0; i < 2 * MAILBOX_FOREIGN_MAX; i++)
		mailbox_spaces_take(&spaces, IMAP_SHARED, "a/", '/');
	assert_int_equal(spaces.foreign_count, MAILBOX_FOREIGN_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_mailbox_for_a_role_is_found),
	    cmocka_unit_test(the_first_namespace_of_ones_own_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
