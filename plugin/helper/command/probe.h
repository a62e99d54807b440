/* SPDX-License-Identifier: ISC */
/*
 * Logs in at a mail server, in a process of its own: mailtoken-probe.  Only that
 * sees what the server sends; neither the helper nor this program does.
 */
#ifndef MT_COMMAND_PROBE_H
#define MT_COMMAND_PROBE_H

#include "tokensock/token_client.h"

#include <sys/types.h>

struct probe {
	struct token_client client; /* whose other end is the process */
	pid_t pid;
};

struct probe_target {
	const char *service; /* imap or smtp */
	const char *host;
	long port;
	bool starttls;
	long timeout_s;
	const char *user;
	const struct secret *token;
	const char *ca_file; /* NULL: the system's */
};

/*
 * Runs it.  MT_OK, whatever the server did, with what the process says in
 * *ret_said (the fields are in plugin/helper/probe/main.c), which lives until
 * probe_done().  MT_UNREACHABLE if there is no word of it.  Blocks for `timeout_s`
 * and a few seconds at most.
 */
enum mt_status probe_run(struct probe *probe, const struct probe_target *target,
    struct token_wire_message *ret_said, struct mt_error *err) MT_MUST_CHECK;

/* Ends the process; to be called whatever probe_run() returned. */
void probe_done(struct probe *probe);

#endif
