/* SPDX-License-Identifier: ISC */
#include "mail/imap_gate.h"

#include "unit/cmocka_headers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROTOCOL 4096
#define MESSAGE 100
#define NESTED_8 "(((((((("

/* An answer to FETCH, what passes of it, and what is wrong at its end. */
static const struct {
	const char *name, *sent, *passed, *wrong; /* NULL: all, nothing */
} cases[] = {
    {"message", "* 1 FETCH (UID 7 BODY[] {5}\r\n\r\n4 ()\r\n4 OK\r\n", NULL,
	NULL},
    {"message in lower case", "* 1 fetch (body[] {3}\r\n(((\"\r\n", NULL,
	"broken"},
    {"empty message", "* 1 FETCH (BODY[] {0}\r\n UID 7)\r\n", NULL, NULL},
    {"two messages",
	"* 1 FETCH (BODY[] {3}\r\n* 2)\r\n* 2 FETCH (BODY[] {1}\r\nx)\r\n",
	NULL, NULL},
    {"bare LF", "* 1 FETCH (BODY[] {2}\n)))\n4 OK\n", NULL, NULL},
    {"string before a message",
	"* 1 FETCH (INTERNALDATE \"1-(((((((((\\\"\" BODY[] {2}\r\n()\r\n",
	NULL, NULL},
    {"farewell", "* BYE {5}\r\n", NULL, NULL},
    {"news", "* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n+ go on\r\n\r\n* \r\n", "",
	NULL},
    {"what libetpan does not know", "* ESEARCH (TAG \"1\")\r\n4 OK\r\n",
	"4 OK\r\n", NULL},
    {"what kills it", "* OK [PERMANENTFLAGS (\\]a)] x\r\n4 OK\r\n", "4 OK\r\n",
	NULL},
    {"what kills it, tagged", "4 OK [PERMANENTFLAGS (\\]a)] x\r\n", "",
	"code that nobody asked for"},
    {"tagged lines", "4 OK [X-Y 1] Done (0.1 s)\r\n4 NO [LIMIT] x\r\n", NULL,
	NULL},
    {"expunged message", "* 2 EXPUNGE\r\n* 1 FETCH (UID 3)\r\n",
	"* 1 FETCH (UID 3)\r\n", NULL},
    {"literal in what is dropped", "* LIST () NIL {5}\r\n4 OK \r\n4 OK\r\n",
	"4 OK\r\n", NULL},
    {"name that looks like an answer",
	"* STATUS {19}\r\n* 1 FETCH (BODY[] {9 (MESSAGES 1)\r\n4 OK\r\n",
	"4 OK\r\n", NULL},
    {"literals in turn", "* X {2}\r\n* {5}\r\n4 OK \r\n4 OK {3}\r\n* BYE x\r\n",
	"4 OK {3}\r\n* BYE x\r\n", NULL},
    {"literal over two lines", "* X {6}\r\n4 OK\r\n\r\n", "", "several lines"},
    {"largest message", "* 1 FETCH (BODY[] {100}\r\n", NULL, NULL},
    {"message too large", "* 1 FETCH (BODY[] {101}\r\n", "", "larger"},
    {"size that wraps in 32 bits", "* 1 FETCH (BODY[] {4294967297}\r\n", "",
	"larger"},
    {"size that wraps in 64 bits",
	"* 1 FETCH (BODY[] {18446744073709551617}\r\n", "", "larger"},
    {"negative size", "* 1 FETCH (BODY[] {-4}\r\n", "", "nobody asked"},
    {"no size", "* 1 FETCH (BODY[] {}\r\n", "", "nobody asked"},
    {"literal of another item", "* 1 FETCH (X {4}\r\n", "", "nobody asked"},
    {"part of a message", "* 1 FETCH (BODY[1] {4}\r\n", "", "nobody asked"},
    {"message within something else", "* 1 FETCH (X (BODY[] {4}\r\n", "",
	"nobody asked"},
    {"string over two lines", "* 1 FETCH (X \"a\r\nb\")\r\n", "", "broken"},
    {"8 levels", "* 1 FETCH " NESTED_8 "\r\n", NULL, NULL},
    {"9 levels", "* 1 FETCH (" NESTED_8 "\r\n", "", "deeply"},
    {"Message-ID",
	"* 1 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)] {5}\r\n"
	"(\"{9} RFC822.SIZE 4)\r\n"
	"* 2 FETCH (BODY[HEADER.FIELDS (\"Message-ID\")] {0}\r\n)\r\n",
	NULL, NULL},
    {"Message-ID as a string",
	"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] \"\")\r\n", NULL, NULL},
    {"Message-ID too large",
	"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {101}\r\n", "", "larger"},
    {"message instead of its Message-ID", "* 1 FETCH (BODY[] {4}\r\n", "",
	"nobody asked"},
    {"another field instead of the Message-ID",
	"* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {4}\r\n", "", "nobody asked"},
    {"field instead of a whole message",
	"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {4}\r\n", "",
	"nobody asked"},
    {"first bytes of fields",
	"* 1 FETCH (UID 7 BODY[HEADER.FIELDS (DATE TO)]<0> {5}\r\nTo: a)\r\n"
	"* 2 FETCH (body[header.fields (\"Date\" \"To\")] {0}\r\n)\r\n",
	NULL, NULL},
    {"other bytes of fields",
	"* 1 FETCH (BODY[HEADER.FIELDS (DATE TO)]<1> {4}\r\n", "",
	"nobody asked"},
    {"fewer fields", "* 1 FETCH (BODY[HEADER.FIELDS (DATE)] {4}\r\n", "",
	"nobody asked"},
    {"more fields", "* 1 FETCH (BODY[HEADER.FIELDS (DATE TO CC)] {4}\r\n", "",
	"nobody asked"},
    {"message instead of fields", "* 1 FETCH (BODY[] {4}\r\n", "",
	"nobody asked"},
    {"fields of something else",
	"* 1 FETCH (BINARY[HEADER.FIELDS (DATE TO)] {4}\r\n", "",
	"nobody asked"},
    {"9 levels behind a message", "* 1 FETCH (BODY[] {1}\r\nx" NESTED_8 "\r\n",
	"* 1 FETCH (BODY[] {1}\r\nx", "deeply"},
};

