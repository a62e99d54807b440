/* SPDX-License-Identifier: ISC */
/*
 * A worker that has been taken over: the first line of a message is what it
 * does.  For what the real one cannot be brought to do.
 */
#include "mime/mime_process.h"
#include "mime/mime_wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD MIME_PROCESS_FD

static void
say(enum mime_frame_kind kind, const void *data, size_t len)
{
	if (!mime_wire_send(FD, kind, data, len))
		_exit(1);
}

static void
say_text(enum mime_frame_kind kind, const char *text)
{
	say(kind, text, strlen(text));
}

static void
say_attachment(const char *type, const char *id, const char *name)
{
	struct mime_wire_attachment a = {false, type, id, name};
	uint8_t frame[MIME_WIRE_ATTACHMENT_MAX];

	say(MIME_FRAME_ATTACHMENT, frame, mime_wire_put_attachment(frame, &a));
}

static void
done(void)
{
	say(MIME_FRAME_DONE, "\0", 1);
}

/* An attachment, then the end that its sender wants for it. */
static void
half(void)
{
	say_text(MIME_FRAME_SUBJECT, "half");
	say_attachment("a/b", "", "file");
	say_text(MIME_FRAME_DATA, "half of it");
}

/* The offset of the shared descriptor is all that one worker can leave to the
 * next. */
static bool
is_second_time(int message_fd)
{
	bool second = lseek(message_fd, 0, SEEK_CUR) != 0;

	if (lseek(message_fd, 1, SEEK_SET) < 0)
		_exit(1);
	return second;
}

static void
whole(void)
{
	half();
	done();
}

static void
kill_once(int message_fd)
{
	half();
	if (!is_second_time(message_fd))
		kill(getpid(), SIGKILL);
	done();
}

static void
segv(void)
{
	half();
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), SIGSEGV);
}

static void
stall_once(int message_fd)
{
	half();
	if (!is_second_time(message_fd))
		pause();
	done();
}

static void
endless(enum mime_frame_kind kind, const char *text)
{
	for (;;)
		say_text(kind, text);
}

static void
empty_packets(void)
{
	while (send(FD, "", 0, MSG_NOSIGNAL) == 0)
		;
}

