/* SPDX-License-Identifier: ISC */
/*
 * Mail addresses as a person writes them: "a@b.example", "Name <a@b.example>",
 * several of them separated by commas.  Stricter than RFC 5322 (no groups, no
 * comments, no quoted local parts, no address literals), because the result
 * goes into SMTP commands.
 */
#ifndef MT_OUTBOUND_ADDRESS_H
#define MT_OUTBOUND_ADDRESS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct address {
	char *name; /* display name, UTF-8, "" if none */
	/* local@domain, <= 254 bytes without spaces; the domain is ASCII (a
	 * name in other letters became xn--...), the local part UTF-8 */
	char *mailbox;
};

struct address_list {
	struct address *items;
	size_t count;
};

#define ADDRESS_LIST_INIT                                                      \
	{                                                                      \
		.items = NULL                                                  \
	}

void address_list_done(struct address_list *list);

/*
 * Appends the addresses in `text` (UTF-8) to `list`; at least one, elements
 * that are empty do not count.  MT_BAD_INPUT: "invalid email address: <as it
 * was written>", or what else is wrong; the list then holds what came before.
 */
enum mt_status address_list_add(struct address_list *list, const char *text,
    struct mt_error *err) MT_MUST_CHECK;

/* The part behind the "@". */
const char *address_domain(const struct address *address);

/* Whether it can be used only where SMTPUTF8 is offered (RFC 6531): the local
 * part is not ASCII. */
bool address_needs_smtputf8(const struct address *address);

/* Adds the one address that messages are from, as the settings have it.
 * MT_BAD_CONFIG: it is none, or more than one. */
enum mt_status address_read_author(struct address_list *author,
    const char *from, struct mt_error *err) MT_MUST_CHECK;

#endif
