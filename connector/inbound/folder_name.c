/* SPDX-License-Identifier: ISC */
#include "inbound/folder_name.h"

#include "state/inbound_state.h"

#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"

/* What else there is beneath an agent's directory. */
static const char *const reserved[] = {"drafts", "state"};

enum mt_status
folder_name_check(const char *name, struct mt_error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz" DIGITS "_-";
	const char *wrong = NULL;

	if (strstr(name, ".."))
		wrong = "must not contain path traversal";
	else if (strchr(name, '/'))
		wrong = "must not contain path separators";
	else if (!*name || name[strspn(name, allowed)])
		wrong = "must be alphanumeric with hyphens/underscores";
	else if (strlen(name) > FOLDER_NAME_MAX)
		wrong = "must not be longer than 64 characters";
	for (size_t i = 0; !wrong && i < sizeof(reserved) / sizeof(*reserved);
	     i++)
		if (strcasecmp(name, reserved[i]) == 0)
			wrong = "must not be that of a directory with another "
				"purpose";
	if (!wrong)
		return MT_OK;
	return mt_fail(err, MT_BAD_INPUT, "folder name %s: %s", wrong, name);
}

enum mt_status
folder_name_check_handle(const char *handle, struct mt_error *err)
{
	const char *rest = handle;
	size_t numbers = 0, digits;

	do {
		digits = strspn(rest, DIGITS);
		rest += digits;
		numbers++;
	} while (digits && *rest == '-' && numbers < 3 && *++rest);
	/* a '-' at the end has nothing behind it */
	if (digits && !*rest && rest[-1] != '-' &&
	    strlen(handle) < INBOUND_HANDLE_MAX)
		return MT_OK;
	return mt_fail(err, MT_BAD_INPUT,
	    "uid must be the name of a message's directory: %s", handle);
}

bool
folder_name_is_inbox(const char *name)
{
	return strcasecmp(name, "inbox") == 0;
}
