/* SPDX-License-Identifier: ISC */
/*
 * A worker that has been taken over: the first line of a message is what it
 * does.  For what the real one cannot be brought to do.
 */
#include "bad_worker.h"

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
	struct mime_wire_attachment a = {
	    .content_type = type, .content_id = id, .original_filename = name};
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

/* A summary's head or row, each text followed by its NUL. */
static void
say_row(enum mime_frame_kind frame, enum mime_summary_kind kind,
    const char *const *texts, size_t count)
{
	struct mime_wire_row row = {.kind = kind};
	uint8_t bytes[MIME_WIRE_ROW_MAX];

	for (size_t i = 0; i < count; i++)
		row.texts[i] = texts[i];
	say(frame, bytes, mime_wire_put_row(bytes, &row, count));
}

static void
say_bounce(const char *kind, const char *id)
{
	say_row(MIME_FRAME_SUMMARY, MIME_BOUNCE,
	    (const char *const[]){kind, id}, MIME_BOUNCE_TEXTS);
}

static void
say_recipient(const char *address)
{
	say_row(MIME_FRAME_ROW, MIME_BOUNCE,
	    (const char *const[]){address, "", "", ""}, MIME_RECIPIENT_TEXTS);
}

static void
say_calendar(const char *sequence)
{
	const char *texts[MIME_CALENDAR_TEXTS];

	for (size_t i = 0; i < MIME_CALENDAR_TEXTS; i++)
		texts[i] = "";
	texts[MIME_CALENDAR_SEQUENCE] = sequence;
	say_row(MIME_FRAME_SUMMARY, MIME_CALENDAR, texts, MIME_CALENDAR_TEXTS);
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

/* Says that it is there, and waits for leave to go on, both in the message. */
static void
stall_until_told(int message_fd)
{
	char told = 0;

	half();
	if (pwrite(message_fd, "!", 1, STALLED_AT) != 1)
		_exit(1);
	while (told != '!') {
		usleep(1000);
		if (pread(message_fd, &told, 1, GO_ON_AT) != 1)
			_exit(1);
	}
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
		say(MIME_FRAME_ATTACHMENT, "\4a/b\0id\0name", 13);
	else if (strcmp(what, "unpacked from nothing") == 0)
		say(MIME_FRAME_ATTACHMENT, "\2a/b\0id\0name", 13);
	else if (strcmp(what, "unknown summary") == 0)
		say(MIME_FRAME_SUMMARY, "\2a\0b", 5);
	else if (strcmp(what, "negative summary") == 0)
		say(MIME_FRAME_SUMMARY, "\377a\0b", 5);
	else if (strcmp(what, "empty summary") == 0)
		say(MIME_FRAME_SUMMARY, "", 0);
	else if (strcmp(what, "summary without end") == 0)
		say(MIME_FRAME_SUMMARY, "\0failed\0b", 9);
	else if (strcmp(what, "summary with more") == 0)
		say(MIME_FRAME_SUMMARY, "\0failed\0b\0c", 12);
	else if (strcmp(what, "two summaries") == 0)
		say_bounce("failed", ""), say_bounce("failed", "");
	else if (strcmp(what, "kind of bounce") == 0)
		say_bounce("lost", "");
	else if (strcmp(what, "summary with a line end") == 0)
		say_bounce("failed", "a\nb");
	else if (strcmp(what, "row without summary") == 0)
		say_recipient("a@b.c");
	else if (strcmp(what, "row of another summary") == 0)
		say_calendar("0"), say_recipient("a@b.c");
	else if (strcmp(what, "row that is no UTF-8") == 0)
		say_bounce("failed", ""), say_recipient("\xff");
	else if (strcmp(what, "sequence with a sign") == 0)
		say_calendar("-1");
	else if (strcmp(what, "sequence without digits") == 0)
		say_calendar("");
	else if (strcmp(what, "sequence that is too long") == 0)
		say_calendar("1234567890");
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
	else if (strcmp(what, "stall until told") == 0)
		stall_until_told(message_fd);
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
	else if (strcmp(what, "endless rows") == 0)
		for (say_bounce("failed", "");;)
			say_recipient("a@b.c");
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
