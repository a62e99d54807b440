/* SPDX-License-Identifier: ISC */
/*
 * The transport beneath libetpan: TCP and verified TLS (>= 1.2, chain, host
 * name, SNI) with one deadline and one byte budget per command, instead of the
 * library's own sockets, which verify nothing and time out per read only.
 *
 * The first failure sticks: everything after it fails at once, and
 * net_error() says what it was.  libetpan itself reports no more than "stream
 * error".
 */
#ifndef MT_NET_NET_H
#define MT_NET_NET_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The certificates that are trusted; shared by all connections and threads. */
struct net_trust;

/*
 * Loads the certificates in the PEM file at `ca_file`, or the system's when it
 * is NULL.  Takes some milliseconds and megabytes: once per process.
 */
enum mt_status net_trust_new(struct net_trust **ret_trust, const char *ca_file,
    struct mt_error *err) MT_MUST_CHECK;
void net_trust_free(struct net_trust **trust);

/* One connection; one thread at a time. */
struct net;

/*
 * Connects to the first address of `host` that answers.  Fails with
 * MT_RETRY_LATER, or MT_BAD_CONFIG for a host that cannot be a name.
 */
enum mt_status net_connect(struct net **ret_net, const char *host,
    uint16_t port, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Closes without a word and releases it. */
void net_free(struct net **net);

/*
 * TLS from here on, within the current deadline.  Bytes that the peer sent
 * ahead in clear are a failure: they were injected.  MT_BAD_CONFIG: the
 * certificate or the protocol version will not do.
 */
enum mt_status net_start_tls(struct net *net, const struct net_trust *trust,
    struct mt_error *err) MT_MUST_CHECK;

bool net_is_tls(const struct net *net);

/* Opens the next command: until when, and how much the peer may send. */
void net_begin(struct net *net, struct deadline deadline, size_t max_bytes);

/* What net_wait saw first. */
enum net_ready {
	NET_READABLE, /* bytes from the peer, or that it is gone */
	NET_WOKEN,
	NET_NOTHING, /* until the deadline */
};

/* Waits for the peer, or until the descriptor `wake_fd` (-1: none) can be read;
 * that nothing came is no failure. */
enum net_ready net_wait(struct net *net, int wake_fd, struct deadline deadline);

/*
 * As read(2) and send(2), but wait until the deadline, and never return 0: -1
 * also when the peer has closed, which libetpan needs (it takes 0 for the end
 * of a line).
 */
ssize_t net_read(struct net *net, void *data, size_t len);
ssize_t net_write(struct net *net, const void *data, size_t len);

/*
 * As net_read, but never waits: 0 means that there is nothing to be had now,
 * and then the descriptor says when there is (level-triggered: bytes that TLS
 * holds are handed out before 0 is).  Knows no deadline.
 */
ssize_t net_read_ready(struct net *net, void *data, size_t len);

/* Does TLS hold bytes that the descriptor does not show any more? */
bool net_has_ready(const struct net *net);

/* The descriptor for poll(2), non-blocking from the start; never changes. */
int net_fd(const struct net *net);

/* When the peer's last byte was read: milliseconds of deadline.h's clock. */
int64_t net_last_byte_ms(const struct net *net);

/* The first failure; its status is MT_OK as long as there was none. */
const struct mt_error *net_error(const struct net *net);

/* Makes the connection fail, for a reason that the caller has seen. */
enum mt_status net_fail(struct net *net, enum mt_status status,
    const char *format, ...) MT_PRINTF(3, 4);

/* "host:port", for error texts. */
const char *net_name(const struct net *net);

/* Our address as an SMTP address literal (RFC 5321 section 4.1.3). */
void net_local_literal(const struct net *net, char *ret_text, size_t size);

#endif
