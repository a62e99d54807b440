/* SPDX-License-Identifier: ISC */
#include "mail/imap_list_line.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

/* Lines, with what follows a literal in the next; name NULL: no LIST. */
static const struct {
	const char *line, *next;
	const char *attributes;
	char delimiter;
	const char *name;
} cases[] = {
    {"* LIST (\\HasNoChildren \\Sent) \"/\" Sent", NULL,
	"\\HasNoChildren \\Sent", '/', "Sent"},
    {"* list () \".\" \"Sent Items\"", NULL, "", '.', "Sent Items"},
    {"* LIST () NIL INBOX", NULL, "", '\0', "INBOX"},
    {"* LIST () \"\\\\\" \"a\\\"b\\\\c\"", NULL, "", '\\', "a\"b\\c"},
    {"* LIST () \"/\" {6}", "a b\"(\\", "", '/', "a b\"(\\"},
    {"* LIST () \"/\" {1}", "a (\"CHILDINFO\" (\"SUBSCRIBED\"))", "", '/', "a"},
    {"* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))", NULL, "", '/',
	"a"},
    {"* LIST () \"/\" \"\"", NULL, "", '/', ""},
    {"* LIST", NULL, "", 0, NULL},
    {"* LIST () \"/\"", NULL, "", 0, NULL},
    {"* LIST () \"/\" ", NULL, "", 0, NULL},
    {"* LIST () \"/\" \"a", NULL, "", 0, NULL},
    {"* LIST () \"/\" \"a\\", NULL, "", 0, NULL},
    {"* LIST () \"//\" a", NULL, "", '\0', "a"},
    {"* LIST () / a", NULL, "", 0, NULL},
    {"* LIST (\\Sent \"/\" a", NULL, "", 0, NULL},
    {"* LIST \\Sent \"/\" a", NULL, "", 0, NULL},
    {"* LSUB () \"/\" a", NULL, "", 0, NULL},
    {"3 OK LIST", NULL, "", 0, NULL},
    {"", NULL, "", 0, NULL},
};

static void
mailboxes_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct imap_list_line l = {.delimiter = '?'};
		bool good = imap_list_line_begins(cases[i].line, &l);
		if (good && cases[i].next) {
			assert_true(l.in_literal);
			imap_list_line_goes_on(
			    cases[i].next, strlen(cases[i].name), &l);
		}
		if (good != (cases[i].name != NULL) ||
		    (good &&
			(l.in_literal || l.delimiter != cases[i].delimiter ||
			    strcmp(l.attributes, cases[i].attributes) != 0 ||
			    strcmp(l.name, cases[i].name) != 0)))
			fail_msg("%s: %d '%s' '%c' '%s'", cases[i].line, good,
			    l.attributes, l.delimiter, l.name);
	}
}

static void
what_is_too_long_is_nobodys(void **state)
{
	char line[4096];
	struct imap_list_line l;

	(void)state;
	snprintf(line, sizeof(line), "* LIST (\\Sent) \"/\" %01024d", 0);
	assert_true(imap_list_line_begins(line, &l));
	assert_string_equal(l.name, "");
	snprintf(line, sizeof(line), "* LIST (\\Sent) \"/\" \"%01024d\"", 0);
	assert_true(imap_list_line_begins(line, &l));
	assert_string_equal(l.name, "");
	snprintf(line, sizeof(line), "* LIST (\\Sent) \"/\" \"%01023d\"", 0);
	assert_true(imap_list_line_begins(line, &l));
	assert_int_equal(strlen(l.name), 1023);
	snprintf(line, sizeof(line), "* LIST (%0512d \\Sent) \"/\" a", 0);
	assert_true(imap_list_line_begins(line, &l));
	assert_string_equal(l.attributes, "");
	memset(line, 'a', sizeof(line));
	imap_list_line_goes_on(line, 1024, &l);
	assert_string_equal(l.name, "");
}

static void
attributes_are_words(void **state)
{
	struct imap_list_line l = {
	    .attributes = "\\HasNoChildren  \\sentimental \\Drafts"};

	(void)state;
	assert_true(imap_list_line_has(&l, "\\drafts"));
	assert_true(imap_list_line_has(&l, "\\HasNoChildren"));
	assert_false(imap_list_line_has(&l, "\\Sent"));
	assert_false(imap_list_line_has(&l, "Drafts"));
	l.attributes[0] = '\0';
	assert_false(imap_list_line_has(&l, "\\Sent"));
}

/* Lines, and "owner prefix delimiter;" for each namespace; a line that cannot
 * be read to its end has "!" behind what was read. */
static const struct {
	const char *line;
	const char *spaces;
} namespaces[] = {
    {"* NAMESPACE ((\"\" \"/\")) NIL NIL", "0 '' /;"},
    {"* namespace ((\"INBOX.\" \".\")) nil nil", "0 'INBOX.' .;"},
    {"* NAMESPACE ((\"\" NIL)) NIL NIL", "0 '' 0;"},
    {"* NAMESPACE NIL NIL ((\"\" \".\"))", "2 '' .;"},
    {"* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"F\" \"(\"))) "
     "((\"~\" \"/\")) ((\"#shared/\" \"/\") (\"#public/\" \"/\"))",
	"0 '' /;0 '#mh/' /;1 '~' /;2 '#shared/' /;2 '#public/' /;"},
    {"* NAMESPACE ((\"\" \"/\")) NIL", "0 '' /;!"},
    {"* NAMESPACE ((\"\" \"/\" (", "!"},
    {"* NAMESPACE ((\"\" \"/\")", "0 '' /;!"},
    {"* NAMESPACE ((\"a", "!"},
    {"* NAMESPACE ((a \"/\")) NIL NIL", "!"},
    {"* NAMESPACE () NIL NIL", ""},
    {"* NAMESPACE", "!"},
    {"3 OK NAMESPACE", "!"},
};

static void
add_space(
    void *context, enum imap_owner owner, const char *prefix, char delimiter)
{
	char *text = context;
	size_t used = strlen(text);

	snprintf(text + used, 500 - used, "%d '%s' %c;", (int)owner, prefix,
	    delimiter ? delimiter : '0');
}

static void
namespaces_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++) {
		char text[502] = "";
		if (!imap_namespace_read(namespaces[i].line, add_space, text))
			text[strlen(text)] = '!';
		assert_string_equal(text, namespaces[i].spaces);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mailboxes_are_read),
	    cmocka_unit_test(what_is_too_long_is_nobodys),
	    cmocka_unit_test(attributes_are_words),
	    cmocka_unit_test(namespaces_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
