/* SPDX-License-Identifier: ISC */
#include "mail/stream.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE 8192

static ssize_t
low_read(mailstream_low *low, void *data, size_t len)
{
	return net_read(low->data, data, len);
}

static ssize_t
low_write(mailstream_low *low, const void *data, size_t len)
{
	return net_write(low->data, data, len);
}

static int
low_close(mailstream_low *low)
{
	(void)low; /* the connection belongs to struct net */
	return 0;
}

static int
low_get_fd(mailstream_low *low)
{
	(void)low;
	return -1; /* nobody but struct net may use it */
}

static void
low_free(mailstream_low *low)
{
	free(low);
}

static mailstream_low_driver driver = {
    .mailstream_read = low_read,
    .mailstream_write = low_write,
    .mailstream_close = low_close,
    .mailstream_get_fd = low_get_fd,
    .mailstream_free = low_free,
};

mailstream *
stream_new(struct net *net)
{
	mailstream_low *low = mailstream_low_new(net, &driver);
	mailstream *stream;

	if (!low)
		return NULL;
	stream = mailstream_new(low, BUFFER_SIZE);
	if (!stream)
		mailstream_low_free(low);
	return stream;
}

void
stream_free(mailstream **stream)
{
	if (*stream)
		mailstream_close(*stream);
	*stream = NULL;
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
	if (mailstream_read_line_remove_eol(stream, line))
		return MT_OK;
	return give_failure(net, err);
}

enum mt_status
stream_start_tls(mailstream *stream, struct net *net,
    const struct net_trust *trust, struct mt_error *err)
{
	if (stream->read_buffer_len) {
		net_fail(net, MT_RETRY_LATER,
		    "%s sent something in clear behind its answer to "
		    "STARTTLS, which somebody may have injected",
		    net_name(net));
		return give_failure(net, err);
	}
	return net_start_tls(net, trust, err);
}
