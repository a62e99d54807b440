/* SPDX-License-Identifier: ISC */
#include "mail/smtp_reply.h"

#include "unit/cmocka_headers.h"

#include <string.h>

/* Lines with LF between; the reply they make, or code 0 if they make none. */
static const struct {
	const char *lines;
	int code;
	const char *text;
} replies[] = {
    {"220 ready", 220, "ready"},
    {"250", 250, ""},
    {"250-a\n250-b\n250 c", 250, "a\nb\nc"},
    {"250-a\n250", 250, "a\n"},
    {"334 ", 334, ""},
    {"250-a\n251 b", 0, ""},
    {"25 a", 0, ""},
    {"2500 a", 0, ""},
    {"250_a", 0, ""},
    {"999 a", 0, ""},
    {"150 a", 0, ""},
    {"-25 a", 0, ""},
    {"hello", 0, ""},
    {"", 0, ""},
};

static bool
read_reply(struct smtp_reply *reply, const char *lines)
{
	char copy[200], *rest = copy, *line;
	bool more = true;

	assert_true(strlen(lines) < sizeof(copy));
	memcpy(copy, lines, strlen(lines) + 1);
	while (more && (line = strsep(&rest, "\n")))
		if (!smtp_reply_add(reply, line, &more))
			return false;
	return !more;
}

static void
reply_is_put_together_from_its_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		struct smtp_reply reply = SMTP_REPLY_INIT;
		bool good = read_reply(&reply, replies[i].lines);
		if (good != (replies[i].code != 0))
			fail_msg("%s", replies[i].lines);
		if (good) {
			assert_int_equal(reply.code, replies[i].code);
			assert_string_equal(
			    buf_text(&reply.text), replies[i].text);
		}
		smtp_reply_done(&reply);
	}
}

static void
endless_reply_ends(void **state)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;
	bool more = true, good = true;
	int lines = 0;

	(void)state;
	for (; good && lines < 10000; lines++)
		good = smtp_reply_add(&reply, "250-0123456789", &more);
	assert_false(good);
	assert_true(lines < 4000);
	smtp_reply_done(&reply);
}

static const struct {
	const char *text;
	bool starttls, size;
	const char *mechanisms;
} extensions[] = {
    {"host greets\nSTARTTLS\nSIZE 1000\nAUTH PLAIN LOGIN", true, true,
	"PLAIN LOGIN"},
    {"host\nstarttls\nauth XOAUTH2 \nSIZE", true, true, "XOAUTH2"},
    {"host\nAUTH=LOGIN PLAIN\nAUTH LOGIN PLAIN XOAUTH2", false, false,
	"LOGIN PLAIN LOGIN PLAIN XOAUTH2"},
    {"host\nAUTH\nAUTH \nSTARTTLSX\nXSTARTTLS\nSIZEX", false, false, ""},
    {"STARTTLS", false, false, ""}, /* the first line is a greeting */
    {"", false, false, ""},
};

static void
what_a_server_can_send_is_read_from_its_reply_to_ehlo(void **state)
{
	static const struct {
		const char *text;
		size_t size_max;
		bool smtputf8, dsn;
	} cases[] = {
	    {"host\nSIZE 1000\nSMTPUTF8\nDSN", 1000, true, true},
	    {"host\nsize 0\nsmtputf8 \ndsn", 0, true, true},
	    {"host\nSIZE\nSMTPUTF\nDSNX", 0, false, false},
	    {"host\nSIZE 10x\nXDSN\nXSMTPUTF8", 0, false, false},
	    {"host\nSIZE 99999999999999999999999", 0, false, false},
	    {"host\nSIZE -1", 0, false, false},
	    {"SMTPUTF8\nSIZE 35882577 ", 35882577, false, false},
	};
	struct smtp_extensions e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		smtp_extensions_parse(cases[i].text, &e);
		assert_int_equal(e.size_max, cases[i].size_max);
		assert_int_equal(e.smtputf8, cases[i].smtputf8);
		assert_int_equal(e.dsn, cases[i].dsn);
	}
}

