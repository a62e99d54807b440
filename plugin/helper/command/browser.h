/* SPDX-License-Identifier: ISC */
/* Opens the person's browser, where there is a display to open it on. */
#ifndef MT_COMMAND_BROWSER_H
#define MT_COMMAND_BROWSER_H

#include <stdbool.h>

/*
 * Starts $BROWSER, or xdg-open, with the address and does not wait for it.
 * False if there is no display or no such program; that is no error, the
 * person opens the address by hand.
 */
bool browser_open(const char *url);

#endif
