/* SPDX-License-Identifier: ISC */
#include "git_credential.h"

#include "base/host.h"

#include <string.h>

size_t
git_credential_end(const char *text, size_t len)
{
	const char *end;

	if (len && *text == '\n')
		return 1;
	end = memmem(text, len, "\n\n", 2);
	return end ? (size_t)(end - text) + 2 : 0;
}

static void
take(struct git_credential *c, const char *name, char *value)
{
	if (strcmp(name, "protocol") == 0)
		c->protocol = value;
	else if (strcmp(name, "host") == 0)
		c->host = host_without_port(value);
	else if (strcmp(name, "username") == 0)
		c->username = value;
	else if (strcmp(name, "password") == 0)
		c->password = value;
}

bool
git_credential_parse(char *text, struct git_credential *ret_credential)
{
	struct git_credential credential = {0};
	char *line;

	while ((line = strsep(&text, "\n")) && *line) {
		char *value = strchr(line, '=');

		if (!value)
			return false;
		*value++ = '\0';
		take(&credential, line, value);
	}
	*ret_credential = credential;
	return true;
}

const char *
git_credential_service(const struct git_credential *credential)
{
	static const struct {
		const char *protocol, *service;
	} known[] = {
	    {"smtp", "smtp"},
	    {"smtps", "smtp"},
	    {"imap", "imap"},
	    {"imaps", "imap"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (credential->protocol &&
		    strcmp(known[i].protocol, credential->protocol) == 0)
			return known[i].service;
	return NULL;
}
