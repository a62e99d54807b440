/* SPDX-License-Identifier: ISC */
#include "account_walk.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX (4 * 1024 * 1024)

struct walk {
	struct invocation *in;
	account_visitor visit;
	void *context;
	struct buf seen; /* names, each between two spaces */
};

/* True the first time. */
static bool
is_new(struct walk *walk, const char *account)
{
	char word[TOKEN_ACCOUNT_MAX + 2];

	snprintf(word, sizeof(word), " %s ", account);
	if (strstr(buf_text(&walk->seen), word))
		return false;
	buf_add_text(&walk->seen, word);
	return true;
}

/* Cuts `names` into words. */
static enum mt_status
visit_names(struct walk *walk, char *names, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	char *name;

	while (status == MT_OK && (name = strsep(&names, " ")))
		if (*name && is_new(walk, name))
			status =
			    walk->visit(walk->in, name, walk->context, err);
	if (status == MT_OK && !buf_ok(&walk->seen))
		status = mt_fail(err, MT_NO_MEMORY, "too many accounts");
	return status;
}

/* Asks for the names behind `after` (NULL: the first); *ret_names, the caller's
 * to free, is NULL where there are none. */
static enum mt_status
ask_names(struct invocation *in, const char *after, char **ret_names,
    bool *ret_more, struct mt_error *err)
{
	struct token_client *client = &in->helper.client;
	struct token_wire_message reply;
	const char *accounts;
	enum mt_status status;

	token_wire_begin(&client->frame, "status");
	if (after)
		token_wire_add(&client->frame, "after", after);
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	status = token_client_call(
	    client, -1, &reply, deadline_in_ms(HELPER_CALL_MS), err);
	if (status != MT_OK)
		return status;
	accounts = token_wire_get(&reply, "accounts");
	*ret_more = token_wire_number(&reply, "more", 1, 0) != 0;
	if (!accounts || !*accounts)
		return MT_OK;
	/* the reply's memory is needed for the next */
	*ret_names = strdup(accounts);
	return *ret_names ? MT_OK
			  : mt_fail(err, MT_NO_MEMORY, "no memory for names");
}

/* All accounts of the helper that is connected now, a reply full at a time. */
static enum mt_status
walk_helper(struct walk *walk, struct mt_error *err)
{
	char last[TOKEN_ACCOUNT_MAX] = "";
	enum mt_status status;
	bool more = true;

	do {
		char *names = NULL, *space;

		status = ask_names(
		    walk->in, *last ? last : NULL, &names, &more, err);
		if (status != MT_OK || !names)
			return status;
		space = strrchr(names, ' ');
		snprintf(last, sizeof(last), "%s", space ? space + 1 : names);
		status = visit_names(walk, names, err);
		free(names);
	} while (status == MT_OK && more);
	return status;
}

static enum mt_status
walk_all(struct walk *walk, struct mt_error *err)
{
	enum mt_status status;

	for (;;) {
		status = helper_next(
		    &walk->in->helper, deadline_in_ms(HELPER_CALL_MS), err);
		if (status != MT_OK)
			break;
		status = walk_helper(walk, err);
		if (status != MT_OK && status != MT_NO_ACCOUNT)
			return status;
	}
	/* what one helper says is worth showing when another is down */
	return status == MT_NO_ACCOUNT || walk->seen.len ? MT_OK : status;
}

enum mt_status
account_walk(struct invocation *in, account_visitor visit, void *context,
    struct mt_error *err)
{
	struct walk walk = {in, visit, context, BUF_INIT(NAMES_MAX)};
	enum mt_status status = walk_all(&walk, err);

	buf_done(&walk.seen);
	return status;
}
