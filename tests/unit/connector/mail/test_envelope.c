/* SPDX-License-Identifier: ISC */
#include "mail/envelope.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS                                                                   \
	"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"                            \
	"Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"                     \
	"To: Bob <bob@example.test>, carol@example.test\r\n"                   \
	"Cc: dave@example.test\r\n\r\n"

/* What a server may have made of a message, and whether it is that. */
static const struct {
	const char *header;
	bool same;
} cases[] = {
    {OURS, true},
    /* another zone, charset, folding, order, case, names, Bcc */
    {"To: carol@example.test, dave@example.test,\r\n"
     "\t=?utf-8?q?B=C3=B6b?= <BOB@Example.Test>\r\n"
     "Bcc: erin@example.test\r\n"
     "SUBJECT : \r\n =?iso-8859-1?B?R3L832U=?=\r\n  =?iso-8859-1?Q?_an?=\r\n"
     "   alle\r\nDate: 21 Sep 2026 16:13:20 +0200 (CEST)\r\n",
	true},
    {"Date: Mon, 21 Sep 2026 09:43:20 -0430\n"
     "Subject: Gr\u00fc\u00dfe an alle\n"
     "Cc: carol@example.test, dave@example.test, bob@example.test\n"
     "To: friends: bob@example.test;, dave@example.test\n",
	true},
    /* one of the three differs */
    {"Date: Mon, 21 Sep 2026 14:13:21 +0000\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test\r\n",
	false},
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
     "Subject: Re: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test\r\n",
	false},
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test\r\n",
	false},
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test,\r\n"
     " erin@example.test\r\n",
	false},
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, erin@example.test\r\n",
	false},
    /* what cannot be read is nothing, not less */
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test; "
     "erin@example.test\r\n",
	false},
    {"Date: yesterday\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test\r\n",
	false},
    {"Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test\r\n",
	false},
    /* what stands in the body counts for nothing */
    {"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\n"
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?= alle\r\n"
     "To: bob@example.test, carol@example.test, dave@example.test\r\n",
	false},
    {"", false},
    {"\r\n", false},
    {"no field at all", false},
    {" : \r\n:\r\n", false},
};

static struct envelope
parse(const char *header)
{
	struct envelope envelope = ENVELOPE_INIT;

	assert_true(envelope_parse(&envelope, header, strlen(header)));
	return envelope;
}

static void
a_message_is_known_again_by_three_things(void **state)
{
	struct envelope ours = parse(OURS);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct envelope other = parse(cases[i].header);
		if (envelope_same(&ours, &other) != cases[i].same ||
		    envelope_same(&other, &ours) != cases[i].same)
			fail_msg("case %zu: %lld '%s', %zu recipients", i,
			    (long long)other.date, other.subject,
			    other.recipient_count);
		envelope_done(&other);
	}
	envelope_done(&ours);
}

static void
nothing_is_the_same_as_nothing(void **state)
{
	struct envelope a = parse("Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
				  "Subject: a\r\n");

	(void)state;
	assert_false(envelope_same(&a, &a)); /* to whom? */
	envelope_done(&a);
	a = parse("Subject: a\r\nTo: bob@example.test\r\n");
	assert_false(envelope_same(&a, &a)); /* when? */
	envelope_done(&a);
}

static void
fields_are_read(void **state)
{
	struct envelope e =
	    parse("Message-ID:\r\n <1@example.test>\r\n"
		  "Subject: \t a \r\n b\t\tc \r\n"
		  "Subject: second\r\nMessage-ID: <2@example.test>\r\n"
		  "To: b@x.test, A@x.test\r\nTo: b@x.test\r\n");

	(void)state;
	assert_string_equal(e.message_id, "<1@example.test>");
	assert_string_equal(e.subject, "a b c");
	assert_false(e.has_date);
	assert_int_equal(e.recipient_count, 2);
	assert_string_equal(e.recipients[0], "a@x.test");
	assert_string_equal(e.recipients[1], "b@x.test");
	envelope_done(&e);
}

static void
large_headers_are_read(void **state)
{
	size_t size = 4 << 20, len;
	char *header = malloc(size);
	struct envelope e;

	(void)state;
	assert_non_null(header);
	len = (size_t)snprintf(header, size, "To: ");
	for (int i = 0; i < 5000; i++)
		len += (size_t)snprintf(header + len, size - len,
		    "%sr%d@example.test", i ? ",\r\n " : "", i);
	snprintf(header + len, size - len, "\r\n\r\n");
	e = parse(header);
	assert_int_equal(e.recipient_count, 5000);
	envelope_done(&e);
	/* beyond all measure: none is known, not some */
	memset(header + len, ' ', 300000);
	snprintf(header + len + 300000, size - len - 300000, "\r\n\r\n");
	e = parse(header);
	assert_int_equal(e.recipient_count, 0);
	envelope_done(&e);
	free(header);
}

struct nested {
	const char *header;
	struct envelope envelope;
	bool parsed;
};

/* No asserts: cmocka knows one thread. */
static void *
parse_nested(void *context)
{
	struct nested *n = context;

	n->parsed = envelope_parse(&n->envelope, n->header, strlen(n->header));
	return NULL;
}

/* In a thread, whose stack is small. */
static void
check_nested(struct nested *nested)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 262144);
	assert_int_equal(
	    pthread_create(&thread, &attributes, parse_nested, nested), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	assert_true(nested->parsed);
	assert_false(nested->envelope.has_date);
	assert_int_equal(nested->envelope.recipient_count, 0);
	envelope_done(&nested->envelope);
}

static void
comments_in_comments_take_no_stack(void **state)
{
	static const char *const opening[] = {"(", "(\\)", "(\\\\)(", "\"(\"("};
	static const char *const names[] = {"To", "Cc", "Date"};
	size_t size = 250000, len;
	char *header = malloc(size + 1);

	(void)state;
	assert_non_null(header);
	for (size_t i = 0; i < 4 * 3; i++) {
		struct nested nested = {.header = header};
		len = (size_t)snprintf(header, size, "%s: ", names[i / 4]);
		while (len + 8 < size)
			len += (size_t)snprintf(
			    header + len, size - len, "%s", opening[i % 4]);
		snprintf(header + len, size - len, "\r\n\r\n");
		check_nested(&nested);
	}
	free(header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_is_known_again_by_three_things),
	    cmocka_unit_test(nothing_is_the_same_as_nothing),
	    cmocka_unit_test(fields_are_read),
	    cmocka_unit_test(large_headers_are_read),
	    cmocka_unit_test(comments_in_comments_take_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
