/* SPDX-License-Identifier: ISC */
/* mailtoken-hooks as its parent sees it: what it runs, and what it does not,
 * whoever speaks to it. */
#include "hooks/hook_list.h"
#include "hooks/hook_wire.h"

#include "base/child.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 20000

struct bench {
	char *dir;
	pid_t pid;
	int fd;
	char buffer[HOOK_FRAME_MAX];
	struct token_wire_message answer;
	char paths[4][256]; /* of scripts */
	size_t scripts;
};

static const struct hook_news news = {
    .event = "needs-login",
    .account = "work",
    .user = "u",
    .provider = "p",
    .state = "s",
    .time = "t",
    .text = "line\nevent=forged",
};

/* The path is good until the fourth script after it. */
static const char *
script(struct bench *b, const char *name, const char *body)
{
	char *path = b->paths[b->scripts++ % 4];
	char text[1024];

	snprintf(path, sizeof(*b->paths), "%s/%s", b->dir, name);
	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	scratch_write(b->dir, name, text);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

static void
settings(const struct bench *b, const char *name, const char *rest)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s\n%s", *name ? "hook = " : "",
	    *name ? scratch_path(b->dir, name) : "", rest);
	scratch_write(b->dir, "settings", text);
	chmod(scratch_path(b->dir, "settings"), 0644);
}

static void
start(struct bench *b, const char *file)
{
	const char *const argv[] = {"mailtoken-hooks",
	    scratch_path(b->dir, "state"), b->dir, scratch_path(b->dir, file),
	    NULL};
	struct child child = {
	    .program = MT_HOOKS,
	    .argv = argv,
	    .fds = {CHILD_NULL, STDERR_FILENO, STDERR_FILENO},
	    .fd_count = HOOK_FD + 1,
	};
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	child.fds[HOOK_FD] = ends[1];
	assert_int_equal(child_start(&child, &b->pid), 0);
	close(ends[1]);
	b->fd = ends[0];
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *dir = NULL;

	if (!b || scratch_setup(&dir))
		return -1;
	*b = (struct bench){.dir = dir, .fd = -1};
	chmod(b->dir, 0755);
	scratch_mkdir(b->dir, "state");
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	void *dir = b->dir;

	if (b->fd >= 0)
		close(b->fd);
	if (b->pid) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	free(b);
	return scratch_teardown(&dir);
}

static void
send_text(struct bench *b, const char *text)
{
	assert_int_equal(send(b->fd, text, strlen(text), MSG_NOSIGNAL),
	    (ssize_t)strlen(text));
}

static void
tell(struct bench *b, size_t slot, const char *program)
{
	struct secret frame = SECRET_INIT;

	assert_true(hook_wire_run(&frame, slot, program, &news));
	assert_int_equal(hook_wire_send(b->fd, &frame), 0);
	secret_done(&frame);
}

/* 1, or -1 if it has closed its end. */
static int
wait_answer(struct bench *b)
{
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, ANSWER_MS), 1);
	return hook_wire_receive(b->fd, b->buffer, &b->answer);
}

static void
assert_ended(struct bench *b, const char *slot, const char *why)
{
	assert_int_equal(wait_answer(b), 1);
	assert_string_equal(b->answer.verb, "ended");
	assert_string_equal(token_wire_get(&b->answer, "slot"), slot);
	assert_string_equal(token_wire_get(&b->answer, "why"), why);
}

static void
assert_ends(struct bench *b)
{
	int status;

	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	assert_int_equal(status, 0);
}

/* ---- what it runs ---- */

static void
hook_is_run_and_its_end_and_output_come_back(void **state)
{
	struct bench *b = *state;
	const char *hook =
	    script(b, "hook", "pwd; echo \"$#:$1:$2\"; cat; exit 3");

	settings(b, "hook", "");
	start(b, "settings");
	tell(b, 5, hook);
	assert_ended(b, "5", "exit status 3");
	assert_string_equal(token_wire_get(&b->answer, "output"),
	    "/\n2:needs-login:work\nevent=needs-login\naccount=work\nuser=u\n"
	    "provider=p\nstate=s\ntime=t\ntext=line?event=forged\n");
}

static void
output_beyond_the_limit_is_left_out(void **state)
{
	struct bench *b = *state;
	const char *hook =
	    script(b, "hook", "head -c 5000 /dev/zero | tr '\\0' '\\\\'");

	settings(b, "hook", "");
	start(b, "settings");
	tell(b, 0, hook);
	assert_ended(b, "0", "");
	assert_int_equal(
	    strlen(token_wire_get(&b->answer, "output")), HOOK_OUTPUT_MAX);
}

static void
slots_do_not_wait_for_each_other(void **state)
{
	struct bench *b = *state;
	const char *slow = script(b, "slow", "read line <\"${0%/*}/fifo\""),
		   *quick = script(b, "quick", "exit 0");
	char line[256];
	int fifo;

	mkfifo(scratch_path(b->dir, "fifo"), 0600);
	snprintf(line, sizeof(line), "hook = %s\n", quick);
	settings(b, "slow", line);
	start(b, "settings");
	tell(b, 0, slow);
	tell(b, 1, quick);
	assert_ended(b, "1", "");
	fifo = open(scratch_path(b->dir, "fifo"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fifo, "\n", 1), 1);
	close(fifo);
	assert_ended(b, "0", "");
}

/* ---- what it does not ---- */