static void
big_packet(void)
{
	uint8_t bytes[MIME_WIRE_MAX + 2];

	memset(bytes, 'x', sizeof(bytes));
	bytes[0] = MIME_FRAME_BODY_TEXT;
	if (send(FD, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
		_exit(1);
	done();
}

/* What it was given: its environment and its descriptors. */
static void
describe(void)
{
	char text[64];
	int variables = 0, descriptors = 0;

	while (environ[variables])
		variables++;
	for (int fd = 0; fd < 256; fd++)
		descriptors += fcntl(fd, F_GETFD) >= 0;
	snprintf(text, sizeof(text), "%d variables, %d descriptors", variables,
	    descriptors);
	say_text(MIME_FRAME_SUBJECT, text);
	done();
}

/* Answers with one wrong frame, otherwise as it should. */
static bool
say_wrong(const char *what)
{
	if (strcmp(what, "unknown kind") == 0)
		say_text(200, "x");
	else if (strcmp(what, "request") == 0)
		say_text(MIME_FRAME_REQUEST, "x");
	else if (strcmp(what, "ready again") == 0)
		say_text(MIME_FRAME_READY, "");
	else if (strcmp(what, "gap in kinds") == 0)
		say_text(MIME_FRAME_TEXTS, "x");
	else if (strcmp(what, "data without attachment") == 0)
		say_text(MIME_FRAME_DATA, "x");
	else if (strcmp(what, "text that is no UTF-8") == 0)
		say_text(MIME_FRAME_SUBJECT, "\xff");
	else if (strcmp(what, "text with a line end") == 0)
		say_text(MIME_FRAME_SUBJECT, "a\nb");
	else if (strcmp(what, "text with a C1 control") == 0)
		say_text(MIME_FRAME_SUBJECT, "a\xc2\x9b");
	else if (strcmp(what, "text with a NUL") == 0)
		say(MIME_FRAME_BODY_TEXT, "a\0b", 3);
	else if (strcmp(what, "body that is no UTF-8") == 0)
		say_text(MIME_FRAME_BODY_HTML, "\xe2\x82");
	else if (strcmp(what, "defect with a line end") == 0)
		say_text(MIME_FRAME_DEFECT, "a\nb");
	else if (strcmp(what, "empty defect") == 0)
		say_text(MIME_FRAME_DEFECT, "");
	else if (strcmp(what, "empty attachment frame") == 0)
		say_text(MIME_FRAME_ATTACHMENT, "");
	else if (strcmp(what, "attachment frame without end") == 0)
		say(MIME_FRAME_ATTACHMENT, "\0a/b\0id\0name", 12);
	else if (strcmp(what, "attachment frame with more") == 0)
		say(MIME_FRAME_ATTACHMENT, "\0a/b\0id\0name\0x", 14);
	else if (strcmp(what, "attachment flag") == 0)
		say(MIME_FRAME_ATTACHMENT, "\2a/b\0id\0name", 13);
	else if (strcmp(what, "type with capitals") == 0)
		say_attachment("A/b", "", "x");
	else if (strcmp(what, "type without slash") == 0)
		say_attachment("ab", "", "x");
	else if (strcmp(what, "type with two slashes") == 0)
		say_attachment("a/b/c", "", "x");
	else if (strcmp(what, "type with a space") == 0)
		say_attachment("a/b c", "", "x");
	else if (strcmp(what, "type without subtype") == 0)
		say_attachment("a/", "", "x");
	else if (strcmp(what, "id with a line end") == 0)
		say_attachment("a/b", "a\nb", "x");
	else if (strcmp(what, "name that is no UTF-8") == 0)
		say_attachment("a/b", "", "\xff");
	else if (strcmp(what, "empty data") == 0)
		say_attachment("a/b", "", "x"), say(MIME_FRAME_DATA, "", 0);
	else if (strcmp(what, "flags") == 0)
		say(MIME_FRAME_DONE, "\4", 1);
	else if (strcmp(what, "no flags") == 0)
		say(MIME_FRAME_DONE, "", 0);
	else
		return false;
	done();
	return true;
}

static void
behave(const char *what, int message_fd)
{
	if (say_wrong(what))
		return;
	if (strcmp(what, "whole") == 0)
		whole();
	else if (strcmp(what, "describe") == 0)
		describe();
	else if (strcmp(what, "kill once") == 0)
		kill_once(message_fd);
	else if (strcmp(what, "stall once") == 0)
		stall_once(message_fd);
	else if (strcmp(what, "segv") == 0)
		segv();
	else if (strcmp(what, "stall") == 0)
		half(), pause();
	else if (strcmp(what, "exit") == 0)
		_exit(0);
	else if (strcmp(what, "endless text") == 0)
		endless(MIME_FRAME_TO, "xxxxxxxx");
	else if (strcmp(what, "endless empty text") == 0)
		endless(MIME_FRAME_TO, "");
	else if (strcmp(what, "endless body") == 0)
		endless(MIME_FRAME_BODY_TEXT, "xxxxxxxx");
	else if (strcmp(what, "endless defects") == 0)
		endless(MIME_FRAME_DEFECT, "xxxxxxxx");
	else if (strcmp(what, "endless data") == 0)
		half(), endless(MIME_FRAME_DATA, "xxxxxxxx");
	else if (strcmp(what, "endless attachments") == 0)
		for (;;)
			say_attachment("a/b", "", "x");
	else if (strcmp(what, "empty packet") == 0)
		empty_packets();
	else if (strcmp(what, "big packet") == 0)
		big_packet();
	else
		say_text(MIME_FRAME_SUBJECT, "no such behaviour"), done();
}

int
main(void)
{
	struct mime_limits limits;
	int message_fd;

	say(MIME_FRAME_READY, NULL, 0);
	while (mime_wire_receive_request(FD, &message_fd, &limits)) {
		char what[64] = "";

		if (pread(message_fd, what, sizeof(what) - 1, 0) < 0)
			_exit(1);
		what[strcspn(what, "\n")] = '\0';
		behave(what, message_fd);
		close(message_fd);
	}
	return 0;
}
