/* SPDX-License-Identifier: ISC */
#include "mail/imap_mailboxes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/imap_ask.h"
#include "mail/imap_command.h"
#include "mail/mailbox_role.h"

#define LIST_BYTES (8 << 20) /* of all mailboxes, 100,000 or so */
#define ANSWER_BYTES 262144  /* of other commands */

/* ---- LIST ---- */

struct listing {
	struct imap_list_line line; /* that the name of is still to come */
	void *context;
	void (*take)(void *context, const struct imap_list_line *line);
};

static void
take_line(void *context, const char *line, const struct imap_literal *inside)
{
	struct listing *l = context;

	if (inside && !l->line.in_literal)
		return;
	if (inside)
		imap_list_line_goes_on(line, inside->bytes, &l->line);
	else if (!imap_list_line_begins(line, &l->line))
		return;
	if (!l->line.in_literal)
		l->take(l->context, &l->line);
}

/* Lists what matches `pattern`, as on the wire. */
static enum mt_status
list(struct imap_conn *conn, const char *pattern, const char *options,
    struct listing *listing, struct deadline deadline, struct mt_error *err)
{
	const struct imap_ask_taker taker = {listing, take_line};
	const struct imap_ask ask = {
	    .command = "LIST \"\" ",
	    .wire = pattern,
	    .rest = options,
	    .what = "cannot list the mailboxes",
	    .taker = &taker,
	    .max_bytes = LIST_BYTES,
	};
	struct imap_reply reply;

	return imap_ask_run(conn, &ask, &reply, deadline, err);
}

/* ---- what is there ---- */

struct presence {
	const char *name; /* as on the wire */
	bool found;
};

/* The pattern may have matched others, if it has "%" or "*" in it. */
static void
take_presence(void *context, const struct imap_list_line *line)
{
	struct presence *p = context;

	if (imap_status_same_name(line->name, p->name) && mailbox_is_real(line))
		p->found = true;
}

static enum mt_status
look_for(struct imap_conn *conn, const char *wire, bool *ret_exists,
    struct deadline deadline, struct mt_error *err)
{
	struct presence presence = {.name = wire};
	struct listing listing = {.context = &presence, .take = take_presence};
	enum mt_status status = list(conn, wire, NULL, &listing, deadline, err);

	*ret_exists = presence.found;
	return status;
}

enum mt_status
imap_conn_has_mailbox(struct imap_conn *conn, const char *mailbox,
    bool *ret_exists, struct deadline deadline, struct mt_error *err)
{
	char *wire = NULL;
	enum mt_status status = imap_command_wire_name(&wire, mailbox, err);

	if (status != MT_OK)
		return status;
	status = look_for(conn, wire, ret_exists, deadline, err);
	free(wire);
	return status;
}

/* ---- namespaces ---- */

static void
take_namespace(
    void *context, const char *line, const struct imap_literal *inside)
{
	if (!inside)
		(void)!imap_namespace_read(line, mailbox_spaces_take, context);
}

/* LIST with an empty name tells the delimiter (RFC 3501 section 6.3.8). */
static void
take_delimiter(void *context, const struct imap_list_line *line)
{
	struct mailbox_spaces *spaces = context;

	spaces->own.delimiter = line->delimiter;
}

static enum mt_status
read_spaces(struct imap_conn *conn, struct mailbox_spaces *spaces,
    struct deadline deadline, struct mt_error *err)
{
	const struct imap_ask_taker taker = {spaces, take_namespace};
	const struct imap_ask ask = {
	    .command = "NAMESPACE",
	    .what = "cannot ask for the namespaces",
	    .taker = &taker,
	    .max_bytes = ANSWER_BYTES,
	};
	struct listing listing = {.context = spaces, .take = take_delimiter};
	struct imap_reply reply;
	enum mt_status status;

	*spaces = (struct mailbox_spaces){.has_own = false};
	if (imap_conn_offers(conn, "NAMESPACE")) {
		status = imap_ask_run(conn, &ask, &reply, deadline, err);
		if (status != MT_OK || spaces->has_own)
			return status;
	}
	return list(conn, "", NULL, &listing, deadline, err);
}

