/* SPDX-License-Identifier: ISC */
#include "account_name.h"

#include <string.h>

/* Not by isalnum(3): the locale is a mail program's. */
bool
account_name_is_good(const char *name, size_t len)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char other[] = "._@-";

	if (!len || len > ACCOUNT_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!memchr(first, name[i], sizeof(first) - 1) &&
		    (!i || !memchr(other, name[i], sizeof(other) - 1)))
			return false;
	return true;
}
