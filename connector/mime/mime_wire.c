/* SPDX-License-Identifier: ISC */
#include "mime_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Sends a frame, and a descriptor with it unless it is -1. */
static bool
send_frame(int fd, enum mime_frame_kind kind, const void *data, size_t len,
    int passed_fd)
{
	uint8_t kind_byte = (uint8_t)kind;
	/* sendmsg(2) only reads, but its struct has no const */
	struct iovec parts[2] = {
	    {&kind_byte, 1}, {(void *)(uintptr_t)data, len}};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	if (passed_fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &passed_fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

bool
mime_wire_send(int fd, enum mime_frame_kind kind, const void *data, size_t len)
{
	return send_frame(fd, kind, data, len, -1);
}

static uint8_t *
put_text(uint8_t *out, const char *text)
{
	size_t size = strlen(text) + 1;

	memcpy(out, text, size);
	return out + size;
}

size_t
mime_wire_put_attachment(
    uint8_t *out, const struct mime_wire_attachment *attachment)
{
	uint8_t *p = out;

	*p++ = (uint8_t)(attachment->is_inline | attachment->is_unpacked << 1);
	p = put_text(p, attachment->content_type);
	p = put_text(p, attachment->content_id);
	p = put_text(p, attachment->original_filename);
	return (size_t)(p - out);
}

/* Takes one text from the front of the rest of a frame; NULL if there is none
 * within `max`. */
static const char *
get_text(const char **p, const char *end, size_t max)
{
	const char *text = *p;
	const char *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul || (size_t)(nul - text) > max)
		return NULL;
	*p = nul + 1;
	return text;
}

bool
mime_wire_get_attachment(
    const struct mime_frame *frame, struct mime_wire_attachment *ret_attachment)
{
	struct mime_wire_attachment a;
	const char *p = frame->data, *end = p + frame->len;

	if (!frame->len || *p < 0 || *p > 3)
		return false;
	a.is_inline = *p & 1;
	a.is_unpacked = *p++ & 2;
	a.content_type = get_text(&p, end, MIME_WIRE_TYPE_MAX);
	if (!a.content_type)
		return false;
	a.content_id = get_text(&p, end, MIME_WIRE_ID_MAX);
	if (!a.content_id)
		return false;
	a.original_filename = get_text(&p, end, MIME_WIRE_NAME_MAX);
	if (!a.original_filename || p != end)
		return false;
	*ret_attachment = a;
	return true;
}

size_t
mime_wire_put_row(uint8_t *out, const struct mime_wire_row *row, size_t count)
{
	uint8_t *p = out;

	*p++ = (uint8_t)row->kind;
	for (size_t i = 0; i < count; i++)
		p = put_text(p, row->texts[i]);
	return (size_t)(p - out);
}

bool
mime_wire_get_row(const struct mime_frame *frame, struct mime_wire_row *ret_row)
{
	struct mime_wire_row row = {0};
	const char *p = frame->data, *end = p + frame->len;
	size_t count;

	if (!frame->len || *p < 0 || *p >= MIME_SUMMARIES)
		return false;
	row.kind = (enum mime_summary_kind) * p++;
	count = frame->kind == MIME_FRAME_SUMMARY
		    ? mime_summary_shapes[row.kind].texts
		    : mime_summary_shapes[row.kind].row_texts;
	for (size_t i = 0; i < count; i++) {
		row.texts[i] = get_text(&p, end, MIME_SUMMARY_TEXT_LEN);
		if (!row.texts[i])
			return false;
	}
	if (p != end)
		return false;
	*ret_row = row;
	return true;
}

/* Waits until there is something to read, a signal, or the deadline. */
static void
wait_readable(int fd, struct deadline deadline)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	poll(&wait, 1, deadline_left_ms(deadline));
}

enum mime_wire_result
mime_wire_receive(int fd, uint8_t *buffer, struct mime_frame *ret_frame,
    struct deadline deadline)
{
	ssize_t n;

	for (;;) {
		/* looked at each time: a peer may send without end */
		if (deadline_passed(deadline))
			return MIME_WIRE_LATE;
		n = recv(
		    fd, buffer, MIME_WIRE_MAX + 1, MSG_DONTWAIT | MSG_TRUNC);
		if (n >= 0)
			break;
		if (errno != EINTR && errno != EAGAIN)
			return MIME_WIRE_CLOSED;
		if (errno == EAGAIN)
			wait_readable(fd, deadline);
	}
	if (n == 0)
		return MIME_WIRE_CLOSED;
	if (n > MIME_WIRE_MAX + 1)
		return MIME_WIRE_GARBAGE;
	ret_frame->kind = buffer[0];
	ret_frame->data = buffer + 1;
	ret_frame->len = (size_t)n - 1;
	return MIME_WIRE_FRAME;
}

bool
mime_wire_send_request(int fd, int message_fd, const struct mime_limits *limits)
{
	return send_frame(
	    fd, MIME_FRAME_REQUEST, limits, sizeof(*limits), message_fd);
}

/* The descriptor that came with a packet, -1 if none. */
static int
passed_fd(struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int fd;

	if (!control || control->cmsg_level != SOL_SOCKET ||
	    control->cmsg_type != SCM_RIGHTS ||
	    control->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(control), sizeof(int));
	return fd;
}

bool
mime_wire_receive_request(
    int fd, int *ret_message_fd, struct mime_limits *ret_limits)
{
	uint8_t kind;
	struct mime_limits limits;
	struct iovec parts[2] = {{&kind, 1}, {&limits, sizeof(limits)}};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
	    .msg_iov = parts,
	    .msg_iovlen = 2,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	ssize_t n;
	int got;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	got = n > 0 ? passed_fd(&message) : -1;
	if (n != (ssize_t)(1 + sizeof(limits)) || kind != MIME_FRAME_REQUEST ||
	    got < 0) {
		if (got >= 0)
			close(got);
		return false;
	}
	*ret_message_fd = got;
	*ret_limits = limits;
	return true;
}
