/* SPDX-License-Identifier: ISC */
/* The server is a script: what it will say is sent before the call that reads
 * it, and what it was told is read afterwards. */
#include "mail/imap_watch.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/mail/imap_peer.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define CALL_MS 10000
#define SHORT_MS 50 /* for what will never come */

#define IDLE_ONLY "IMAP4rev1 IDLE"
#define BOTH "IMAP4rev1 IDLE NOTIFY"

struct watch {
	struct imap_peer peer;
	struct imap_conn *conn;
	struct mt_error err;
	struct imap_news news;
};

static void
say(const struct watch *w, const char *text)
{
	imap_peer_say(&w->peer, text);
}

static void
expect(const struct watch *w, const char *line)
{
	imap_peer_expect(&w->peer, line);
}

static void
open_peer(struct watch *w, const char *capabilities)
{
	*w = (struct watch){0};
	imap_peer_open(&w->peer, capabilities);
	w->conn = w->peer.conn;
}

static void
close_peer(struct watch *w)
{
	imap_peer_close(&w->peer);
}

static enum mt_status
begin(struct watch *p, enum imap_push push, const char *const *mailboxes,
    size_t count, int64_t ms)
{
	return imap_watch_begin(
	    p->conn, push, mailboxes, count, deadline_in_ms(ms), &p->err);
}

static enum mt_status
begin_idle(struct watch *p)
{
	return begin(p, IMAP_PUSH_IDLE, NULL, 0, CALL_MS);
}

static enum mt_status
read_news(struct watch *p)
{
	return imap_watch_read(p->conn, &p->news, &p->err);
}

static enum mt_status
end(struct watch *p, int64_t ms)
{
	return imap_watch_end(p->conn, &p->news, deadline_in_ms(ms), &p->err);
}

/* Reads when the descriptor says so, as a loop does. */
static enum mt_status
await_news(struct watch *p)
{
	struct pollfd poll_fd = {imap_watch_fd(p->conn), POLLIN, 0};

	assert_int_equal(poll(&poll_fd, 1, CALL_MS), 1);
	return read_news(p);
}

static void
start_idle(struct watch *p)
{
	open_peer(p, IDLE_ONLY);
	say(p, "+ idling\r\n");
	assert_int_equal(begin_idle(p), MT_OK);
	expect(p, "3 IDLE");
	assert_int_equal(read_news(p), MT_OK);
	assert_false(p->news.selected_changed);
}

