/* SPDX-License-Identifier: ISC */
#include "mail/stream.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE 8192

struct low {
	struct net *net;
	const struct stream_source *source;
};

static ssize_t
low_read(mailstream_low *stream, void *data, size_t len)
{
	const struct low *low = stream->data;

	if (low->source)
		return low->source->read(low->source->context, data, len);
	return net_read(low->net, data, len);
}

static ssize_t
low_write(mailstream_low *stream, const void *data, size_t len)
{
	const struct low *low = stream->data;

	return net_write(low->net, data, len);
}

static int
low_close(mailstream_low *stream)
{
	(void)stream; /* the connection belongs to struct net */
	return 0;
}

static int
low_get_fd(mailstream_low *stream)
{
	(void)stream;
	return -1; /* nobody but struct net may use it */
}

static void
low_free(mailstream_low *stream)
{
	free(stream->data);
	free(stream);
}

static mailstream_low_driver driver = {
    .mailstream_read = low_read,
    .mailstream_write = low_write,
    .mailstream_close = low_close,
    .mailstream_get_fd = low_get_fd,
    .mailstream_free = low_free,
};

mailstream *
stream_new(struct net *net, const struct stream_source *source)
{
	struct low *low = malloc(sizeof(*low));
	mailstream_low *stream_low =
	    low ? mailstream_low_new(low, &driver) : NULL;
	mailstream *stream;

	if (!stream_low) {
		free(low);
		return NULL;
	}
	*low = (struct low){net, source};
	stream = mailstream_new(stream_low, BUFFER_SIZE);
	if (!stream)
		mailstream_low_free(stream_low);
	return stream;
}

void
stream_free(mailstream **stream)
{
	if (*stream)
		mailstream_close(*stream);
	*stream = NULL;
}

void
stream_rest(mailstream *stream)
{
	free(stream->read_buffer);
	free(stream->write_buffer);
	stream->read_buffer = NULL;
	stream->write_buffer = NULL;
}

enum mt_status
stream_wake(mailstream *stream, struct mt_error *err)
{
	if (!stream->read_buffer)
		stream->read_buffer = malloc(stream->buffer_max_size);
	if (!stream->write_buffer)
		stream->write_buffer = malloc(stream->buffer_max_size);
	return stream->read_buffer && stream->write_buffer
		   ? MT_OK
		   : mt_fail(err, MT_NO_MEMORY, "out of memory");
}

static enum mt_status
give_failure(const struct net *net, struct mt_error *err)
{
	const struct mt_error *failure = net_error(net);

	if (failure->status == MT_OK)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	return mt_fail(err, failure->status, "%s", failure->text);
}

static enum mt_status
send_bytes(mailstream *stream, struct net *net, const char *bytes, size_t len,
    struct mt_error *err)
{
	if (mailstream_write(stream, bytes, len) == (ssize_t)len &&
	    mailstream_flush(stream) == 0)
		return MT_OK;
	return give_failure(net, err);
}

enum mt_status
stream_send(
    mailstream *stream, struct net *net, const char *text, struct mt_error *err)
{
	return send_bytes(stream, net, text, strlen(text), err);
}

enum mt_status
stream_send_secret(mailstream *stream, struct net *net,
    const struct secret *bytes, struct mt_error *err)
{
	enum mt_status status =
	    send_bytes(stream, net, secret_expose(bytes), bytes->len, err);

	explicit_bzero(stream->write_buffer, stream->buffer_max_size);
	return status;
}

enum mt_status
stream_read_line(
    mailstream *stream, struct net *net, MMAPString *line, struct mt_error *err)
{
	if (!mailstream_read_line(stream, line))
		return give_failure(net, err);
	/* libetpan's own removal looks before the start of an empty line */
	if (line->len && line->str[line->len - 1] == '\n')
		mmap_string_truncate(line, line->len - 1);
	if (line->len && line->str[line->len - 1] == '\r')
		mmap_string_truncate(line, line->len - 1);
	return MT_OK;
}

enum mt_status
stream_start_tls(mailstream *stream, struct net *net,
    const struct net_trust *trust, struct mt_error *err)
{
	const struct low *low = stream->low->data;

	if (stream->read_buffer_len ||
	    (low->source && low->source->has_unread(low->source->context))) {
		net_fail(net, MT_RETRY_LATER,
		    "%s sent something in clear behind its answer to "
		    "STARTTLS, which somebody may have injected",
		    net_name(net));
		return give_failure(net, err);
	}
	return net_start_tls(net, trust, err);
}
