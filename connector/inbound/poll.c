/* SPDX-License-Identifier: ISC */
#include "inbound/poll.h"

#include "base/deadline.h"

#include <stdarg.h>
#include <stdio.h>

void
poll_notice(const struct poll *poll, const char *format, ...)
{
	char text[MT_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	poll->in->notice(poll->in->context, text);
}

struct deadline
poll_deadline(uint64_t bytes)
{
	return deadline_in_ms(
	    POLL_COMMAND_MS + (int64_t)(bytes / POLL_MIN_BYTES_PER_MS));
}

enum mt_status
poll_check_stop(const struct poll *poll, struct mt_error *err)
{
	if (!poll->in->stop || !atomic_load(poll->in->stop))
		return MT_OK;
	return mt_fail(
	    err, MT_RETRY_LATER, "ended before all that is new was fetched");
}
