/* SPDX-License-Identifier: ISC */
/*
 * What net.c needs of GnuTLS beside reading and writing: whom to trust, how a
 * session is set up, and why one failed, in words.  Does no input or output.
 */
#ifndef MT_NET_NET_TLS_H
#define MT_NET_NET_TLS_H

#include "base/status.h"
#include "net/net.h"

#include <gnutls/gnutls.h>

/* A session on the connected, non-blocking socket `fd`, ready to shake hands
 * with `host`, whose certificate will be verified. */
enum mt_status net_tls_new(gnutls_session_t *ret_session,
    const struct net_trust *trust, const char *host, int fd,
    struct mt_error *err) MT_MUST_CHECK;

/* Says why the handshake ended with `code`; `name` is who it was with. */
enum mt_status net_tls_explain(
    gnutls_session_t session, int code, const char *name, struct mt_error *err);

#endif
