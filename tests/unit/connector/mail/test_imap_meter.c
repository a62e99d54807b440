/* SPDX-License-Identifier: ISC */
#include "mail/imap_meter.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define PROTOCOL 4096
#define MESSAGE 100

static const struct {
	const char *name, *bytes, *wrong; /* NULL: nothing is */
} cases[] = {
    {"lines", "* OK Hello\r\n1 OK Done\r\n", NULL},
    {"message", "* 1 FETCH (UID 7 BODY[] {5}\r\n((((()\r\n1 OK\r\n", NULL},
    {"message in lower case", "* 1 fetch (body[] {3}\r\n(((\r\n", NULL},
    {"empty message", "* 1 FETCH (BODY[] {0}\r\n UID 7)\r\n", NULL},
    {"string before a message",
	"* 1 FETCH (INTERNALDATE \"1-Jan\" BODY[] {2}\r\n()\r\n", NULL},
    {"largest message", "* 1 FETCH (BODY[] {100}\r\n", NULL},
    {"message too large", "* 1 FETCH (BODY[] {101}\r\n", "larger"},
    {"size of 17 digits", "* 1 FETCH (BODY[] {99999999999999999}\r\n",
	"larger"},
    {"size of 19 digits", "* 1 FETCH (BODY[] {1000000000000000000}\r\n",
	"larger"},
    {"size that would wrap in 64 bits",
	"* 1 FETCH (BODY[] {18446744073709551617}\r\n", "larger"},
    {"size that would wrap in 32 bits", "* 1 FETCH (BODY[] {4294967297}\r\n",
	"larger"},
    {"text with something like a literal", "* OK BODY[] {5000}\r\n", NULL},
    {"string over two lines", "* 1 FETCH (FLAGS \"a\r\n", "beyond its line"},
    {"lone quotation mark in a text", "* OK it's 5\" wide\r\n", NULL},
    {"escaped quotation mark",
	"* 1 FETCH (X \"a\\\" BODY[] {101}\\\\\" UID 1)\r\n", NULL},
    {"32 levels", "* X ((((((((((((((((((((((((((((((((\r\n", NULL},
    {"33 levels", "* X (((((((((((((((((((((((((((((((((\r\n", "deeply"},
    {"33 levels in a FETCH",
	"* 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((((((((\r\n",
	"deeply"},
    {"literal of another item", "* 1 FETCH (X {4}\r\n", "nobody asked"},
    {"message within something else", "* 1 FETCH (X (BODY[] {4}\r\n",
	"nobody asked"},
    {"size of many digits",
	"* 1 FETCH (BODY[] "
	"{100000000000000000000000000000000000000000000000000000}\r\n",
	"nobody asked"},
    {"part of a message", "* 1 FETCH (BODY[1] {4}\r\n", "nobody asked"},
    {"negative size", "* 1 FETCH (BODY[] {-4}\r\n", "nobody asked"},
    {"33 levels behind a quotation mark in a text",
	"* OK \"(((((((((((((((((((((((((((((((((\r\n", "deeply"},
    {"33 levels behind what only looks like a message",
	"* OK FETCH (BODY[] {40}\r\n(((((((((((((((((((((((((((((((((\r\n",
	"deeply"},
};

/* Whole, and byte by byte: the pieces in which it comes must not matter. */
static const char *
feed(const char *bytes, size_t step)
{
	struct imap_meter meter = {0};
	const char *wrong = NULL;
	size_t len = strlen(bytes);

	imap_meter_begin(&meter, PROTOCOL, MESSAGE);
	for (size_t i = 0; i < len && !wrong; i += step)
		wrong = imap_meter_feed(
		    &meter, bytes + i, len - i < step ? len - i : step);
	return wrong;
}

static void
only_what_is_expected_passes(void **state)
{
	static const size_t steps[] = {1, 3, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++) {
			const char *wrong = feed(cases[i].bytes, steps[j]);
			if (!wrong != !cases[i].wrong ||
			    (wrong && !strstr(wrong, cases[i].wrong)))
				fail_msg("%s: %s", cases[i].name,
				    wrong ? wrong : "nothing wrong");
		}
}

static void
messages_are_not_counted_as_protocol(void **state)
{
	static const char head[] = "* 1 FETCH (BODY[] {100}\r\n";
	struct imap_meter meter = {0};
	char message[100];

	(void)state;
	memset(message, '(', sizeof(message));
	imap_meter_begin(&meter, 100, 100);
	assert_null(imap_meter_feed(&meter, head, sizeof(head) - 1));
	assert_null(imap_meter_feed(&meter, message, sizeof(message)));
	assert_null(imap_meter_feed(&meter, ")\r\n", 3));
	assert_int_equal(meter.protocol_left, 100 - (sizeof(head) - 1) - 3);
}

static void
message_is_refused_where_none_is_expected(void **state)
{
	static const char head[] = "* 1 FETCH (BODY[] {1}\r\n";
	struct imap_meter meter = {0};

	(void)state;
	imap_meter_begin(&meter, 100, 0);
	assert_non_null(imap_meter_feed(&meter, head, sizeof(head) - 1));
}

static void
endless_lines_end(void **state)
{
	struct imap_meter meter = {0};
	const char *wrong = NULL;
	int lines = 0;

	(void)state;
	imap_meter_begin(&meter, 1000, 0);
	for (; !wrong && lines < 1000; lines++)
		wrong = imap_meter_feed(&meter, "* 1 EXISTS\r\n", 12);
	assert_non_null(wrong);
	assert_int_equal(lines, 1000 / 12 + 1);
}

static void
endless_line_ends(void **state)
{
	static char line[100000];
	struct imap_meter meter = {0};

	(void)state;
	memset(line, 'a', sizeof(line));
	imap_meter_begin(&meter, SIZE_MAX, 0);
	assert_null(imap_meter_feed(&meter, line, 65536));
	assert_non_null(imap_meter_feed(&meter, line, 1));
}

static void
next_command_goes_on_within_a_line(void **state)
{
	struct imap_meter meter = {0};

	(void)state;
	imap_meter_begin(&meter, 100, 0);
	assert_null(imap_meter_feed(&meter, "* OK x", 6));
	imap_meter_begin(&meter, 100, 100);
	assert_null(imap_meter_feed(&meter, "* 1 FETCH (BODY[] {5}\r\n", 23));
	assert_int_equal(meter.message_left, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_expected_passes),
	    cmocka_unit_test(messages_are_not_counted_as_protocol),
	    cmocka_unit_test(message_is_refused_where_none_is_expected),
	    cmocka_unit_test(endless_lines_end),
	    cmocka_unit_test(endless_line_ends),
	    cmocka_unit_test(next_command_goes_on_within_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
