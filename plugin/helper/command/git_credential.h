/* SPDX-License-Identifier: ISC */
/* What git tells a credential helper (git-credential(1)).  Pure. */
#ifndef MT_COMMAND_GIT_CREDENTIAL_H
#define MT_COMMAND_GIT_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

/* NULL: not given. */
struct git_credential {
	const char *protocol;
	const char *host; /* without the port */
	const char *username;
	const char *password;
};

/* How many of the `len` bytes belong to the attributes, the empty line that
 * ends them counted; 0: they have not ended yet. */
size_t git_credential_end(const char *text, size_t len);

/* Reads the attributes in place; *ret_credential points into `text`.  Unknown
 * ones are skipped.  False for a line that is none. */
bool git_credential_parse(char *text, struct git_credential *ret_credential);

/* The service as the token helper has it ("smtp"); NULL: not one of mail. */
const char *git_credential_service(const struct git_credential *credential);

#endif
