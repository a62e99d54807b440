/* SPDX-License-Identifier: ISC */
/*
 * The transport beneath libetpan: TCP and verified TLS (>= 1.2, chain, host
 * name, SNI) with one deadline and one byte budget per command, instead of the
 * library's own sockets, which verify nothing and time out per read only.
 */
#ifndef MT_MAIL_NET_H
#define MT_MAIL_NET_H

#include "base/deadline.h"
#include "base/status.h"

/* The certificates that are trusted; shared by all connections and threads. */
struct net_trust;

/*
 * Loads the certificates in the PEM file at `ca_file`, or the system's when it
 * is NULL.  Takes some milliseconds and megabytes: once per process.
 */
enum mt_status net_trust_new(struct net_trust **ret_trust, const char *ca_file,
    struct mt_error *err) MT_MUST_CHECK;
void net_trust_free(struct net_trust **trust);

#endif
