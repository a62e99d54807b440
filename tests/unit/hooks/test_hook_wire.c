/* SPDX-License-Identifier: ISC */
#include "hooks/hook_wire.h"

#include "hooks/hook_list.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REST "\tuser=u\tprovider=p\tstate=s\ttime=t\ttext=x\n"
#define LONG(c) c c c c c c c c c c c c c c c c

static const struct hook_news news = {
    .event = "needs-login",
    .account = "work",
    .user = "a b\tc\nd",
    .provider = "p",
    .state = "s",
    .time = "t",
    .text = "\\x",
};

static void
news_arrive_as_they_were(void **state)
{
	struct secret frame = SECRET_INIT;
	char buffer[HOOK_FRAME_MAX];
	struct token_wire_message message;
	struct hook_news got;
	const char *program;
	size_t slot;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_true(hook_wire_run(&frame, 7, "/bin/x y", &news));
	assert_int_equal(hook_wire_send(ends[0], &frame), 0);
	assert_int_equal(hook_wire_receive(ends[1], buffer, &message), 1);
	assert_true(hook_wire_read_run(&message, &slot, &program, &got));
	assert_int_equal(slot, 7);
	assert_string_equal(program, "/bin/x y");
	assert_string_equal(got.event, news.event);
	assert_string_equal(got.account, news.account);
	assert_string_equal(got.user, news.user);
	assert_string_equal(got.text, news.text);
	assert_int_equal(hook_wire_receive(ends[1], buffer, &message), 0);
	close(ends[0]);
	assert_int_equal(hook_wire_receive(ends[1], buffer, &message), -1);
	assert_int_equal(errno, 0);
	close(ends[1]);
	secret_done(&frame);
}

static void
runs_that_mean_something_else_are_refused(void **state)
{
	static const struct {
		const char *frame;
		bool good;
	} cases[] = {
	    {"1\trun\tslot=0\tprogram=/x\tevent=a-b\taccount=a.b@c-d_1" REST,
		true},
	    {"1\trun\tslot=0\tprogram=/x\tevent=locked\taccount=" REST, true},
	    {"1\trun\tslot=8\tprogram=/x\tevent=a\taccount=a" REST, false},
	    {"1\trun\tslot=-1\tprogram=/x\tevent=a\taccount=a" REST, false},
	    {"1\trun\tprogram=/x\tevent=a\taccount=a" REST, false},
	    {"1\trun\tslot=0\tevent=a\taccount=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\taccount=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=a\n", false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=\taccount=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=-a\taccount=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a b\taccount=a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=-a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=/a" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=a b" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=a\\nb" REST, false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=a\taccount=" LONG("12345678")
		    REST,
		false},
	    {"1\trun\tslot=0\tprogram=/x\tevent=" LONG(
		 "abc") "\taccount=a" REST,
		false},
	};
	struct token_wire_message message;
	struct hook_news got;
	const char *program;
	char frame[1024];
	size_t slot;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].frame);

		memcpy(frame, cases[i].frame, len + 1);
		assert_true(token_wire_parse(frame, len, &message));
		if (hook_wire_read_run(&message, &slot, &program, &got) !=
		    cases[i].good)
			fail_msg("%s", cases[i].frame);
	}
}

static void
frames_are_bounded(void **state)
{
	static char text[HOOK_FRAME_MAX];
	struct hook_news much = news;
	struct secret frame = SECRET_INIT;
	char buffer[HOOK_FRAME_MAX];
	struct token_wire_message message;
	int ends[2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	much.text = text;
	assert_false(hook_wire_run(&frame, 0, "/x", &much));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(hook_wire_send(ends[0], &frame), 0);
	assert_int_equal(hook_wire_receive(ends[1], buffer, &message), -1);
	assert_int_equal(errno, EPROTO);
	close(ends[0]);
	close(ends[1]);
	secret_done(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(news_arrive_as_they_were),
	    cmocka_unit_test(runs_that_mean_something_else_are_refused),
	    cmocka_unit_test(frames_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
