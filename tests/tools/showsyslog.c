/* SPDX-License-Identifier: ISC */
/*
 * For LD_PRELOAD: what a program logs by syslog(3) goes to its standard error,
 * as "syslog: ...".  Where a mail program has no place for libsasl2's error
 * texts, libsasl2 itself logs them in this way.
 */
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

/* Of programs that were compiled with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *format, ...);

static void
show(const char *format, va_list args)
{
	char text[4096];

	vsnprintf(text, sizeof(text), format, args);
	fprintf(stderr, "syslog: %s\n", text);
}

__attribute__((visibility("default"))) void
syslog(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	show(format, args);
	va_end(args);
}

__attribute__((visibility("default"))) void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)priority;
	(void)flag;
	va_start(args, format);
	show(format, args);
	va_end(args);
}
