/* SPDX-License-Identifier: ISC */
/*
 * Mailbox names: UTF-8 for people, modified UTF-7 on the wire (RFC 3501
 * section 5.1.3).
 */
#ifndef MT_MAIL_MAILBOX_NAME_H
#define MT_MAIL_MAILBOX_NAME_H

#include "base/buf.h"

#include <stdbool.h>

/*
 * Adds to `wire` what a person wrote: UTF-8, or the name in modified UTF-7
 * already, as a server's list shows it (plain ASCII that decodes to something
 * else and back).  False, with `wire` untouched: it is no UTF-8.
 */
bool mailbox_name_encode(struct buf *wire, const char *name);

/*
 * Adds the UTF-8 of a name from the wire to `name`.  False, with `name`
 * untouched: it is not what RFC 3501 makes of any name.
 */
bool mailbox_name_decode(struct buf *name, const char *wire);

#endif