static void
program_that_the_settings_do_not_name_is_not_run(void **state)
{
	struct bench *b = *state;
	const char *other = script(b, "other", ": >\"${0%/*}/ran\"");

	script(b, "hook", "");
	settings(b, "hook", "[account a]\n");
	start(b, "settings");
	tell(b, 0, other);
	assert_ended(b, "0", "the settings do not name it");
	/* a setting of that name in a section is none of its kind */
	settings(b, "", "[account a]\nhook = /bin/true\n");
	send_text(b, "1\treload\n");
	tell(b, 0, "/bin/true");
	assert_ended(b, "0", "the settings do not name it");
	assert_false(scratch_exists(b->dir, "ran"));
}

static void
settings_are_read_again_when_told(void **state)
{
	struct bench *b = *state;
	const char *hook = script(b, "hook", "");

	settings(b, "", "");
	start(b, "settings");
	settings(b, "hook", "");
	send_text(b, "1\treload\n");
	tell(b, 0, hook);
	assert_ended(b, "0", "");
	/* what cannot be read changes nothing, and is said */
	settings(b, "missing", "");
	send_text(b, "1\treload\n");
	assert_int_equal(wait_answer(b), 1);
	assert_string_equal(b->answer.verb, "error");
	assert_non_null(strstr(token_wire_get(&b->answer, "why"), "missing"));
	tell(b, 0, hook);
	assert_ended(b, "0", "");
}

/* Where the helper can write, whoever got hold of it can. */
static void
what_lies_in_the_state_directory_counts_for_nothing(void **state)
{
	static const char *const hooks[] = {"state/hook", "link", "state/link"};
	struct bench *b = *state;
	int n;

	script(b, "state/hook", "");
	assert_int_equal(
	    symlink("state/hook", scratch_path(b->dir, "link")), 0);
	assert_int_equal(
	    symlink("/bin/true", scratch_path(b->dir, "state/link")), 0);
	settings(b, "", "");
	start(b, "settings");
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
		settings(b, hooks[i], "");
		send_text(b, "1\treload\n");
		n = wait_answer(b);
		if (n != 1 || !strstr(token_wire_get(&b->answer, "why"),
				  "lies in the state directory"))
			fail_msg("%s", hooks[i]);
	}
}

static void
settings_in_the_state_directory_count_for_nothing(void **state)
{
	struct bench *b = *state;

	scratch_write(b->dir, "state/settings", "hook = /bin/true\n");
	chmod(scratch_path(b->dir, "state/settings"), 0644);
	start(b, "state/settings");
	assert_int_equal(wait_answer(b), 1);
	assert_string_equal(b->answer.verb, "error");
	tell(b, 0, "/bin/true");
	assert_ended(b, "0", "the settings do not name it");
}

static void
program_that_others_can_change_by_now_is_not_run(void **state)
{
	struct bench *b = *state;
	const char *hook = script(b, "hook", ": >\"${0%/*}/ran\"");

	settings(b, "hook", "");
	start(b, "settings");
	tell(b, 0, hook);
	assert_ended(b, "0", "");
	scratch_remove(b->dir, "ran");
	chmod(hook, 0777);
	tell(b, 0, hook);
	assert_int_equal(wait_answer(b), 1);
	assert_non_null(
	    strstr(token_wire_get(&b->answer, "why"), "can be written"));
	assert_false(scratch_exists(b->dir, "ran"));
}

static void
nonsense_ends_it(void **state)
{
	static const char *const nonsense[] = {
	    "x",
	    "1\tstop\n",
	    "1\trun\n",
	    "1\trun\tslot=0\tprogram=/bin/true\tevent=a\taccount=--help"
	    "\tuser=\tprovider=\tstate=\ttime=\ttext=\n",
	};
	struct bench *b = *state;

	settings(b, "", "hook = /bin/true\n");
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		start(b, "settings");
		send_text(b, nonsense[i]);
		assert_int_equal(wait_answer(b), -1);
		assert_ends(b);
		close(b->fd);
	}
	b->fd = -1;
}

static void
busy_slot_takes_nothing_more(void **state)
{
	struct bench *b = *state;
	const char *hook = script(b, "hook", "exec sleep 1");

	settings(b, "hook", "");
	start(b, "settings");
	tell(b, 0, hook);
	tell(b, 0, hook);
	assert_int_equal(wait_answer(b), -1);
	assert_ends(b);
}

/* ---- its end ---- */

static void
ends_with_its_parent_and_lets_the_hook_finish(void **state)
{
	struct bench *b = *state;
	const char *hook = script(
	    b, "hook", "read line <\"${0%/*}/fifo\"; : >\"${0%/*}/done\"");
	int fifo;

	mkfifo(scratch_path(b->dir, "fifo"), 0600);
	settings(b, "hook", "");
	start(b, "settings");
	tell(b, 0, hook);
	fifo = open(scratch_path(b->dir, "fifo"), O_WRONLY | O_CLOEXEC);
	close(b->fd);
	b->fd = -1;
	assert_int_equal(waitpid(b->pid, NULL, WNOHANG), 0);
	assert_int_equal(write(fifo, "\n", 1), 1);
	close(fifo);
	assert_ends(b);
	assert_true(scratch_exists(b->dir, "done"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(hook_is_run_and_its_end_and_output_come_back),
	    TEST(output_beyond_the_limit_is_left_out),
	    TEST(slots_do_not_wait_for_each_other),
	    TEST(program_that_the_settings_do_not_name_is_not_run),
	    TEST(settings_are_read_again_when_told),
	    TEST(what_lies_in_the_state_directory_counts_for_nothing),
	    TEST(settings_in_the_state_directory_count_for_nothing),
	    TEST(program_that_others_can_change_by_now_is_not_run),
	    TEST(nonsense_ends_it),
	    TEST(busy_slot_takes_nothing_more),
	    TEST(ends_with_its_parent_and_lets_the_hook_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
