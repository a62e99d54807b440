/* SPDX-License-Identifier: ISC */
/* Bounces and calendar messages, summed up. */
#include "mime/mime_summary.h"

#include "base/buf.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/mime/extract_message.h"
#include "unit/connector/scratch.h"

#include <stdlib.h>
#include <string.h>

#define R "\xef\xbf\xbd"

#define BOUNCE                                                                 \
	"Content-Type: multipart/report; boundary=M\r\n\r\n"                   \
	"\r\n--M\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--M\r\n"          \
	"Content-Type: message/delivery-status\r\n\r\n"
#define RETURNED                                                               \
	"\r\n--M\r\nContent-Type: message/rfc822\r\n\r\n"                      \
	"Subject: x\r\nmessage-id: <1@x>\r\n\r\nMessage-ID: <2@x>"
#define HEADERS                                                                \
	"\r\n--M\r\nContent-Type: text/rfc822-headers\r\n\r\n"                 \
	"Message-ID:\r\n <3@x>\r\n"
#define END "\r\n--M--\r\n"
#define MTA "Reporting-MTA: dns; x\r\n\r\n"

#define CALENDAR "Content-Type: text/calendar; charset=utf-8\r\n\r\n"
#define REQUEST "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
#define EVENT "BEGIN:VEVENT\r\n"
#define OVER "END:VEVENT\r\nEND:VCALENDAR\r\n"

