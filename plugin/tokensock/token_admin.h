/* SPDX-License-Identifier: ISC */
/*
 * Asks what the token helper answers at its administration socket only
 * (docs/protocol.md).  Where that is, the helper itself says: no client has a
 * rule for it.
 */
#ifndef MT_TOKENSOCK_TOKEN_ADMIN_H
#define MT_TOKENSOCK_TOKEN_ADMIN_H

#include "tokensock/token_client.h"

/*
 * As token_client_call; but a request that is not answered at the socket that
 * the client is connected to is made again at the administration socket, and
 * the client stays connected to that.  MT_REFUSED if this user may not connect
 * there; MT_BAD_CONFIG, as ever, if somebody untrusted listens.
 */
enum mt_status token_admin_call(struct token_client *client, int pass_fd,
    struct token_wire_message *ret_reply, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
