/* SPDX-License-Identifier: ISC */
#include "mail/imap_reply.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static const struct {
	const char *line, *tag;
	bool good;
	enum imap_condition condition;
	const char *code, *detail, *text;
} lines[] = {
    {"1 OK Logged in", "1", true, IMAP_OK, "", "", "Logged in"},
    {"1 ok", "1", true, IMAP_OK, "", "", ""},
    {"12 NO [UNAVAILABLE] Later", "12", true, IMAP_NO, "UNAVAILABLE", "] Later",
	"Later"},
    {"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Ready", "*", true, IMAP_OK,
	"CAPABILITY", "IMAP4rev1 AUTH=PLAIN] Ready", "Ready"},
    {"* PREAUTH Hello", "*", true, IMAP_PREAUTH, "", "", "Hello"},
    {"* BYE Too many", "*", true, IMAP_BYE, "", "", "Too many"},
    {"1 BAD [no end", "1", true, IMAP_BAD, "", "", "[no end"},
    {"1 NO [A-CODE-THAT-IS-LONGER-THAN-ANY-OF-THEM] x", "1", true, IMAP_NO, "",
	"] x", "x"},
    {"12 OK wrong tag", "1", false, 0, "", "", ""},
    {"1 OKAY", "1", false, 0, "", "", ""},
    {"1", "1", false, 0, "", "", ""},
    {"", "1", false, 0, "", "", ""},
    {"* CAPABILITY IMAP4rev1", "*", false, 0, "", "", ""},
};

static void
reply_is_taken_apart(void **state)
{
	struct imap_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		bool good =
		    imap_reply_parse(lines[i].line, lines[i].tag, &reply);
		if (good != lines[i].good)
			fail_msg("%s", lines[i].line);
		if (!good)
			continue;
		assert_int_equal(reply.condition, lines[i].condition);
		assert_string_equal(reply.code, lines[i].code);
		assert_string_equal(reply.detail, lines[i].detail);
		assert_string_equal(reply.text, lines[i].text);
	}
}

static const struct {
	const char *words;
	bool starttls, sasl_ir, login_disabled;
	const char *mechanisms;
} capabilities[] = {
    {"IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED", true, true, true, ""},
    {"IMAP4rev1 sasl-ir auth=plain AUTH=XOAUTH2", false, true, false,
	"plain XOAUTH2"},
    {"IMAP4rev1 AUTH=PLAIN] ready AUTH=LOGIN STARTTLS", false, false, false,
	"PLAIN"},
    {"AUTH= AUTH=A XAUTH=B STARTTLSX", false, false, false, "A"},
    {"", false, false, false, ""},
};

static void
capabilities_are_words_up_to_the_bracket(void **state)
{
	struct imap_capabilities c;

	(void)state;
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities);
	     i++) {
		imap_capabilities_parse(capabilities[i].words, &c);
		assert_int_equal(c.starttls, capabilities[i].starttls);
		assert_int_equal(c.sasl_ir, capabilities[i].sasl_ir);
		assert_int_equal(
		    c.login_disabled, capabilities[i].login_disabled);
		assert_string_equal(c.mechanisms, capabilities[i].mechanisms);
	}
}

static void
endless_mechanisms_do_not_overflow(void **state)
{
	struct imap_capabilities c;
	char words[4000] = "";

	(void)state;
	for (size_t used = 0; used + 20 < sizeof(words); used += 13)
		memcpy(words + used, "AUTH=MECH-XY ", 14);
	imap_capabilities_parse(words, &c);
	assert_true(strlen(c.mechanisms) < sizeof(c.mechanisms));
	assert_int_equal(strncmp(c.mechanisms, "MECH-XY MECH-XY", 15), 0);
}

static void
capabilities_are_found_whole_and_in_any_case(void **state)
{
	static const struct {
		const char *words, *name;
		bool has;
	} cases[] = {
	    {"IMAP4rev1 IDLE", "IDLE", true},
	    {"idle", "IDLE", true},
	    {"  MOVE  ", "move", true},
	    {"XIDLE IDLE2", "IDLE", false},
	    {"IMAP4rev1] IDLE", "IDLE", false},
	    {"", "IDLE", false},
	};
	static char words[2 * IMAP_CAPABILITIES_MAX];
	struct imap_capabilities c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    imap_capabilities_have(cases[i].words, cases[i].name),
		    cases[i].has);
	for (size_t used = 0; used + 6 < sizeof(words); used += 5)
		memcpy(words + used, "WORD ", 6);
	imap_capabilities_parse(words, &c);
	assert_true(strlen(c.words) < sizeof(c.words));
	assert_true(imap_capabilities_have(c.words, "WORD"));
}

/* Lines in turn, and whether the next belongs to the response: how many bytes
 * of it are the literal's, -1 if it does not, -2 if it cannot be. */
