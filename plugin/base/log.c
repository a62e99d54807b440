/* SPDX-License-Identifier: ISC */
#include "log.h"

#include "buf.h"
#include "fs.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

/* Set by main before the first thread, read-only afterwards. */
static struct {
	const char *program;
	bool verbose;
	bool errors_only;
	bool priorities; /* standard error goes to the journal */
} logger = {.program = "mailtoken"};

/* Whoever started us may have closed them. */
static void
open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void
log_init(const char *program, bool verbose)
{
	open_standard_files();
	logger.program = program;
	logger.verbose = verbose;
	logger.priorities = getenv("JOURNAL_STREAM") != NULL;
}

void
log_errors_only(void)
{
	logger.errors_only = true;
}

static MT_PRINTF(2, 0) void write_line(
    int priority, const char *format, va_list args)
{
	char text[LINE_MAX_BYTES];
	struct buf line = BUF_INIT(LINE_MAX_BYTES + 128);

	if (logger.errors_only && priority > LOG_ERR)
		return;
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		return;
	if (logger.priorities)
		buf_add_format(&line, "<%d>", priority);
	else
		buf_add_format(&line, "%s: ", logger.program);
	buf_add_printable(&line, text, strlen(text), sizeof(text));
	buf_add_char(&line, '\n');
	if (buf_ok(&line))
		fs_write_all(STDERR_FILENO, line.data, line.len);
	buf_done(&line);
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_ERR, format, args);
	va_end(args);
}

void
log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_WARNING, format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_INFO, format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!logger.verbose)
		return;
	va_start(args, format);
	write_line(LOG_DEBUG, format, args);
	va_end(args);
}
