/* SPDX-License-Identifier: ISC */
#include "socket_users.h"

#include "base/settings.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "TRI_ONYX_EMAIL_SOCKET_ALLOW"
#define SEPARATORS ", \t"
#define UID_MAX_ALLOWED 4294967294 /* (uid_t)-1 is nobody */
#define UID_UNMAPPED 65534 /* what a container calls all it cannot map */

static enum mt_status
find_user(const char *name, uid_t *ret_uid, struct mt_error *err)
{
	const struct passwd *user;
	long number;

	if (settings_number(name, 0, UID_MAX_ALLOWED, &number)) {
		*ret_uid = (uid_t)number;
		return MT_OK;
	}
	user = getpwnam(name);
	if (!user)
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE " names '%.64s'; there is no such user here (the "
			     "number of one in a container will do)",
		    name);
	*ret_uid = user->pw_uid;
	return MT_OK;
}

static enum mt_status
add_user(struct socket_users *users, const char *name, struct mt_error *err)
{
	enum mt_status status;
	uid_t user = 0;

	if (users->count == SOCKET_USERS_MAX)
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE " names more than %d users", SOCKET_USERS_MAX);
	status = find_user(name, &user, err);
	if (status == MT_OK && user == UID_UNMAPPED)
		return mt_fail(err, MT_BAD_CONFIG,
		    VARIABLE " names %.64s, the user %d, which in a container "
			     "may be anybody from outside; give the gateway a "
			     "user of its own",
		    name, UID_UNMAPPED);
	if (status == MT_OK)
		users->list[users->count++] = user;
	return status;
}

enum mt_status
socket_users_read(
    struct socket_users *users, const char *text, struct mt_error *err)
{
	char *copy = text ? strdup(text) : NULL, *rest = copy, *name;
	enum mt_status status = MT_OK;

	*users = (struct socket_users){0};
	if (text && !copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory for the settings");
	while (status == MT_OK && (name = strsep(&rest, SEPARATORS)))
		if (*name)
			status = add_user(users, name, err);
	free(copy);
	return status;
}