enum mt_status
imap_conn_namespace(struct imap_conn *conn,
    struct imap_namespace *ret_namespace, struct deadline deadline,
    struct mt_error *err)
{
	struct mailbox_spaces spaces;
	enum mt_status status = read_spaces(conn, &spaces, deadline, err);

	if (status == MT_OK)
		*ret_namespace = spaces.own;
	return status;
}

/* ---- roles ---- */

static void
take_candidate(void *context, const struct imap_list_line *line)
{
	mailbox_choice_take(context, line);
}

static enum mt_status
choose(struct imap_conn *conn, struct mailbox_choice *choice,
    struct deadline deadline, struct mt_error *err)
{
	struct listing listing = {.context = choice, .take = take_candidate};
	enum mt_status status;

	/* others show the roles without being asked */
	if (imap_conn_offers(conn, "SPECIAL-USE") &&
	    imap_conn_offers(conn, "LIST-EXTENDED")) {
		status = list(conn, "*", " RETURN (SPECIAL-USE)", &listing,
		    deadline, err);
		if (status != MT_REFUSED)
			return status;
	}
	return list(conn, "*", NULL, &listing, deadline, err);
}

enum mt_status
imap_conn_find_role(struct imap_conn *conn, enum imap_role role,
    char ret_name[IMAP_MAILBOX_NAME_MAX], bool *ret_exists,
    struct deadline deadline, struct mt_error *err)
{
	struct mailbox_spaces spaces;
	struct mailbox_choice choice = {.role = role, .spaces = &spaces};
	enum mt_status status = read_spaces(conn, &spaces, deadline, err);

	if (status == MT_OK)
		status = choose(conn, &choice, deadline, err);
	if (status != MT_OK)
		return status;
	*ret_exists = choice.name[0] != '\0';
	if (*ret_exists)
		memcpy(ret_name, choice.name, sizeof(choice.name));
	else
		snprintf(ret_name, IMAP_MAILBOX_NAME_MAX, "%s%s",
		    *mailbox_role_name(role) ? spaces.own.prefix : "",
		    mailbox_role_name(role));
	return MT_OK;
}

/* ---- CREATE ---- */

/* That other programs show it is worth no failure. */
static enum mt_status
subscribe(struct imap_conn *conn, const char *wire, struct deadline deadline,
    struct mt_error *err)
{
	const struct imap_ask ask = {
	    .command = "SUBSCRIBE ",
	    .wire = wire,
	    .what = "cannot subscribe to the mailbox",
	    .max_bytes = ANSWER_BYTES,
	};
	struct imap_reply reply;
	enum mt_status status = imap_ask_run(conn, &ask, &reply, deadline, err);

	return imap_conn_is_usable(conn) ? MT_OK : status;
}

static enum mt_status
create(struct imap_conn *conn, const char *name, const char *wire,
    bool *ret_existed, struct deadline deadline, struct mt_error *err)
{
	char what[128];
	const struct imap_ask ask = {
	    .command = "CREATE ",
	    .wire = wire,
	    .what = what,
	    .max_bytes = ANSWER_BYTES,
	};
	struct imap_reply reply = {0};
	enum mt_status status;

	*ret_existed = false;
	snprintf(what, sizeof(what), "cannot create the mailbox %.100s", name);
	status = imap_ask_run(conn, &ask, &reply, deadline, err);
	if (status == MT_OK)
		return subscribe(conn, wire, deadline, err);
	if (!imap_conn_is_usable(conn))
		return status;
	*ret_existed = strcasecmp(reply.code, "ALREADYEXISTS") == 0;
	/* most have no code for it */
	if (!*ret_existed &&
	    look_for(conn, wire, ret_existed, deadline, NULL) != MT_OK)
		*ret_existed = false;
	return *ret_existed ? MT_OK : status;
}

enum mt_status
imap_conn_create(struct imap_conn *conn, const char *mailbox, bool *ret_existed,
    struct deadline deadline, struct mt_error *err)
{
	char *wire = NULL;
	enum mt_status status = imap_command_wire_name(&wire, mailbox, err);

	if (status != MT_OK)
		return status;
	status = create(conn, mailbox, wire, ret_existed, deadline, err);
	free(wire);
	return status;
}
