/* SPDX-License-Identifier: ISC */
/*
 * Which SASL mechanism a login uses.
 */
#ifndef MT_MAIL_MECHANISM_H
#define MT_MAIL_MECHANISM_H

#include "base/status.h"
#include "mail/mail_server.h"

/*
 * The first of the server's configured mechanisms that is among `offered`
 * (what the peer said: names with spaces between, in any case).  Fails with
 * MT_BAD_CONFIG and says what either side can do; `peer` is its name.
 */
enum mt_status mechanism_choose(const char **ret_mechanism,
    const struct mail_server *server, const char *offered, const char *peer,
    struct mt_error *err) MT_MUST_CHECK;

/* XOAUTH2 or OAUTHBEARER: a refusal comes as JSON in a challenge. */
bool mechanism_is_oauth(const char *mechanism);

/* The Debian package with the SASL module for it. */
const char *mechanism_package(const char *mechanism);

#endif