static void
extensions_are_read_from_a_reply_to_ehlo(void **state)
{
	struct smtp_extensions e;

	(void)state;
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		smtp_extensions_parse(extensions[i].text, &e);
		assert_int_equal(e.starttls, extensions[i].starttls);
		assert_int_equal(e.size, extensions[i].size);
		assert_string_equal(e.mechanisms, extensions[i].mechanisms);
	}
}

static void
endless_mechanisms_do_not_overflow(void **state)
{
	char text[2000] = "host\nAUTH ";
	struct smtp_extensions e;

	(void)state;
	memset(text + strlen(text), 'M', sizeof(text) - strlen(text) - 1);
	smtp_extensions_parse(text, &e);
	assert_true(strlen(e.mechanisms) < sizeof(e.mechanisms));
}

static const struct {
	const char *line;
	enum mt_status status;
	bool rejected;
	const char *says;
} refusals[] = {
    {"535 5.7.8 Authentication failed", MT_NEEDS_LOGIN, true, "5.7.8"},
    {"535 5.7.3 Authentication unsuccessful", MT_NEEDS_LOGIN, true, ""},
    {"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is "
     "disabled for the Tenant.",
	MT_NEEDS_ADMIN, false, "Set-CASMailbox"},
    {"535 5.7.139 Authentication unsuccessful, the user credentials were "
     "incorrect.",
	MT_NEEDS_LOGIN, true, "incorrect"},
    {"534 5.7.9 Application-specific password required", MT_NEEDS_LOGIN, true,
	""},
    {"501 5.5.127 Token will expire soon", MT_NEEDS_LOGIN, true, "longer"},
    {"554 5.7.0 Policy", MT_NEEDS_LOGIN, true, ""},
    {"454 4.7.0 Temporary authentication failure", MT_RETRY_LATER, false, ""},
    {"421 4.3.0 Too busy", MT_RETRY_LATER, false, ""},
    {"432 4.7.12 Change your password", MT_NEEDS_LOGIN, false, ""},
    {"538 5.7.11 Encryption required", MT_BAD_CONFIG, false, ""},
    {"504 5.5.4 Unrecognized mechanism", MT_BAD_CONFIG, false, ""},
    {"500 5.5.2 Line too long", MT_BAD_CONFIG, false, ""},
};

static void
refusal_says_what_to_do_next(void **state)
{
	struct auth_reply refusal;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct smtp_reply reply = SMTP_REPLY_INIT;
		assert_true(read_reply(&reply, refusals[i].line));
		smtp_reply_refusal(&reply, &refusal);
		assert_int_equal(refusal.kind, AUTH_REFUSED);
		if (refusal.status != refusals[i].status ||
		    refusal.rejected != refusals[i].rejected ||
		    !strstr(refusal.text, refusals[i].says))
			fail_msg("%s: %d, %d, %s", refusals[i].line,
			    (int)refusal.status, refusal.rejected,
			    refusal.text);
		smtp_reply_done(&reply);
	}
}

static void
text_is_made_fit_for_one_line(void **state)
{
	char text[16];

	(void)state;
	smtp_flatten("a\nb\x1b\tc\n", text, sizeof(text));
	assert_string_equal(text, "a b??c");
	smtp_flatten("0123456789abcdefghij", text, sizeof(text));
	assert_string_equal(text, "0123456789abcde");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reply_is_put_together_from_its_lines),
	    cmocka_unit_test(endless_reply_ends),
	    cmocka_unit_test(extensions_are_read_from_a_reply_to_ehlo),
	    cmocka_unit_test(
		what_a_server_can_send_is_read_from_its_reply_to_ehlo),
	    cmocka_unit_test(endless_mechanisms_do_not_overflow),
	    cmocka_unit_test(refusal_says_what_to_do_next),
	    cmocka_unit_test(text_is_made_fit_for_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