/* A head's texts, then each row's on a line of its own, with '|' between. */
static const struct {
	const char *name;
	enum mime_summary_kind kind;
	const char *raw;
	const char *wanted;  /* NULL: it is no such message */
	const char *defects; /* in lines */
} cases[] = {
    {"failed", MIME_BOUNCE,
	BOUNCE MTA "Original-Recipient: rfc822;a@b.c\r\n"
		   "Final-Recipient: RFC822; <d@e.f>\r\nAction: failed\r\n"
		   "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n\tsuch "
		   "user\r\n" RETURNED END,
	"failed|<1@x>\nd@e.f|failed|5.1.1|550 no such user", ""},
    {"header returned", MIME_BOUNCE,
	BOUNCE MTA
	"Final-Recipient: rfc822;a@b\r\nAction: relayed\r\n" HEADERS END,
	"relayed|<3@x>\na@b|relayed||", ""},
    {"id in a field of its own", MIME_BOUNCE,
	BOUNCE "Original-Message-ID: <4@x>\r\n" MTA
	       "Final-Recipient: rfc822;a@b\r\nAction: Delivered\r\n" END,
	"delivered|<4@x>\na@b|delivered||", ""},
    {"worst of several", MIME_BOUNCE,
	BOUNCE MTA "Final-Recipient: rfc822;a@b\nAction: expanded\n\n"
		   "Final-Recipient: rfc822;c@d\nAction: delayed\n"
		   "Status: 4.4.7 (late)\n\n"
		   "Final-Recipient: rfc822;e@f\nAction: delivered\n" END,
	"delayed|\na@b|expanded||\nc@d|delayed|4.4.7|\ne@f|delivered||", ""},
    {"action missing", MIME_BOUNCE,
	BOUNCE MTA "Final-Recipient: rfc822;a@b\r\nStatus: 5.0.0\r\n" END,
	"failed|\na@b||5.0.0|", ""},
    {"action unknown", MIME_BOUNCE,
	BOUNCE MTA "Final-Recipient: rfc822;a@b\r\nAction: eaten\r\n"
		   "Status: no\r\n" END,
	"unknown|\na@b|eaten||", ""},
    {"status alone", MIME_BOUNCE,
	"Content-Type: message/delivery-status\r\n\r\n" MTA
	"Final-Recipient: x\r\nAction: failed\r\n",
	"failed|\nx|failed||", ""},
    {"nothing in it", MIME_BOUNCE, BOUNCE "\r\n\r\nfoo\r\n" END, "unknown|",
	""},
    {"controls", MIME_BOUNCE,
	BOUNCE MTA "Final-Recipient: rfc822;a\x1b@b\r\nAction: failed\r\n"
		   "Diagnostic-Code: \xff\r\n" END,
	"failed|\na" R "@b|failed||\xc3\xbf", ""},
    {"returned message before the status", MIME_BOUNCE,
	"Content-Type: multipart/mixed; boundary=M\r\n\r\n" RETURNED
	"\r\n--M\r\nContent-Type: message/delivery-status\r\n\r\n" MTA END,
	"unknown|", ""},
    {"no bounce", MIME_BOUNCE,
	"Content-Type: multipart/report; boundary=M\r\n\r\n" RETURNED END, NULL,
	""},

    {"request", MIME_CALENDAR,
	CALENDAR REQUEST EVENT
	"UID:1@x\r\nSEQUENCE:3\r\nSUMMARY:a\\, b\\nc\r\nLOCATION:here\r\n"
	"STATUS:CONFIRMED\r\nDTSTART:20261124T100000Z\r\n"
	"DTEND:20261124T113000Z\r\nORGANIZER;CN=Ann:MAILTO:ann@x\r\n"
	"ATTENDEE;PARTSTAT=DECLINED;CN=\"B, C\":mailto:b\r\n @x\r\n"
	"ATTENDEE:urn:uuid:1\r\n" OVER,
	"REQUEST|event|1@x|3|a, b c|here|CONFIRMED|2026-11-24T10:00:00Z||"
	"2026-11-24T11:30:00Z|||ann@x\nb@x|B, C|DECLINED\n"
	"urn:uuid:1||NEEDS-ACTION",
	""},
    {"zone stays a name", MIME_CALENDAR,
	CALENDAR REQUEST "BEGIN:VTIMEZONE\r\nTZID:Z\r\nBEGIN:STANDARD\r\n"
			 "DTSTART:16010101T000000\r\nRRULE:FREQ=SECONDLY\r\n"
			 "END:STANDARD\r\nEND:VTIMEZONE\r\n" EVENT
			 "DTSTART;TZID=\"Z\":20260101T000000\r\n"
			 "DURATION:P1DT1H\r\n"
			 "RECURRENCE-ID;TZID=Z:20260102T000000\r\n" OVER,
	"REQUEST|event||0||||2026-01-01T00:00:00|Z|2026-01-02T01:00:00|Z|"
	"2026-01-02T00:00:00|",
	""},
    {"whole days", MIME_CALENDAR,
	CALENDAR REQUEST EVENT "DTSTART;VALUE=DATE:20260228\r\nDTEND;VALUE="
			       "DATE:20260301\r\n" OVER,
	"REQUEST|event||0||||2026-02-28||2026-03-01|||", ""},
    {"first component counts, and what is deeper does not", MIME_CALENDAR,
	CALENDAR REQUEST EVENT "BEGIN:VALARM\r\nUID:2\r\nEND:VALARM\r\n"
			       "UID:1\r\nUID:3\r\nEND:VEVENT\r\n" EVENT
			       "UID:4\r\n" OVER,
	"REQUEST|event|1|0|||||||||", ""},
    {"values of other kinds", MIME_CALENDAR,
	CALENDAR REQUEST EVENT
	"SUMMARY;VALUE=INTEGER:5\r\nUID;VALUE=DATE-TIME:20260101T000000\r\n"
	"SEQUENCE;VALUE=TEXT:x\r\nDTSTART;VALUE=TEXT:x\r\n"
	"DTEND;VALUE=PERIOD:20260101T000000Z/PT1H\r\n"
	"DURATION;VALUE=INTEGER:1\r\nORGANIZER;VALUE=INTEGER:1\r\n"
	"ATTENDEE;VALUE=BOOLEAN:TRUE\r\n" OVER,
	"REQUEST|event|20260101T000000|0|5||||||||1\nTRUE||NEEDS-ACTION", ""},
    {"values that are none", MIME_CALENDAR,
	CALENDAR REQUEST EVENT
	"SEQUENCE:-7\r\nDTSTART:99999999T999999\r\nDTEND:x\r\n"
	"DURATION:P99999999999W\r\nATTENDEE;PARTSTAT=:x\r\n" OVER,
	"REQUEST|event||0|||||||||\nx||NEEDS-ACTION", ""},
    {"to-do", MIME_CALENDAR,
	CALENDAR "BEGIN:VCALENDAR\nMETHOD:cancel\nBEGIN:VTODO\nUID:1\n"
		 "DUE:20260101T000000Z\nEND:VTODO\nEND:VCALENDAR\n",
	"CANCEL|todo|1|0||||||2026-01-01T00:00:00Z|||", NULL},
    {"cut off", MIME_CALENDAR, CALENDAR REQUEST EVENT "UID:1\r\nSUMM",
	"REQUEST|event|1|0|||||||||", ""},
    {"in another charset", MIME_CALENDAR,
	"Content-Type: text/calendar; charset=iso-8859-1\r\n\r\n" REQUEST EVENT
	"SUMMARY:caf\xe9\r\n" OVER,
	"REQUEST|event||0|caf\xc3\xa9||||||||", ""},
    {"control characters", MIME_CALENDAR,
	CALENDAR REQUEST EVENT "UID:1\r\nSUMMARY:a\x1b"
			       "b\r\n" OVER,
	"REQUEST|event|1|0|||||||||",
	"a calendar has a line that is too long or has control characters; it "
	"is not in the summary"},
    {"second calendar does not count", MIME_CALENDAR,
	"Content-Type: multipart/mixed; boundary=M\r\n\r\n\r\n--M\r\n" CALENDAR
	"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n--M\r\n" CALENDAR REQUEST EVENT
	"UID:1\r\n" OVER "\r\n--M\r\n" CALENDAR REQUEST EVENT
	"UID:2\r\n" OVER END,
	"REQUEST|event|1|0|||||||||", ""},
    {"no method", MIME_CALENDAR,
	CALENDAR "BEGIN:VCALENDAR\r\n" EVENT "UID:1\r\n" OVER, NULL, ""},
    {"no component", MIME_CALENDAR, CALENDAR REQUEST "END:VCALENDAR\r\n", NULL,
	""},
    {"no calendar", MIME_CALENDAR, CALENDAR "END:VEVENT\r\n\r\n:\r\n;", NULL,
	""},
};

