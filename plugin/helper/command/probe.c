/* SPDX-License-Identifier: ISC */
#include "probe.h"

#include "base/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOODBYE_MS 10000 /* for the end of the dialogue and the process */

static enum mt_status
start(struct probe *probe, struct mt_error *err)
{
	static const char *const argv[] = {"mailtoken-probe", NULL};
	char path[PATH_MAX];
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket pair");
	const struct child child = {
	    .program = child_find_program(argv[0], MT_PROBE_PATH, path),
	    .argv = argv,
	    .fds = {CHILD_NULL, STDERR_FILENO, STDERR_FILENO, ends[1]},
	    .fd_count = 4,
	};

	error = child_start(&child, &probe->pid);
	close(ends[1]);
	if (!error) {
		token_client_adopt(&probe->client, ends[0]);
		return MT_OK;
	}
	close(ends[0]);
	return mt_fail_errno(
	    err, MT_UNREACHABLE, error, "cannot start %s", child.program);
}

enum mt_status
probe_run(struct probe *probe, const struct probe_target *target,
    struct token_wire_message *ret_said, struct mt_error *err)
{
	struct secret *frame = &probe->client.frame;
	enum mt_status status;

	probe->pid = 0;
	token_client_init(&probe->client, (uid_t)-1);
	status = start(probe, err);
	if (status != MT_OK)
		return status;
	token_wire_begin(frame, "probe");
	token_wire_add(frame, "service", target->service);
	token_wire_add(frame, "host", target->host);
	token_wire_add_number(frame, "port", target->port);
	token_wire_add_number(frame, "starttls", target->starttls);
	token_wire_add_number(frame, "timeout_s", target->timeout_s);
	token_wire_add(frame, "user", target->user);
	token_wire_add_secret(frame, "token", target->token);
	if (target->ca_file)
		token_wire_add(frame, "ca_file", target->ca_file);
	if (!token_wire_end(frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	if (token_client_call(&probe->client, -1, ret_said,
		deadline_in_ms(target->timeout_s * 1000 + GOODBYE_MS),
		err) != MT_OK)
		return mt_fail(err, MT_UNREACHABLE,
		    "mailtoken-probe, which logs in there, did not answer");
	return MT_OK;
}

void
probe_done(struct probe *probe)
{
	token_client_done(&probe->client);
	if (!probe->pid)
		return;
	/* what it has to say was read */
	kill(probe->pid, SIGKILL);
	while (waitpid(probe->pid, NULL, 0) < 0 && errno == EINTR)
		;
	probe->pid = 0;
}
