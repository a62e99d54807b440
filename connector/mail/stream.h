/* SPDX-License-Identifier: ISC */
/*
 * libetpan's buffered stream on our transport, and the lines that IMAP and
 * SMTP exchange before libetpan may take over: it drives SASL in ways that no
 * real token survives, so the log-in dialogue is ours.
 */
#ifndef MT_MAIL_STREAM_H
#define MT_MAIL_STREAM_H

#include "base/secret.h"
#include "base/status.h"
#include "net/net.h"

#include <libetpan/mailstream.h>
#include <libetpan/mmapstring.h>

/* Where a stream's bytes come from, if not right from the connection. */
struct stream_source {
	void *context;
	ssize_t (*read)(void *context, void *data, size_t len); /* net_read */
	bool (*has_unread)(void *context); /* has it read ahead? */
};

/*
 * A stream on `net`; what is read comes from `source` (NULL: from `net`).  Both
 * must outlive it and are not released with it.  NULL: no memory.
 */
mailstream *stream_new(struct net *net, const struct stream_source *source);
void stream_free(mailstream **stream);

/*
 * Lets go of the buffers of a stream that will not be used for long, and takes
 * them again (MT_NO_MEMORY).  Nothing may be unread in it.
 */
void stream_rest(mailstream *stream);
enum mt_status stream_wake(
    mailstream *stream, struct mt_error *err) MT_MUST_CHECK;

/* Sends text, or secret bytes of which no copy stays in the buffer. */
enum mt_status stream_send(mailstream *stream, struct net *net,
    const char *text, struct mt_error *err) MT_MUST_CHECK;
enum mt_status stream_send_secret(mailstream *stream, struct net *net,
    const struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* Reads one line into `line` and drops its end.  How long it may be is for
 * net_begin. */
enum mt_status stream_read_line(mailstream *stream, struct net *net,
    MMAPString *line, struct mt_error *err) MT_MUST_CHECK;

/*
 * TLS from here on (net_start_tls), for a peer that has just agreed to
 * STARTTLS.  What it sent beyond its answer is refused.
 */
enum mt_status stream_start_tls(mailstream *stream, struct net *net,
    const struct net_trust *trust, struct mt_error *err) MT_MUST_CHECK;

#endif
