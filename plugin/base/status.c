/* SPDX-License-Identifier: ISC */
#include "status.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The end may be half a character, if the text was cut. */
static void
make_printable(char *text)
{
	char *bad = text + utf8_valid_len(text, strlen(text));

	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if ((char *)p == bad) {
			*p = '?';
			bad += utf8_valid_len(bad, strlen(bad));
		} else if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
		}
	}
}

static MT_PRINTF(3, 0) void fill(struct mt_error *err, enum mt_status status,
    const char *format, va_list args)
{
	err->status = status;
	if (vsnprintf(err->text, sizeof(err->text), format, args) < 0)
		err->text[0] = '\0';
	make_printable(err->text);
}

enum mt_status
mt_fail(struct mt_error *err, enum mt_status status, const char *format, ...)
{
	va_list args;

	if (!err)
		return status;
	va_start(args, format);
	fill(err, status, format, args);
	va_end(args);
	return status;
}

enum mt_status
mt_fail_errno(struct mt_error *err, enum mt_status status, int errnum,
    const char *format, ...)
{
	va_list args;
	size_t used;
	char reason[128];

	if (!err)
		return status;
	va_start(args, format);
	fill(err, status, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerror_r(errnum, reason, sizeof(reason)));
	return status;
}

int
mt_exit_code(enum mt_status status)
{
	switch (status) {
	case MT_OK:
		return EX_OK;
	case MT_REFUSED:
		return 1;
	case MT_USAGE:
		return EX_USAGE;
	case MT_BAD_INPUT:
		return EX_DATAERR;
	case MT_NO_ACCOUNT:
		return EX_NOUSER;
	case MT_UNREACHABLE:
		return EX_UNAVAILABLE;
	case MT_RETRY_LATER:
	case MT_NO_MEMORY:
		return EX_TEMPFAIL;
	case MT_NEEDS_LOGIN:
	case MT_NEEDS_ADMIN:
		return EX_NOPERM;
	case MT_BAD_CONFIG:
		return EX_CONFIG;
	case MT_BUG:
		return EX_SOFTWARE;
	}
	return EX_SOFTWARE;
}