struct peer {
	struct net *net;
	struct imap_gate gate;
	int fd; /* the server's end */
};

static void
peer_open(struct peer *p)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	struct mt_error err = {0};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(
	    net_connect(&p->net, "127.0.0.1", ntohs(address.sin_port),
		deadline_in_ms(10000), &err),
	    MT_OK);
	p->fd = accept(listener, NULL, NULL);
	close(listener);
	net_begin(p->net, deadline_in_ms(10000), SIZE_MAX);
	p->gate = (struct imap_gate)IMAP_GATE_INIT(p->net);
}

static void
peer_say(const struct peer *p, const char *text, size_t len)
{
	assert_int_equal(send(p->fd, text, len, MSG_NOSIGNAL), len);
}

static void
peer_close(struct peer *p)
{
	imap_gate_done(&p->gate);
	net_free(&p->net);
	close(p->fd);
}

/* Reads to the end, so many bytes at a time. */
static void
check(size_t i, size_t step)
{
	const char *passed = cases[i].passed ? cases[i].passed : cases[i].sent;
	struct buf got = BUF_INIT(10000);
	struct peer p;
	char bytes[1000];
	ssize_t n;

	if (!cases[i].passed && cases[i].wrong)
		passed = NULL; /* how much does not matter */
	peer_open(&p);
	imap_gate_begin_fetch(&p.gate, PROTOCOL, MESSAGE);
	if (strstr(cases[i].name, "Message-ID"))
		imap_gate_expect_fields(&p.gate, "MESSAGE-ID");
	else if (strstr(cases[i].name, "fields"))
		imap_gate_expect_fields(&p.gate, "DATE TO");
	peer_say(&p, cases[i].sent, strlen(cases[i].sent));
	shutdown(p.fd, SHUT_WR);
	while ((n = imap_gate_read(&p.gate, bytes, step)) > 0)
		buf_add(&got, bytes, (size_t)n);
	assert_int_equal(n, -1);
	if ((passed && strcmp(buf_text(&got), passed) != 0) ||
	    !strstr(net_error(p.net)->text,
		cases[i].wrong ? cases[i].wrong : "closed the connection"))
		fail_msg("%s, %zu at a time: passed '%s', %s", cases[i].name,
		    step, buf_text(&got), net_error(p.net)->text);
	buf_done(&got);
	peer_close(&p);
}

static void
only_answers_to_fetch_pass(void **state)
{
	static const size_t steps[] = {1, 7, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++)
			check(i, steps[j]);
}

static void
everything_passes_for_a_command_of_our_own(void **state)
{
	static const char *const lines[] = {"* OK [PERMANENTFLAGS (\\*)] x",
	    "* LIST () \".\" {5}", "+ ", "", "* 1 FETCH (X {5}", "((((((((((("};
	struct imap_gate gate = IMAP_GATE_INIT(NULL);
	const char *wrong;

	(void)state;
	imap_gate_begin(&gate, PROTOCOL);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(
		    imap_gate_judge(&gate, lines[i], &wrong), IMAP_PASS);
}

static void
number_of_messages_is_noted(void **state)
{
	static const struct {
		const char *line;
		uint32_t exists;
	} lines[] = {
	    {"* 3 EXISTS", 3},
	    {"* 4 RECENT", 3},
	    {"* 5 EXISTSX", 3},
	    {"* 99999999999 EXISTS", 3},
	    {"* 6 exists", 6},
	    {"* 0 EXISTS", 0},
	};
	struct imap_gate gate = IMAP_GATE_INIT(NULL);
	const char *wrong;

	(void)state;
	imap_gate_begin_fetch(&gate, PROTOCOL, 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		imap_gate_judge(&gate, lines[i].line, &wrong);
		assert_int_equal(gate.exists, lines[i].exists);
	}
}

