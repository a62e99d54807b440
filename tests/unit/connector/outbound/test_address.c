/* SPDX-License-Identifier: ISC */
#include "outbound/address.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/* The list as "name|mailbox;name|mailbox", or the error text. */
static void
parse(const char *text, char *ret, size_t size)
{
	struct address_list list = ADDRESS_LIST_INIT;
	struct mt_error err;
	size_t n = 0;

	if (address_list_add(&list, text, &err) != MT_OK) {
		assert_int_equal(err.status, MT_BAD_INPUT);
		snprintf(ret, size, "%s", err.text);
	} else {
		for (size_t i = 0; i < list.count; i++)
			n += (size_t)snprintf(ret + n, size - n, "%s%s|%s",
			    i ? ";" : "", list.items[i].name,
			    list.items[i].mailbox);
	}
	address_list_done(&list);
}

static void
addresses_are_taken_apart(void **state)
{
	static const char *const cases[][2] = {
	    {"a@b.example", "|a@b.example"},
	    {"  a@b.example ", "|a@b.example"},
	    {"<a@b.example>", "|a@b.example"},
	    {"A Person <a@b.example>", "A Person|a@b.example"},
	    {"\"Person, A\" <a@b.example>", "Person, A|a@b.example"},
	    {"\"a \\\"b\\\" \\\\\" <a@b.example>", "a \"b\" \\|a@b.example"},
	    {"\"<x@y.example>\" <a@b.example>", "<x@y.example>|a@b.example"},
	    {"Bob \"the man\" <a@b.example>", "Bob the man|a@b.example"},
	    {"J\xc3\xbcrgen <a@b.example>", "J\xc3\xbcrgen|a@b.example"},
	    {"O'Brien (Sales) <o'brien+x@b.example>",
		"O'Brien (Sales)|o'brien+x@b.example"},
	    {"a@b.example,c@d.example", "|a@b.example;|c@d.example"},
	    {"A <a@b.example>, \"B, C\" <c@d.example> ,e@f.example,",
		"A|a@b.example;B, C|c@d.example;|e@f.example"},
	    {"a..b@docomo.example", "|a..b@docomo.example"},
	    {"a@xn--bcher-kva.example", "|a@xn--bcher-kva.example"},
	};
	char got[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parse(cases[i][0], got, sizeof(got));
		assert_string_equal(got, cases[i][1]);
	}
}

static void
what_is_no_address_is_named(void **state)
{
	static const char *const cases[] = {
	    "nobody",
	    "a@",
	    "@b.example",
	    "a@b",
	    "a@b.",
	    "a@.b",
	    "a@b..c",
	    "a b@c.example",
	    "a@b@c.example",
	    "a@[127.0.0.1]",
	    "a<b@c.example",
	    "a@b.example>",
	    "<a@b.example",
	    "<>",
	    "A <>",
	    "A <a@b.example> x",
	    "A <a@b.example> <c@d.example>",
	    "\"A <a@b.example>",
	    "a@b.example; c@d.example",
	    "\"a b\"@c.example",
	    "a@b.example (comment)",
	    " , ",
	    "",
	    "<a@b.example> SIZE=1",
	};
	char got[512], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parse(cases[i], got, sizeof(got));
		snprintf(expected, sizeof(expected),
		    "invalid email address: %s", cases[i]);
		assert_string_equal(got, expected);
	}
}

static void
the_faulty_one_of_several_is_named(void **state)
{
	char got[512];

	(void)state;
	parse("a@b.example,oops,c@d.example", got, sizeof(got));
	assert_string_equal(got, "invalid email address: oops");
}

static void
control_characters_never_pass(void **state)
{
	char text[64], got[512];

	(void)state;
	for (int c = 1; c <= 0x7f; c = c == 0x1f ? 0x7f : c + 1) {
		snprintf(text, sizeof(text), "A%cB <a@b.example>", c);
		parse(text, got, sizeof(got));
		assert_string_equal(
		    got, "invalid email address: A?B <a@b.example>");
		snprintf(text, sizeof(text), "a@b.example%c", c);
		parse(text, got, sizeof(got));
		assert_string_equal(got, "invalid email address: a@b.example?");
	}
}

static void
groups_are_refused_with_their_reason(void **state)
{
	static const char *const cases[][2] = {
	    {"group: a@b.example;", "group: a@b.example;"},
	    {"undisclosed-recipients:;", "undisclosed-recipients:;"},
	    {"Friends: a@b.example, c@d.example;", "Friends: a@b.example"},
	    {"Friends: A <a@b.example>", "Friends: A <a@b.example>"},
	};
	char got[512], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parse(cases[i][0], got, sizeof(got));
		snprintf(expected, sizeof(expected),
		    "invalid email address: %s (name the members of a group "
		    "one by one)",
		    cases[i][1]);
		assert_string_equal(got, expected);
	}
	parse("\"Re: you\" <a@b.example>", got, sizeof(got));
	assert_string_equal(got, "Re: you|a@b.example");
}

