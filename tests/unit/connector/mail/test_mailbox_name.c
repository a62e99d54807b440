/* SPDX-License-Identifier: ISC */
#include "mail/mailbox_name.h"

#include "unit/cmocka_headers.h"

#include <string.h>

/* What a person writes, and the wire; the examples of RFC 3501 first. */
static const struct {
	const char *utf8, *wire;
} names[] = {
    {"~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e",
	"~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
    {"INBOX", "INBOX"},
    {"R&D", "R&-D"},
    {"&", "&-"},
    {"&&", "&-&-"},
    {"&-", "&--"},
    {"Gesendete Objekte", "Gesendete Objekte"},
    {"Entw\u00fcrfe", "Entw&APw-rfe"},
    {"\u00e9t\u00e9", "&AOk-t&AOk-"},
    {"\u00e9&\u00e9", "&AOk-&-&AOk-"},
    {"\U0001f4e7", "&2D3c5w-"},
    {"a\U0010ffff\uffff", "a&2,,f,,,,-"},
    {"\xef\xbf\xbf", "&,,8-"},
};

static void
names_are_encoded_and_decoded(void **state)
{
	struct buf wire = BUF_INIT(1000), utf8 = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_reset(&wire);
		buf_reset(&utf8);
		assert_true(mailbox_name_decode(&utf8, names[i].wire));
		assert_string_equal(buf_text(&utf8), names[i].utf8);
		if (strcmp(names[i].utf8, "&-") == 0)
			continue; /* is taken for the name "&" */
		assert_true(mailbox_name_encode(&wire, names[i].utf8));
		assert_string_equal(buf_text(&wire), names[i].wire);
	}
	buf_done(&wire);
	buf_done(&utf8);
}

/* A name as the server's list shows it stands as it is. */
static void
encoded_names_stay(void **state)
{
	static const char *const wires[] = {
	    "&AOk-t&AOk-", "R&-D", "&2D3c5w-", "&-"};
	struct buf wire = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
		buf_reset(&wire);
		assert_true(mailbox_name_encode(&wire, wires[i]));
		assert_string_equal(buf_text(&wire), wires[i]);
	}
	buf_done(&wire);
}

static void
what_is_nobodys_encoding_is_refused(void **state)
{
	static const char *const wires[] = {
	    "&",           /* no end */
	    "&AOk",        /* no end */
	    "&AOk/",       /* no such digit */
	    "&AOk\xc3-",   /* nor this one */
	    "\xc3\xa9",    /* 8 bits */
	    "a\tb",        /* a control character */
	    "&AGE-",       /* "a" stands for itself */
	    "&AOl-x&-&A-", /* half a character */
	    "&AOn-",       /* spare bits that are not 0 */
	    "&AOkA-",      /* a whole digit too much */
	    "&AAA-",       /* a NUL */
	    "&2D0-",       /* half a pair */
	    "&3Oc-",       /* the other half */
	    "&2D3YPQ-",    /* two first halves */
	    "&AOk-&AOk-",  /* could be one sequence */
	};
	struct buf utf8 = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++)
		if (mailbox_name_decode(&utf8, wires[i]))
			fail_msg("%s: %s", wires[i], buf_text(&utf8));
	assert_int_equal(utf8.len, 0);
	buf_done(&utf8);
}

static void
what_is_no_utf_8_is_refused(void **state)
{
	static const char *const bad[] = {
	    "\xe9t\xe9", "a\xc3", "\xed\xa0\x80", "\xc0\x80"};
	struct buf wire = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(mailbox_name_encode(&wire, bad[i]));
	assert_int_equal(wire.len, 0);
	buf_done(&wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_encoded_and_decoded),
	    cmocka_unit_test(encoded_names_stay),
	    cmocka_unit_test(what_is_nobodys_encoding_is_refused),
	    cmocka_unit_test(what_is_no_utf_8_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