/* Lines in turn, beside a FETCH, and whether there has been a new message. */
static void
growth_is_noted_though_the_number_stays(void **state)
{
	static const struct {
		const char *line;
		bool grew;
	} lines[] = {
	    {"* 3 EXISTS", true},
	    {"* 3 EXISTS", false},
	    {"* 4 EXPUNGE", false}, /* there is none */
	    {"* 0 EXPUNGE", false},
	    {"* 3 EXISTS", false},
	    {"* 1 EXPUNGE", false},
	    {"* 3 EXISTS", true},
	    {"* 2 EXISTS", false},
	    {"* 2 FETCH (UID 3)", false},
	};
	struct imap_gate gate = IMAP_GATE_INIT(NULL);
	const char *wrong;

	(void)state;
	imap_gate_begin_fetch(&gate, PROTOCOL, 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		gate.grew = false;
		imap_gate_judge(&gate, lines[i].line, &wrong);
		if (gate.grew != lines[i].grew)
			fail_msg("line %zu, %s", i, lines[i].line);
	}
}

static void
message_is_refused_where_none_is_expected(void **state)
{
	struct imap_gate gate = IMAP_GATE_INIT(NULL);
	const char *wrong;

	(void)state;
	imap_gate_begin_fetch(&gate, PROTOCOL, 0);
	assert_int_equal(
	    imap_gate_judge(&gate, "* 1 FETCH (BODY[] {1}", &wrong),
	    IMAP_REFUSE);
}

/* Says the same line again and again until the gate has had enough; returns
 * how often, or 0 if it never has. */
static int
flood(struct peer *p, const char *line, int max)
{
	size_t len = strlen(line);
	char bytes[1000];

	for (int i = 1; i <= max; i++) {
		/* the second line makes a read of a dropped one return */
		peer_say(p, line, len);
		peer_say(p, "4 x\n", 4);
		while (imap_gate_read(&p->gate, bytes, sizeof(bytes)) != 4)
			if (net_error(p->net)->status != MT_OK)
				return i;
	}
	return 0;
}

static void
endless_lines_end_also_when_they_are_dropped(void **state)
{
	static const char *const lines[] = {
	    "* 1 EXISTS\r\n", "* 1 FETCH (FLAGS (\\Seen))\r\n"};
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		peer_open(&p);
		imap_gate_begin_fetch(&p.gate, 1000, 0);
		assert_int_equal(flood(&p, lines[i], 1000),
		    1000 / (strlen(lines[i]) + 4) + 1);
		assert_non_null(
		    strstr(net_error(p.net)->text, "more than belongs"));
		peer_close(&p);
	}
}

static void
line_without_end_ends(void **state)
{
	static char line[IMAP_GATE_LINE_MAX];
	struct peer p;
	char bytes[1000];

	(void)state;
	memset(line, 'a', sizeof(line));
	peer_open(&p);
	imap_gate_begin(&p.gate, SIZE_MAX);
	peer_say(&p, line, sizeof(line));
	assert_int_equal(imap_gate_read(&p.gate, bytes, sizeof(bytes)), -1);
	assert_non_null(strstr(net_error(p.net)->text, "without end"));
	peer_close(&p);
}

static void
nul_byte_is_refused(void **state)
{
	struct peer p;
	char bytes[1000];

	(void)state;
	peer_open(&p);
	imap_gate_begin(&p.gate, PROTOCOL);
	peer_say(&p, "* OK\0x\r\n", 8);
	assert_int_equal(imap_gate_read(&p.gate, bytes, sizeof(bytes)), -1);
	peer_close(&p);
}

static void
what_was_read_ahead_is_known(void **state)
{
	struct peer p;
	char bytes[1000];

	(void)state;
	peer_open(&p);
	imap_gate_begin(&p.gate, PROTOCOL);
	peer_say(&p, "1 OK\r\n", 6);
	assert_int_equal(imap_gate_read(&p.gate, bytes, sizeof(bytes)), 6);
	assert_false(imap_gate_has_unread(&p.gate));
	peer_say(&p, "2 OK\r\ninjected", 14);
	assert_int_equal(imap_gate_read(&p.gate, bytes, sizeof(bytes)), 6);
	assert_true(imap_gate_has_unread(&p.gate));
	peer_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_answers_to_fetch_pass),
	    cmocka_unit_test(everything_passes_for_a_command_of_our_own),
	    cmocka_unit_test(number_of_messages_is_noted),
	    cmocka_unit_test(growth_is_noted_though_the_number_stays),
	    cmocka_unit_test(message_is_refused_where_none_is_expected),
	    cmocka_unit_test(endless_lines_end_also_when_they_are_dropped),
	    cmocka_unit_test(line_without_end_ends),
	    cmocka_unit_test(nul_byte_is_refused),
	    cmocka_unit_test(what_was_read_ahead_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