static void
domains_in_other_letters_become_those_of_dns(void **state)
{
	static const char *const cases[][2] = {
	    {"a@b\xc3\xbc"
	     "cher.example",
		"|a@xn--bcher-kva.example"},
	    {"A <a@B\xc3\x9c"
	     "CHER.Example>",
		"A|a@xn--bcher-kva.example"},
	    {"a@stra\xc3\x9f"
	     "e.example",
		"|a@xn--strae-oqa.example"},
	    /* the full stop of Japanese */
	    {"a@\xe4\xbe\x8b\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
		"|a@xn--fsq.xn--zckzah"},
	    /* decomposed: a letter and its dots */
	    {"a@bu\xcc\x88"
	     "cher.example",
		"|a@xn--bcher-kva.example"},
	};
	static const char *const wrong[] = {
	    /* a slash, an @, a space that only look like letters */
	    "a@evil.example\xef\xbc\x8f.good.example",
	    "a@b\xef\xbc\xa0"
	    "c.example",
	    "a@b\xc2\xa0"
	    "c.example",
	    "a@\xe2\x80\xae"
	    "b.example",
	};
	char got[512], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parse(cases[i][0], got, sizeof(got));
		assert_string_equal(got, cases[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		parse(wrong[i], got, sizeof(got));
		snprintf(expected, sizeof(expected),
		    "invalid email address: %s", wrong[i]);
		assert_string_equal(got, expected);
	}
}

static void
local_parts_in_other_letters_need_smtputf8(void **state)
{
	struct address_list list = ADDRESS_LIST_INIT;
	char got[512];

	(void)state;
	parse("J <j\xc3\xbcrgen@b\xc3\xbc"
	      "cher.example>",
	    got, sizeof(got));
	assert_string_equal(got, "J|j\xc3\xbcrgen@xn--bcher-kva.example");
	assert_int_equal(
	    address_list_add(
		&list, "j\xc3\xbcrgen@b.example, j@b\xc3\xbc.example", NULL),
	    MT_OK);
	assert_true(address_needs_smtputf8(&list.items[0]));
	assert_false(address_needs_smtputf8(&list.items[1]));
	address_list_done(&list);
	/* what nobody sees, and what is no UTF-8 */
	parse("a\xe2\x80\x8b@b.example", got, sizeof(got));
	assert_string_equal(
	    got, "invalid email address: a\xe2\x80\x8b@b.example");
	parse("a\xe3\x80\x80@b.example", got, sizeof(got));
	assert_non_null(strstr(got, "invalid email address"));
	parse("a\xfc@b.example", got, sizeof(got));
	assert_string_equal(got, "invalid email address: a?@b.example");
}

static void
sizes_are_limited(void **state)
{
	struct address_list list = ADDRESS_LIST_INIT;
	struct mt_error err;
	struct buf b = BUF_INIT(65536);

	(void)state;
	buf_add_format(&b, "%0242d@example.com", 0); /* 254 bytes */
	assert_int_equal(address_list_add(&list, b.data, &err), MT_OK);
	buf_reset(&b);
	buf_add_format(&b, "%0243d@example.com", 0);
	assert_int_equal(address_list_add(&list, b.data, &err), MT_BAD_INPUT);
	buf_reset(&b);
	buf_add_format(&b, "%0257d <a@b.example>", 0);
	assert_int_equal(address_list_add(&list, b.data, &err), MT_BAD_INPUT);
	assert_string_equal(
	    err.text, "the name before <a@b.example> is longer than 256 bytes");
	buf_reset(&b);
	for (int i = 0; i < 500; i++)
		buf_add_text(&b, "a@b.example,");
	assert_int_equal(address_list_add(&list, b.data, &err), MT_BAD_INPUT);
	assert_string_equal(err.text, "more than 500 addresses in one field");
	address_list_done(&list);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_taken_apart),
	    cmocka_unit_test(what_is_no_address_is_named),
	    cmocka_unit_test(the_faulty_one_of_several_is_named),
	    cmocka_unit_test(control_characters_never_pass),
	    cmocka_unit_test(groups_are_refused_with_their_reason),
	    cmocka_unit_test(domains_in_other_letters_become_those_of_dns),
	    cmocka_unit_test(local_parts_in_other_letters_need_smtputf8),
	    cmocka_unit_test(sizes_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
