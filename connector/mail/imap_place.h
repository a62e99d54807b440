/* SPDX-License-Identifier: ISC */
/*
 * Where a server says it has put a message: APPENDUID and COPYUID (RFC 4315).
 * Pure reading of text, no connection.
 */
#ifndef MT_MAIL_IMAP_PLACE_H
#define MT_MAIL_IMAP_PLACE_H

#include "mail/imap_reply.h"

#include <stdbool.h>
#include <stdint.h>

/* Both are 0 where the server did not tell, or told nonsense. */
struct imap_place {
	uint32_t uidvalidity;
	uint32_t uid;
};

/* Reads "[APPENDUID uidvalidity uid]"; false if the reply has none. */
bool imap_place_appended(
    const struct imap_reply *reply, struct imap_place *ret_place);

/* Reads "[COPYUID uidvalidity uid new-uid]", for the one message `uid`; false
 * if the reply has none, or one that speaks of others. */
bool imap_place_copied(
    const struct imap_reply *reply, uint32_t uid, struct imap_place *ret_place);

#endif
