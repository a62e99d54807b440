/* SPDX-License-Identifier: ISC */
#include "guard.h"

#include <stdbool.h>
#include <string.h>

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* `forbidden` are printable characters that may not occur either. */
static const char *
check(const char *text, size_t max, bool ascii, const char *forbidden)
{
	size_t len = strlen(text);

	if (!len)
		return "is empty";
	if (len > max)
		return "is too long";
	for (const char *p = text; *p; p++) {
		if (is_control((unsigned char)*p))
			return "holds a control character";
		if (ascii && (unsigned char)*p > 0x7e)
			return "holds a character outside ASCII";
		if (strchr(forbidden, *p))
			return "holds a space or another character that may "
			       "not be there";
	}
	return NULL;
}

const char *
guard_login(const char *text)
{
	return check(text, GUARD_LOGIN_MAX, false, "");
}

const char *
guard_mailbox(const char *text)
{
	return check(text, GUARD_MAILBOX_MAX, true, "");
}

const char *
guard_address(const char *text)
{
	return check(text, GUARD_ADDRESS_MAX, true, " <>");
}

const char *
guard_utf8_address(const char *text)
{
	return check(text, GUARD_ADDRESS_MAX, false, " <>");
}

const char *
guard_host(const char *text)
{
	return check(text, GUARD_HOST_MAX, true, " <>\"/\\[]@");
}