static void
responses_go_on_behind_a_literal(void **state)
{
	static const struct {
		const char *line;
		long bytes;
	} turns[] = {
	    {"* LIST () \".\" {5}", 5},
	    {"a{9}b {3}", 3},
	    {"abc", -1},
	    {"* STATUS {0}", 0},
	    {"x", -1},
	    {"* OK text {5}", -1},
	    {"* BYE {5}", -1},
	    {"1 OK {5}", -1},
	    {"+ {5}", -1},
	    {"* X {5} ", -1},
	    {"* X {}", -1},
	    {"* X {-1}", -1},
	    {"* X {1234567890}", -1},
	    {"* X {5}", 5},
	    {"abcd", -2},
	};
	struct imap_literal literal = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
		bool good = imap_literal_follow(&literal, turns[i].line);
		long bytes = literal.open ? (long)literal.bytes : -1;
		if ((good ? bytes : -2) != turns[i].bytes)
			fail_msg("%s: %ld", turns[i].line, bytes);
	}
}

static void
trouble_of_the_moment_is_told_from_refusal(void **state)
{
	static const struct {
		const char *line;
		bool temporary;
	} turns[] = {
	    {"1 NO [UNAVAILABLE] x", true},
	    {"1 NO [LIMIT] x", true},
	    {"1 NO Try again", true},
	    {"1 NO [NONEXISTENT] temporary", false},
	    {"1 NO Mailbox doesn't exist: a", false},
	    {"1 NO [CONTACTADMIN] unavailable", false},
	};
	struct imap_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
		assert_true(imap_reply_parse(turns[i].line, "1", &reply));
		if (imap_reply_is_temporary(&reply) != turns[i].temporary)
			fail_msg("%s", turns[i].line);
	}
}

static const struct {
	const char *line;
	enum mt_status status;
	bool rejected;
} refusals[] = {
    {"1 NO [AUTHENTICATIONFAILED] Authentication failed.", MT_NEEDS_LOGIN,
	true},
    {"1 NO AUTHENTICATE failed.", MT_NEEDS_LOGIN, true},
    {"1 NO [ALERT] Application-specific password required", MT_NEEDS_LOGIN,
	true},
    {"1 NO [EXPIRED] Password expired", MT_NEEDS_LOGIN, true},
    {"1 NO [AUTHORIZATIONFAILED] May not act as bob", MT_NEEDS_ADMIN, false},
    {"1 NO [CONTACTADMIN] Locked", MT_NEEDS_ADMIN, false},
    {"1 NO [PRIVACYREQUIRED] Use TLS", MT_BAD_CONFIG, false},
    {"1 NO [UNAVAILABLE] Temporary authentication failure.", MT_RETRY_LATER,
	false},
    {"1 NO [ALERT] Too many simultaneous connections. (Failure)",
	MT_RETRY_LATER, false},
    {"1 NO Server is temporarily down", MT_RETRY_LATER, false},
    {"1 BAD Command Argument Error. 12", MT_RETRY_LATER, false},
    {"1 BAD User is authenticated but not connected.", MT_RETRY_LATER, false},
    {"1 NO User is authenticated but not connected.", MT_RETRY_LATER, false},
};

static void
refusal_says_what_to_do_next(void **state)
{
	struct imap_reply reply;
	struct auth_reply refusal;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		assert_true(imap_reply_parse(refusals[i].line, "1", &reply));
		imap_reply_refusal(&reply, &refusal);
		assert_int_equal(refusal.kind, AUTH_REFUSED);
		if (refusal.status != refusals[i].status ||
		    refusal.rejected != refusals[i].rejected)
			fail_msg("%s: %d, %d", refusals[i].line,
			    (int)refusal.status, refusal.rejected);
	}
}

static void
text_of_a_refusal_is_printable_and_short(void **state)
{
	char line[2000] = "1 NO \x1b[31m";
	struct imap_reply reply;
	struct auth_reply refusal;

	(void)state;
	memset(line + strlen(line), 'x', sizeof(line) - strlen(line) - 1);
	assert_true(imap_reply_parse(line, "1", &reply));
	imap_reply_refusal(&reply, &refusal);
	assert_null(strchr(refusal.text, '\x1b'));
	assert_true(strlen(refusal.text) < AUTH_TEXT_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reply_is_taken_apart),
	    cmocka_unit_test(capabilities_are_words_up_to_the_bracket),
	    cmocka_unit_test(endless_mechanisms_do_not_overflow),
	    cmocka_unit_test(capabilities_are_found_whole_and_in_any_case),
	    cmocka_unit_test(responses_go_on_behind_a_literal),
	    cmocka_unit_test(trouble_of_the_moment_is_told_from_refusal),
	    cmocka_unit_test(refusal_says_what_to_do_next),
	    cmocka_unit_test(text_of_a_refusal_is_printable_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
