/* SPDX-License-Identifier: ISC */
/*
 * What can be the name of an account: for the settings that give it, and for
 * mail programs, where it can stand for a password.
 */
#ifndef MT_TOKENSOCK_ACCOUNT_NAME_H
#define MT_TOKENSOCK_ACCOUNT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define ACCOUNT_NAME_MAX 127 /* bytes */

/* True for letters, digits, '.', '_', '@' and '-', a letter or digit first;
 * whatever the locale. */
bool account_name_is_good(const char *name, size_t len);

#endif
