/* SPDX-License-Identifier: ISC */
/*
 * One SASL exchange (RFC 4422) on libsasl2, for IMAP AUTHENTICATE and SMTP
 * AUTH alike: knows mechanisms and credentials, not the protocol that carries
 * them.
 */
#ifndef MT_MAIL_SASL_SESSION_H
#define MT_MAIL_SASL_SESSION_H

#include "base/status.h"

/*
 * libsasl2 is initialised once per process, before the first thread; main owns
 * this.  `mailtoken_socket` (may be NULL) is where the SASL module finds the
 * token helper; it must outlive the library.
 */
struct sasl_library;

enum mt_status sasl_library_open(struct sasl_library **ret_library,
    const char *mailtoken_socket, struct mt_error *err) MT_MUST_CHECK;
void sasl_library_close(struct sasl_library **library);

#endif
