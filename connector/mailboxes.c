/* SPDX-License-Identifier: ISC */
#include "mailboxes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FOLDER_MAX 64
#define VARIABLE "TRI_ONYX_EMAIL_MAILBOXES"

/* What else there is beneath an agent's directory. */
static const char *const reserved[] = {"drafts", "state"};

static bool
is_folder(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t len = strlen(text);

	return len > 0 && len <= FOLDER_MAX && strspn(text, allowed) == len;
}

static char *
trim(char *text)
{
	char *end;

	text += strspn(text, " ");
	end = text + strlen(text);
	while (end > text && end[-1] == ' ')
		*--end = '\0';
	return text;
}

static enum mt_status
check(const struct mailboxes *m, const char *name, const char *folder,
    bool own_folder, struct mt_error *err)
{
	if (!*name)
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE " has an entry without a name");
	if (!is_folder(folder))
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE ": '%.100s' cannot be the name of a folder; %s "
			     "letters, digits, '_' and '-', 64 at most",
		    folder,
		    own_folder ? "allowed are"
			       : "write it as NAME=FOLDER, with a folder of");
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strcasecmp(folder, reserved[i]) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    VARIABLE ": the folder %s has another purpose; "
				     "write %.100s=FOLDER, with another one",
			    folder, name);
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->list[i].name, name) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    VARIABLE " has %.100s twice", name);
		if (strcasecmp(m->list[i].folder, folder) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    VARIABLE ": %.100s and %.100s would both be the "
				     "folder %s",
			    m->list[i].name, name, folder);
	}
	return MT_OK;
}

static enum mt_status
add(struct mailboxes *m, const char *name, const char *folder,
    struct mt_error *err)
{
	struct mailbox_setting *entry = &m->list[m->count];

	*entry = (struct mailbox_setting){strdup(name), strdup(folder)};
	m->count++;
	if (!entry->name || !entry->folder)
		return mt_fail(err, MT_NO_MEMORY, "no memory for the settings");
	return MT_OK;
}

/* A name may hold an '=', a folder may not. */
static enum mt_status
read_entry(struct mailboxes *m, char *entry, struct mt_error *err)
{
	char *equals = strrchr(entry, '=');
	const char *name, *folder;
	enum mt_status status;

	if (m->count == MAILBOXES_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE " has more than %d mailboxes", MAILBOXES_MAX);
	if (equals)
		*equals = '\0';
	name = trim(entry);
	if (strcasecmp(name, "INBOX") == 0)
		name = "INBOX"; /* RFC 3501 5.1 */
	if (equals)
		folder = trim(equals + 1);
	else
		folder = strcmp(name, "INBOX") == 0 ? "inbox" : name;
	status = check(m, name, folder, equals != NULL, err);
	return status == MT_OK ? add(m, name, folder, err) : status;
}

enum mt_status
mailboxes_read(
    struct mailboxes *mailboxes, const char *text, struct mt_error *err)
{
	struct mailboxes m = {
	    .list = calloc(MAILBOXES_MAX, sizeof(struct mailbox_setting))};
	char *copy = strdup(text), *rest = copy, *entry;
	enum mt_status status = MT_OK;

	if (!m.list || !copy)
		status =
		    mt_fail(err, MT_NO_MEMORY, "no memory for the settings");
	while (status == MT_OK && (entry = strsep(&rest, ",")))
		status = read_entry(&m, entry, err);
	free(copy);
	if (status == MT_OK)
		*mailboxes = m;
	else
		mailboxes_done(&m);
	return status;
}

void
mailboxes_done(struct mailboxes *mailboxes)
{
	for (size_t i = 0; i < mailboxes->count; i++) {
		free(mailboxes->list[i].name);
		free(mailboxes->list[i].folder);
	}
	free(mailboxes->list);
	*mailboxes = (struct mailboxes){0};
}