static void
best_push_is_what_the_server_offers(void **state)
{
	static const struct {
		const char *capabilities;
		enum imap_push push;
	} offers[] = {
	    {"IMAP4rev1 UIDPLUS", IMAP_PUSH_NONE},
	    {"IMAP4rev1 NOTIFY", IMAP_PUSH_NONE},
	    {"IMAP4rev1 XIDLE IDLER", IMAP_PUSH_NONE},
	    {"idle IMAP4rev1", IMAP_PUSH_IDLE},
	    {BOTH, IMAP_PUSH_NOTIFY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(*offers); i++) {
		struct watch p;
		open_peer(&p, offers[i].capabilities);
		assert_int_equal(imap_watch_offered(p.conn), offers[i].push);
		assert_true(imap_conn_offers(p.conn, "imap4REV1"));
		assert_false(imap_conn_offers(p.conn, "IMAP4"));
		close_peer(&p);
	}
}

/* What comes with "+" is there at once, though the descriptor is silent. */
static void
news_beside_the_agreement_are_not_lost(void **state)
{
	struct watch p;

	(void)state;
	open_peer(&p, IDLE_ONLY);
	say(&p, "* OK hi\r\n+ idling\r\n* 3 EXISTS\r\n* 4 EXI");
	assert_int_equal(begin_idle(&p), MT_OK);
	assert_int_equal(imap_watch_push(p.conn), IMAP_PUSH_IDLE);
	assert_int_equal(read_news(&p), MT_OK);
	assert_true(p.news.selected_changed);
	assert_int_equal(read_news(&p), MT_OK);
	assert_false(p.news.selected_changed);
	say(&p, "STS\r\n");
	assert_int_equal(await_news(&p), MT_OK);
	assert_true(p.news.selected_changed);
	assert_int_equal(p.news.bytes, 5);
	close_peer(&p);
}

/* What is said, and whether the opened mailbox needs a look. */
static const struct {
	const char *text;
	bool changed;
} tellings[] = {
    {"* 3 EXISTS\r\n* 1 RECENT\r\n", true},
    {"* OK Still here\r\n", false},
    {"* 2 EXISTS\r\n", false},
    {"* 1 EXISTS\r\n", false},
    {"* 1 EXPUNGE\r\n", false},
    {"* 1 EXPUNGE\r\n* 2 EXISTS\r\n", true}, /* one went, one came */
    {"* 1 EXISTS\r\n* 2 EXISTS\r\n", true},
    {"* 2 FETCH (FLAGS (\\Seen))\r\n", false},
    {"* X-VENDOR {1}\r\n* 9 EXISTS\r\n", true},
};

static void
opened_mailbox_is_news_when_it_grows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tellings) / sizeof(*tellings); i++) {
		struct watch p;
		start_idle(&p);
		say(&p, tellings[i].text);
		assert_int_equal(await_news(&p), MT_OK);
		if (p.news.selected_changed != tellings[i].changed)
			fail_msg("%s", tellings[i].text);
		assert_int_equal(p.news.bytes, strlen(tellings[i].text));
		close_peer(&p);
	}
}

static void
partial_lines_wait_for_their_end(void **state)
{
	static const char text[] = "* 3 EXISTS\r\n";
	struct watch p;

	(void)state;
	start_idle(&p);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char byte[] = {text[i], '\0'};
		assert_false(p.news.selected_changed);
		say(&p, byte);
		assert_int_equal(await_news(&p), MT_OK);
		assert_int_equal(p.news.bytes, 1);
	}
	assert_true(p.news.selected_changed);
	close_peer(&p);
}

static void
what_comes_between_commands_is_told_later(void **state)
{
	struct imap_mailbox mailbox;
	struct watch p;

	(void)state;
	open_peer(&p, IDLE_ONLY);
	say(&p, "* 3 EXISTS\r\n* STATUS {4}\r\nWork (MESSAGES 1 UIDNEXT 2 "
		"UIDVALIDITY 3)\r\n3 OK\r\n+ idling\r\n");
	assert_int_equal(imap_conn_status(p.conn, "Work", &mailbox,
			     deadline_in_ms(CALL_MS), &p.err),
	    MT_OK);
	assert_int_equal(mailbox.uidnext, 2);
	expect(&p, "3 STATUS \"Work\" (MESSAGES UIDNEXT UIDVALIDITY)");
	assert_int_equal(begin_idle(&p), MT_OK);
	assert_int_equal(read_news(&p), MT_OK);
	assert_true(p.news.selected_changed);
	close_peer(&p);
}

