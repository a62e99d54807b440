/* SPDX-License-Identifier: ISC */
/*
 * One SASL exchange (RFC 4422) on libsasl2, for IMAP AUTHENTICATE and SMTP
 * AUTH alike: knows mechanisms and credentials, not the protocol that carries
 * them.  Every mechanism runs through the same code; they differ in their name
 * and in whether there is a password to answer libsasl2's question for one.
 */
#ifndef MT_MAIL_SASL_SESSION_H
#define MT_MAIL_SASL_SESSION_H

#include "base/secret.h"
#include "base/status.h"
#include "mail/mail_server.h"

#include <stdbool.h>

/*
 * libsasl2 is initialised once per process, before the first thread; main owns
 * this.  `mailtoken_socket` (may be NULL) is where the SASL module finds the
 * token helper; it must outlive the library.
 */
struct sasl_library;

enum mt_status sasl_library_open(struct sasl_library **ret_library,
    const char *mailtoken_socket, struct mt_error *err) MT_MUST_CHECK;
void sasl_library_close(struct sasl_library **library);

struct sasl_session;

/*
 * An exchange with `server` (which must outlive it) by `mechanism`; `service`
 * is "imap" or "smtp".  `tls` says whether TLS protects it.
 */
enum mt_status sasl_session_new(struct sasl_session **ret_session,
    const char *service, const struct mail_server *server,
    const char *mechanism, bool tls, struct mt_error *err) MT_MUST_CHECK;

/* Wipes and releases it. */
void sasl_session_free(struct sasl_session **session);

/*
 * Begins.  If the mechanism has an initial response, *ret_has_response is true
 * and `response` holds it, in base64 (it may be empty).
 *
 * This is where a module fetches a token, so it may take a while, and fails
 * with the module's own text: MT_NO_ACCOUNT, MT_NEEDS_LOGIN, MT_NEEDS_ADMIN,
 * MT_RETRY_LATER, MT_UNREACHABLE, MT_BAD_CONFIG.
 */
enum mt_status sasl_session_start(struct sasl_session *session,
    bool *ret_has_response, struct secret *response,
    struct mt_error *err) MT_MUST_CHECK;

/* Answers a challenge; both are base64. */
enum mt_status sasl_session_step(struct sasl_session *session,
    const char *challenge, struct secret *response,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * To be asked when the server reports success: refuses a success that comes
 * before the mechanism has seen all that it needs, such as SCRAM's proof that
 * the server knows the password too.
 */
enum mt_status sasl_session_finish(
    struct sasl_session *session, struct mt_error *err) MT_MUST_CHECK;

/* What the server said in its error challenge (RFC 7628 section 3.2.2),
 * printable; "" if it sent none. */
const char *sasl_session_server_error(const struct sasl_session *session);

#endif