static void
add_row(struct buf *b, const struct mime_summary_row *row)
{
	for (size_t i = 0; i < MIME_SUMMARY_TEXTS_MAX && row->texts[i]; i++)
		buf_add_format(b, "%s%s", i ? "|" : "", row->texts[i]);
}

static void
check(size_t i, const struct mime_message *m)
{
	const struct mime_summary *s = &m->summaries[cases[i].kind];
	struct buf text = BUF_INIT(100000), defects = BUF_INIT(100000);

	if (s->head)
		add_row(&text, s->head);
	for (size_t j = 0; j < s->row_count; j++) {
		buf_add_char(&text, '\n');
		add_row(&text, &s->rows[j]);
	}
	for (size_t j = 0; j < m->defect_count; j++)
		buf_add_format(&defects, "%s%s", j ? "\n" : "", m->defects[j]);
	if ((s->head != NULL) != (cases[i].wanted != NULL) ||
	    (s->head && strcmp(buf_text(&text), cases[i].wanted) != 0))
		fail_msg("%s: \"%s\", not \"%s\"", cases[i].name,
		    buf_text(&text), cases[i].wanted);
	if (cases[i].defects &&
	    strcmp(buf_text(&defects), cases[i].defects) != 0)
		fail_msg("%s: %s", cases[i].name, buf_text(&defects));
	buf_done(&text);
	buf_done(&defects);
}

static void
messages_of_programs_are_summed_up(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mime_message m = extract_message(*state, cases[i].raw,
		    strlen(cases[i].raw), &mime_limits_default);

		check(i, &m);
		for (size_t j = 0; j < m.attachment_count; j++)
			scratch_remove(*state, m.attachments[j].file_name);
		mime_message_done(&m);
	}
}

static void
rows_are_bounded_and_told(void **state)
{
	struct buf raw = BUF_INIT(1000000);
	struct mime_message m;

	buf_add_text(&raw, "Content-Type: multipart/mixed; boundary=M\r\n\r\n"
			   "\r\n--M\r\n" CALENDAR REQUEST EVENT);
	for (int i = 0; i < 2000; i++)
		buf_add_format(&raw, "ATTENDEE:mailto:%d@x\r\n", i);
	buf_add_text(&raw,
	    OVER "\r\n--M\r\nContent-Type: message/delivery-status\r\n\r\n");
	for (int i = 0; i < 2000; i++)
		buf_add_format(&raw, "\r\nFinal-Recipient: %d@x\r\n", i);
	buf_add_text(&raw, END);
	m = extract_message(*state, raw.data, raw.len, &mime_limits_default);
	assert_int_equal(m.summaries[MIME_CALENDAR].row_count, 1000);
	assert_int_equal(m.summaries[MIME_BOUNCE].row_count, 1000);
	assert_int_equal(m.defect_count, 2);
	assert_int_equal(m.summaries[MIME_CALENDAR].attachment, 1);
	mime_message_done(&m);
	buf_done(&raw);
}

static void
long_texts_are_cut(void **state)
{
	struct buf raw = BUF_INIT(1000000);
	struct mime_message m;

	buf_add_text(&raw, CALENDAR REQUEST EVENT "SUMMARY:x");
	for (int i = 0; i < 600; i++)
		buf_add_text(&raw, "\xc3\xa9");
	buf_add_text(&raw, "\r\n" OVER);
	m = extract_message(*state, raw.data, raw.len, &mime_limits_default);
	assert_int_equal(
	    strlen(
		m.summaries[MIME_CALENDAR].head->texts[MIME_CALENDAR_SUMMARY]),
	    999);
	mime_message_done(&m);
	buf_done(&raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	    TEST(messages_of_programs_are_summed_up),
	    TEST(rows_are_bounded_and_told),
	    TEST(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, extract_setup, NULL);
}