static void
end_is_answered_and_the_connection_goes_on(void **state)
{
	struct watch p;

	(void)state;
	start_idle(&p);
	say(&p, "* 3 EXISTS\r\n3 OK done\r\n* 4 EXISTS\r\n4 OK noop\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_OK);
	assert_true(p.news.selected_changed);
	expect(&p, "DONE");
	assert_int_equal(
	    imap_conn_noop(p.conn, &p.news, deadline_in_ms(CALL_MS), &p.err),
	    MT_OK);
	expect(&p, "4 NOOP");
	assert_true(p.news.selected_changed);
	assert_true(imap_conn_is_usable(p.conn));
	say(&p, "+ again\r\n");
	assert_int_equal(begin_idle(&p), MT_OK);
	expect(&p, "5 IDLE");
	close_peer(&p);
}

static void
end_that_is_not_answered_breaks_the_connection(void **state)
{
	static const char *const answers[] = {
	    "", "* OK Still here\r\n", "3 NO\r\n", "4 OK\r\n", "+ x\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct watch p;
		start_idle(&p);
		say(&p, answers[i]);
		assert_int_equal(end(&p, SHORT_MS), MT_RETRY_LATER);
		assert_false(imap_conn_is_usable(p.conn));
		close_peer(&p);
	}
}

/* The end comes in the middle of a response. */
static void
response_goes_on_behind_the_end(void **state)
{
	static const char *const boxes[] = {"Work"};
	struct watch p;

	(void)state;
	open_peer(&p, BOTH);
	say(&p, "3 OK\r\n+ idling\r\n* STATUS {4}\r\n");
	assert_int_equal(begin(&p, IMAP_PUSH_NOTIFY, boxes, 1, CALL_MS), MT_OK);
	assert_int_equal(read_news(&p), MT_OK);
	say(&p, "Work (MESSAGES 1)\r\n4 OK done\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_OK);
	assert_int_equal(p.news.others, 1);
	close_peer(&p);
}

static void
farewell_is_told_once(void **state)
{
	struct watch p;

	(void)state;
	start_idle(&p);
	say(&p, "* 3 EXISTS\r\n* BYE Session expired\r\n");
	shutdown(p.peer.fd, SHUT_WR);
	assert_int_equal(await_news(&p), MT_OK);
	assert_true(p.news.bye);
	assert_true(p.news.selected_changed);
	assert_string_equal(p.news.bye_text, "Session expired");
	assert_false(imap_conn_is_usable(p.conn));
	assert_int_equal(read_news(&p), MT_RETRY_LATER);
	assert_false(p.news.bye);
	assert_int_equal(end(&p, CALL_MS), MT_RETRY_LATER);
	close_peer(&p);
}

static void
farewell_instead_of_an_answer_is_a_failure(void **state)
{
	struct watch p;

	(void)state;
	start_idle(&p);
	say(&p, "* BYE Too long\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_RETRY_LATER);
	assert_true(p.news.bye);
	assert_non_null(strstr(p.err.text, "Too long"));
	close_peer(&p);
	open_peer(&p, IDLE_ONLY);
	say(&p, "* BYE Not now\r\n");
	assert_int_equal(begin_idle(&p), MT_RETRY_LATER);
	assert_non_null(strstr(p.err.text, "Not now"));
	assert_false(imap_conn_is_usable(p.conn));
	close_peer(&p);
}

static void
server_may_end_the_idle_itself(void **state)
{
	struct watch p;

	(void)state;
	start_idle(&p);
	say(&p, "3 OK IDLE ends after 29 minutes\r\n");
	assert_int_equal(await_news(&p), MT_OK);
	assert_true(p.news.ended);
	assert_int_equal(end(&p, SHORT_MS), MT_OK);
	say(&p, "+ idling\r\n");
	assert_int_equal(begin_idle(&p), MT_OK);
	expect(&p, "4 IDLE"); /* and no DONE before */
	close_peer(&p);
}

/* What ends the connection, and how that is explained. */
static const struct {
	const char *text, *why;
} nonsense[] = {
    {"", "closed the connection"},
    {"* 3 EXI", "closed the connection"},
    {"HTTP/1.1 200 OK\r\n", "no IMAP"},
    {"9 OK who?\r\n", "no IMAP"},
    {"* STATUS INBOX\r\n", "a STATUS"},
    {"* LIST {99}\r\nx\r\n", "several lines"},
};

static void
nonsense_ends_the_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		struct watch p;
		start_idle(&p);
		say(&p, nonsense[i].text);
		shutdown(p.peer.fd, SHUT_WR);
		assert_int_equal(await_news(&p), MT_RETRY_LATER);
		assert_non_null(strstr(p.err.text, nonsense[i].why));
		assert_false(imap_conn_is_usable(p.conn));
		assert_int_equal(read_news(&p), MT_RETRY_LATER);
		close_peer(&p);
	}
}

/* Sends the same again and again until the client has enough; bytes sent. */
static size_t
flood(struct watch *p, const char *text, size_t max)
{
	size_t len = strlen(text), sent = 0;
	ssize_t n;

	while (sent < max) {
		n = send(p->peer.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		if (read_news(p) != MT_OK)
			return sent;
	}
	return 0;
}

static void
endless_talk_is_cut_off(void **state)
{
	static const char *const talks[] = {"* 1 FETCH (FLAGS (\\S))\r\n",
	    "* OK Here I am, and here I am, and so on\r\n", "aaaaaaaa"};
	static const char *const why[] = {
	    "more than belongs", "more than belongs", "line without end"};
	static char block[28001];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct watch p;
		size_t len = strlen(talks[i]);
		memset(block, 0, sizeof(block));
		for (size_t at = 0; at + len < sizeof(block); at += len)
			memcpy(block + at, talks[i], len);
		start_idle(&p);
		assert_true(flood(&p, block, 64 << 20) > 0);
		assert_non_null(strstr(p.err.text, why[i]));
		close_peer(&p);
	}
}

/* One that always has something to say does not hold the loop. */
static void
reading_takes_a_share_at_a_time(void **state)
{
	static char block[300000];
	struct watch p;
	size_t sent = 0, got = 0;
	ssize_t n;

	(void)state;
	start_idle(&p);
	for (size_t len = 0; len < sizeof(block); len += 4)
		memcpy(block + len, "*  \n", 4);
	while ((n = send(p.peer.fd, block, sizeof(block) - 4,
		    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	while (got < sent) {
		assert_int_equal(await_news(&p), MT_OK);
		assert_in_range(p.news.bytes, 1, 100000);
		got += p.news.bytes;
	}
	close_peer(&p);
}

static void
refused_idle_leaves_the_connection(void **state)
{
	struct watch p;

	(void)state;
	open_peer(&p, IDLE_ONLY);
	say(&p, "3 BAD no IDLE here\r\n4 OK noop\r\n");
	assert_int_equal(begin_idle(&p), MT_REFUSED);
	assert_non_null(strstr(p.err.text, "no IDLE here"));
	assert_int_equal(imap_watch_push(p.conn), IMAP_PUSH_NONE);
	assert_int_equal(
	    imap_conn_noop(p.conn, &p.news, deadline_in_ms(CALL_MS), &p.err),
	    MT_OK);
	close_peer(&p);
}

static void
silence_instead_of_an_answer_breaks_the_connection(void **state)
{
	struct watch p;

	(void)state;
	open_peer(&p, IDLE_ONLY);
	assert_int_equal(
	    begin(&p, IMAP_PUSH_IDLE, NULL, 0, SHORT_MS), MT_RETRY_LATER);
	assert_false(imap_conn_is_usable(p.conn));
	close_peer(&p);
}

/* -- NOTIFY -------------------------------------------------------------- */

#define NOTIFY_TWO                                                             \
	"NOTIFY SET STATUS (SELECTED (MessageNew MessageExpunge)) "            \
	"(MAILBOXES (\"Work\" \"&AOk-t&AOk-\") (MessageNew MessageExpunge))"
#define NOTIFY_SELECTED "NOTIFY SET (SELECTED (MessageNew MessageExpunge))"

static const char *const two[] = {"Work", "\u00e9t\u00e9"};

static void
start_notify(struct watch *p)
{
	open_peer(p, BOTH);
	say(p, "* STATUS Work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n"
	       "3 OK\r\n+ idling\r\n");
	assert_int_equal(begin(p, IMAP_PUSH_NOTIFY, two, 2, CALL_MS), MT_OK);
	expect(p, "3 " NOTIFY_TWO);
	expect(p, "4 IDLE");
	assert_int_equal(imap_watch_push(p->conn), IMAP_PUSH_NOTIFY);
	assert_int_equal(read_news(p), MT_OK);
	assert_int_equal(p->news.others, 1);
}

static void
notify_tells_of_other_mailboxes(void **state)
{
	struct imap_mailbox told;
	struct watch p;

	(void)state;
	start_notify(&p);
	assert_int_equal(imap_watch_covered(p.conn), 1);
	assert_false(imap_watch_status(p.conn, 1, &told));
	assert_false(imap_watch_status(p.conn, 2, &told));
	say(&p, "* STATUS Work (MESSAGES 2 UIDNEXT 3 UNSEEN 1)\r\n");
	assert_int_equal(await_news(&p), MT_OK);
	assert_int_equal(p.news.others, 1);
	assert_false(p.news.selected_changed);
	assert_true(imap_watch_status(p.conn, 0, &told));
	assert_int_equal(told.uidnext, 3);
	say(&p, "* STATUS {5}\r\n\u00e9t\u00e9 (MESSAGES 2)\r\n");
	assert_int_equal(await_news(&p), MT_OK);
	assert_int_equal(p.news.others, 2);
	assert_int_equal(imap_watch_covered(p.conn), 3);
	close_peer(&p);
}

/* Begun again, it tells what was missed, and nothing else. */
static void
notify_again_tells_what_has_changed(void **state)
{
	static const char *const other_order[] = {"Other", "Work"};
	struct watch p;

	(void)state;
	start_notify(&p);
	say(&p, "4 OK done\r\n* STATUS Work (MESSAGES 1 UIDNEXT 2)\r\n5 OK\r\n"
		"+ idling\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_OK);
	assert_int_equal(begin(&p, IMAP_PUSH_NOTIFY, two, 2, CALL_MS), MT_OK);
	assert_int_equal(read_news(&p), MT_OK);
	assert_false(p.news.others_changed);
	say(&p, "6 OK done\r\n* STATUS Other ()\r\n"
		"* STATUS Work (MESSAGES 1 UIDNEXT 4)\r\n7 OK\r\n+ idling\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_OK);
	assert_int_equal(
	    begin(&p, IMAP_PUSH_NOTIFY, other_order, 2, CALL_MS), MT_OK);
	assert_int_equal(read_news(&p), MT_OK);
	assert_int_equal(p.news.others, 3);
	close_peer(&p);
}

static void
refused_notify_falls_back_to_idle(void **state)
{
	static const char *const refusals[] = {
	    "3 NO [NOTIFICATIONOVERFLOW] Too many mailbox names\r\n",
	    "3 NO [BADEVENT (MessageNew)] no\r\n", "3 BAD what?\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct watch p;
		open_peer(&p, BOTH);
		say(&p, refusals[i]);
		say(&p, "+ idling\r\n");
		assert_int_equal(
		    begin(&p, IMAP_PUSH_NOTIFY, two, 2, CALL_MS), MT_OK);
		expect(&p, "3 " NOTIFY_TWO);
		expect(&p, "4 IDLE");
		assert_int_equal(imap_watch_push(p.conn), IMAP_PUSH_IDLE);
		assert_int_equal(imap_watch_offered(p.conn), IMAP_PUSH_IDLE);
		assert_int_equal(imap_watch_covered(p.conn), 0);
		say(&p, "4 OK done\r\n+ idling\r\n");
		assert_int_equal(end(&p, CALL_MS), MT_OK);
		expect(&p, "DONE");
		assert_int_equal(
		    begin(&p, IMAP_PUSH_NOTIFY, two, 2, CALL_MS), MT_OK);
		expect(&p, "5 IDLE");
		close_peer(&p);
	}
}

/* An IDLE alone would tell nothing any more. */
static void
overflow_falls_back_to_idle(void **state)
{
	struct watch p;

	(void)state;
	start_notify(&p);
	say(&p, "* OK [NOTIFICATIONOVERFLOW] too much\r\n");
	assert_int_equal(await_news(&p), MT_OK);
	assert_true(p.news.overflow);
	assert_int_equal(p.news.others, 3);
	assert_int_equal(imap_watch_covered(p.conn), 0);
	say(&p, "4 OK done\r\n5 OK\r\n+ idling\r\n");
	assert_int_equal(end(&p, CALL_MS), MT_OK);
	assert_int_equal(imap_watch_offered(p.conn), IMAP_PUSH_IDLE);
	assert_int_equal(begin(&p, IMAP_PUSH_NOTIFY, two, 2, CALL_MS), MT_OK);
	expect(&p, "DONE");
	expect(&p, "5 " NOTIFY_SELECTED);
	expect(&p, "6 IDLE");
	assert_int_equal(imap_watch_push(p.conn), IMAP_PUSH_IDLE);
	close_peer(&p);
}

static void
names_that_can_be_none_leave_the_connection(void **state)
{
	static const char *many[IMAP_WATCHED_MAX + 1];
	static char long_name[1002];
	const char *const bad[] = {"", "a\r\nb", "\xff", long_name};
	struct imap_mailbox mailbox;
	struct watch p;

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	open_peer(&p, BOTH);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(
		    begin(&p, IMAP_PUSH_NOTIFY, &bad[i], 1, CALL_MS),
		    MT_BAD_INPUT);
		assert_int_equal(imap_conn_status(p.conn, bad[i], &mailbox,
				     deadline_in_ms(CALL_MS), &p.err),
		    MT_BAD_INPUT);
	}
	for (size_t i = 0; i < IMAP_WATCHED_MAX + 1; i++)
		many[i] = "a";
	assert_int_equal(
	    begin(&p, IMAP_PUSH_NOTIFY, many, IMAP_WATCHED_MAX + 1, CALL_MS),
	    MT_BAD_INPUT);
	assert_true(imap_conn_is_usable(p.conn));
	close_peer(&p);
}

/* More than a server takes in one line is not sent. */
static void
names_too_long_for_one_line_fall_back_to_idle(void **state)
{
	static char long_name[900];
	const char *names[10];
	struct watch p;

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (size_t i = 0; i < 10; i++)
		names[i] = long_name;
	open_peer(&p, BOTH);
	say(&p, "+ idling\r\n");
	assert_int_equal(
	    begin(&p, IMAP_PUSH_NOTIFY, names, 10, CALL_MS), MT_OK);
	expect(&p, "3 IDLE");
	assert_int_equal(imap_watch_push(p.conn), IMAP_PUSH_IDLE);
	close_peer(&p);
}

/* -- STATUS and NOOP ------------------------------------------------------- */

/* Answers to STATUS of "\u00e9t\u00e9", and what becomes of the call. */
static const struct {
	const char *answer;
	enum mt_status status;
	bool usable;
} answers[] = {
    {"* STATUS &AOk-t&AOk- (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\n3 OK\r\n",
	MT_OK, true},
    {"3 NO [NONEXISTENT] none\r\n", MT_BAD_INPUT, true},
    {"3 NO Mailbox doesn't exist\r\n", MT_BAD_INPUT, true},
    {"3 NO [UNAVAILABLE] disk\r\n", MT_RETRY_LATER, true},
    {"3 NO Temporary error\r\n", MT_RETRY_LATER, true},
    {"3 BAD User is authenticated but not connected.\r\n", MT_RETRY_LATER,
	true},
    {"3 OK\r\n", MT_RETRY_LATER, true},
    {"* STATUS Other (MESSAGES 1)\r\n3 OK\r\n", MT_RETRY_LATER, true},
    {"* STATUS {11}\r\n&AOk-t&AOk- (MESSAGES 1 UIDNEXT 2)\r\n3 OK\r\n", MT_OK,
	true},
    {"* STATUS {15}\r\n&AOk-t\r\n3 OK x\r\n", MT_RETRY_LATER, false},
    {"* BYE\r\n", MT_RETRY_LATER, false},
};

static void
status_tells_what_became_of_the_mailbox(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct imap_mailbox mailbox = {0};
		enum mt_status status;
		struct watch p;

		open_peer(&p, IDLE_ONLY);
		say(&p, answers[i].answer);
		status = imap_conn_status(p.conn, "\u00e9t\u00e9", &mailbox,
		    deadline_in_ms(CALL_MS), &p.err);
		expect(&p, "3 STATUS \"&AOk-t&AOk-\" "
			   "(MESSAGES UIDNEXT UIDVALIDITY)");
		if (status != answers[i].status ||
		    imap_conn_is_usable(p.conn) != answers[i].usable)
			fail_msg("%s: %d, %s", answers[i].answer, status,
			    p.err.text);
		assert_int_equal(mailbox.uidnext, status == MT_OK ? 2 : 0);
		close_peer(&p);
	}
}

static void
noop_tells_of_the_opened_mailbox(void **state)
{
	int64_t before;
	struct watch p;

	(void)state;
	open_peer(&p, "IMAP4rev1");
	before = imap_conn_last_byte_ms(p.conn);
	assert_true(before > 0 && before <= deadline_in_ms(0).at_ms);
	say(&p,
	    "3 OK\r\n* 3 EXISTS\r\n4 OK\r\n* 1 EXPUNGE\r\n5 OK\r\n6 NO\r\n");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(imap_conn_noop(p.conn, &p.news,
				     deadline_in_ms(CALL_MS), &p.err),
		    MT_OK);
		assert_int_equal(p.news.selected_changed, i == 1);
	}
	assert_int_equal(
	    imap_conn_noop(p.conn, &p.news, deadline_in_ms(CALL_MS), &p.err),
	    MT_RETRY_LATER);
	assert_true(imap_conn_last_byte_ms(p.conn) >= before);
	close_peer(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(best_push_is_what_the_server_offers),
	    cmocka_unit_test(news_beside_the_agreement_are_not_lost),
	    cmocka_unit_test(opened_mailbox_is_news_when_it_grows),
	    cmocka_unit_test(partial_lines_wait_for_their_end),
	    cmocka_unit_test(what_comes_between_commands_is_told_later),
	    cmocka_unit_test(end_is_answered_and_the_connection_goes_on),
	    cmocka_unit_test(end_that_is_not_answered_breaks_the_connection),
	    cmocka_unit_test(response_goes_on_behind_the_end),
	    cmocka_unit_test(farewell_is_told_once),
	    cmocka_unit_test(farewell_instead_of_an_answer_is_a_failure),
	    cmocka_unit_test(server_may_end_the_idle_itself),
	    cmocka_unit_test(nonsense_ends_the_connection),
	    cmocka_unit_test(endless_talk_is_cut_off),
	    cmocka_unit_test(reading_takes_a_share_at_a_time),
	    cmocka_unit_test(refused_idle_leaves_the_connection),
	    cmocka_unit_test(
		silence_instead_of_an_answer_breaks_the_connection),
	    cmocka_unit_test(notify_tells_of_other_mailboxes),
	    cmocka_unit_test(notify_again_tells_what_has_changed),
	    cmocka_unit_test(refused_notify_falls_back_to_idle),
	    cmocka_unit_test(overflow_falls_back_to_idle),
	    cmocka_unit_test(names_that_can_be_none_leave_the_connection),
	    cmocka_unit_test(names_too_long_for_one_line_fall_back_to_idle),
	    cmocka_unit_test(status_tells_what_became_of_the_mailbox),
	    cmocka_unit_test(noop_tells_of_the_opened_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
