/* SPDX-License-Identifier: ISC */
#include "passphrase.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LENGTH_MAX 4095 /* of a line on a terminal, termios(3) */

static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
#define ENDS (sizeof(ends) / sizeof(*ends))

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/* A terminal whose echo is off, and what it was before. */
struct quiet {
	struct termios terminal;
	struct sigaction action[ENDS];
};

static void
make_quiet(struct quiet *quiet)
{
	struct sigaction action = {.sa_handler = on_signal}; /* interrupts */
	struct termios silent;

	caught = 0;
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &action, &quiet->action[i]);
	tcgetattr(STDIN_FILENO, &quiet->terminal);
	silent = quiet->terminal;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	silent.c_lflag |= ECHONL;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
}

static void
end_quiet(const struct quiet *quiet)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet->terminal);
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &quiet->action[i], NULL);
	if (caught)
		raise(caught);
}

/* Byte by byte: what follows the line is not ours. */
static enum mt_status
read_line(struct secret *line, struct mt_error *err)
{
	ssize_t n = 0;
	char c;

	secret_reset(line);
	while (line->len <= LENGTH_MAX &&
	       (n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		secret_add(line, &c, 1);
	explicit_bzero(&c, sizeof(c));
	if (n < 0)
		return mt_fail_errno(
		    err, MT_BAD_INPUT, errno, "cannot read the passphrase");
	if (!secret_ok(line))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	if (!line->len)
		return mt_fail(err, MT_BAD_INPUT, "no passphrase was given");
	return MT_OK;
}

bool
passphrase_is_asked(void)
{
	return isatty(STDIN_FILENO);
}

enum mt_status
passphrase_read(
    const char *prompt, struct secret *passphrase, struct mt_error *err)
{
	enum mt_status status;
	struct quiet quiet;

	if (!passphrase_is_asked())
		return read_line(passphrase, err);
	make_quiet(&quiet);
	fputs(prompt, stderr);
	status = read_line(passphrase, err);
	end_quiet(&quiet);
	return status;
}

enum mt_status
passphrase_open(
    const struct secret *passphrase, int *ret_fd, struct mt_error *err)
{
	int ends_of[2];

	/* a line fits into any pipe */
	if (pipe2(ends_of, O_CLOEXEC | O_NONBLOCK))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a pipe");
	*ret_fd = ends_of[0];
	if (fs_write_all(
		ends_of[1], secret_expose(passphrase), passphrase->len)) {
		mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot write into a pipe");
		close(ends_of[0]);
		close(ends_of[1]);
		return err->status;
	}
	close(ends_of[1]);
	return MT_OK;
}
