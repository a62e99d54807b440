/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-hooks: runs the programs that the administrator wants told of what
 * a person must mend (`hook` in mailtoken.conf(5)), for mailtokend, which starts
 * it before it gives up running programs itself.
 *
 *     mailtoken-hooks STATE_DIR CONFIG_DIR [CONFIG_FILE]
 *
 * Holds no secret.  Speaks hook_wire.h on descriptor 3.  mailtokend says when
 * and with which news, but not what is run: that is read from the settings,
 * here, at the start and when it is told to, so whoever got hold of mailtokend
 * could run nothing else.
 *
 * It ends when mailtokend does.  What runs then may go on for what is left of
 * its time: it is another's program, perhaps in the middle of sending a mail.
 */
#include "hook_list.h"
#include "hook_run.h"
#include "hook_wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

struct hooks {
	struct hook_places places;
	struct hook_list list;
	struct hook_run runs[HOOKS_MAX];
	int children; /* tells of their end */
	bool over;    /* mailtokend is gone */
};

/* ---- answers ---- */

/* If mailtokend does not listen, nothing waits for it. */
static void
say(struct hooks *hooks, struct secret *frame)
{
	if (!hooks->over && token_wire_end(frame) &&
	    hook_wire_send(HOOK_FD, frame) && errno != EAGAIN)
		hooks->over = true;
	secret_done(frame);
}

static void
say_ended(
    struct hooks *hooks, size_t slot, const char *why, const struct buf *output)
{
	struct secret frame = SECRET_INIT;

	token_wire_begin(&frame, "ended");
	token_wire_add_number(&frame, "slot", (long)slot);
	token_wire_add(&frame, "why", why);
	token_wire_add(&frame, "output", output ? buf_text(output) : "");
	say(hooks, &frame);
}

/* ---- requests ---- */

/* What cannot be read leaves the hooks as they were. */
static void
read_list(struct hooks *hooks)
{
	struct hook_list list = {0};
	struct secret frame = SECRET_INIT;
	struct mt_error err = {0};

	if (hook_list_read(&list, &hooks->places, &err) == MT_OK) {
		hook_list_done(&hooks->list);
		hooks->list = list;
		return;
	}
	token_wire_begin(&frame, "error");
	token_wire_add(&frame, "why", err.text);
	say(hooks, &frame);
}

static bool
run(struct hooks *hooks, const struct token_wire_message *message)
{
	struct mt_error err = {0};
	struct hook_news news;
	const char *program;
	size_t slot;

	if (!hook_wire_read_run(message, &slot, &program, &news))
		return false;
	if (hooks->runs[slot].pid)
		return false;
	if (!hook_list_has(&hooks->list, program))
		mt_fail(&err, MT_BAD_CONFIG, "the settings do not name it");
	else if (hook_run_start(&hooks->runs[slot], program, &news, &err) ==
		 MT_OK)
		return true;
	say_ended(hooks, slot, err.text, NULL);
	return true;
}

static bool
obey(struct hooks *hooks, const struct token_wire_message *message)
{
	if (strcmp(message->verb, "run") == 0)
		return run(hooks, message);
	if (strcmp(message->verb, "reload") != 0)
		return false;
	read_list(hooks);
	return true;
}

/* Who says anything else is obeyed no more. */
static void
listen_to_helper(struct hooks *hooks)
{
	char buffer[HOOK_FRAME_MAX];
	struct token_wire_message message;
	int n;

	while (!hooks->over &&
	       (n = hook_wire_receive(HOOK_FD, buffer, &message)) != 0)
		if (n < 0 || !obey(hooks, &message))
			hooks->over = true;
	if (hooks->over)
		close(HOOK_FD);
}

/* ---- the loop ---- */

static void
collect(struct hooks *hooks)
{
	for (size_t slot = 0; slot < HOOKS_MAX; slot++) {
		struct buf output = BUF_INIT(HOOK_OUTPUT_MAX);
		struct mt_error why;

		hook_run_watch(&hooks->runs[slot]);
		if (hook_run_collect(&hooks->runs[slot], &why, &output))
			say_ended(hooks, slot, why.text, &output);
		buf_done(&output);
	}
}

/* How long until the next one is to be killed; -1: none runs. */
static int
next_ms(const struct hooks *hooks)
{
	int next = -1;

	for (size_t slot = 0; slot < HOOKS_MAX; slot++) {
		const struct hook_run *r = &hooks->runs[slot];
		int left = deadline_left_ms(r->deadline);

		/* one that is killed is waited for, however long it takes */
		if (r->pid && !r->timed_out && (next < 0 || left < next))
			next = left;
	}
	return next;
}

static bool
has_work(const struct hooks *hooks)
{
	for (size_t slot = 0; slot < HOOKS_MAX; slot++)
		if (hooks->runs[slot].pid)
			return true;
	return !hooks->over;
}

static void
work(struct hooks *hooks)
{
	struct signalfd_siginfo child;

	while (has_work(hooks)) {
		struct pollfd wait[] = {
		    {.fd = hooks->children, .events = POLLIN},
		    {.fd = hooks->over ? -1 : HOOK_FD, .events = POLLIN},
		};

		if (poll(wait, 2, next_ms(hooks)) < 0 && errno != EINTR)
			return;
		while (read(hooks->children, &child, sizeof(child)) > 0)
			;
		collect(hooks);
		if (!hooks->over && wait[1].revents)
			listen_to_helper(hooks);
	}
}

/* It ends when mailtokend does, whatever else is told to a whole group of
 * processes. */
static int
prepare_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	sigset_t children;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(int argc, char **argv)
{
	struct hooks hooks = {0};

	if (argc < 3 || argc > 4)
		return EX_USAGE;
	/* mailtokend may run as the same user: it shall not reach in here */
	secret_protect_process();
	hooks.places = (struct hook_places){
	    .state_dir = argv[1],
	    .config_dir = argv[2],
	    .config_file = argv[3],
	};
	hooks.children = prepare_signals();
	if (hooks.children < 0)
		return EX_OSERR;
	read_list(&hooks);
	work(&hooks);
	hook_list_done(&hooks.list);
	return EX_OK;
}
