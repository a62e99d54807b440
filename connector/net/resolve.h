/* SPDX-License-Identifier: ISC */
/*
 * Host names to addresses, with a deadline.
 */
#ifndef MT_NET_RESOLVE_H
#define MT_NET_RESOLVE_H

#include "base/deadline.h"
#include "base/status.h"

#include <netdb.h>
#include <stdint.h>

/*
 * The addresses of `host` for TCP; the caller's to free (freeaddrinfo).
 * getaddrinfo(3) cannot be interrupted, so a name is looked up in a thread of
 * its own, which is left to end by itself when the deadline passes first.
 * Fails with MT_RETRY_LATER.
 */
enum mt_status resolve_host(struct addrinfo **ret_addresses, const char *host,
    uint16_t port, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
