/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-mime-worker: where received bytes meet GMime.  Started by
 * mime_process with a socket as descriptor 3; locks itself down, says that it
 * is ready, then takes one message after the other until the socket closes.
 * Takes no arguments, has no settings, says nothing to anybody else.
 */
#include <stdio.h>
#include <unistd.h>

#include "mime_charset.h"
#include "mime_extract.h"
#include "mime_lockdown.h"
#include "mime_process.h"
#include "mime_wire.h"

static bool
emit_frame(
    void *context, enum mime_frame_kind kind, const void *data, size_t len)
{
	(void)context;
	return mime_wire_send(MIME_PROCESS_FD, kind, data, len);
}

static ssize_t
discard(void *context, const char *text, size_t size)
{
	(void)context;
	(void)text;
	return (ssize_t)size;
}

/* libytnef and libical print what they think of a message.  To write is
 * forbidden, and would end the process. */
static bool
silence(void)
{
	static const cookie_io_functions_t functions = {.write = discard};

	stdout = fopencookie(NULL, "w", functions);
	stderr = fopencookie(NULL, "w", functions);
	return stdout && stderr;
}

int
main(void)
{
	struct mime_charsets charsets;
	struct mime_limits limits;
	int message_fd;

	mime_extract_init();
	mime_charset_load(&charsets);
	if (!silence() || !mime_lockdown(MIME_PROCESS_FD) ||
	    !mime_wire_send(MIME_PROCESS_FD, MIME_FRAME_READY, NULL, 0))
		_exit(1);
	while (
	    mime_wire_receive_request(MIME_PROCESS_FD, &message_fd, &limits)) {
		mime_extract(message_fd, &limits, emit_frame, NULL);
		close(message_fd);
	}
	/* no exit handlers: what they do may be forbidden by now */
	_exit(0);
}
