/* SPDX-License-Identifier: ISC */
#include "browser.h"

#include "base/child.h"

#include <stdlib.h>
#include <string.h>

/* What a desktop program needs to find its display, its profile, its bus and
 * its language. */
static const char *const variables[] = {"HOME", "USER", "LOGNAME", "SHELL",
    "PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "BROWSER", "DISPLAY",
    "XAUTHORITY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION", "XDG_*", "GNOME_*", "KDE_*", "GTK_*", "QT_*", "MOZ_*",
    NULL};

static bool
is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* $BROWSER may also be a list, or have words and "%s" in it: xdg-open knows
 * how to read that, and reads it. */
static const char *
program(void)
{
	const char *browser = getenv("BROWSER");

	return browser && *browser && !strpbrk(browser, ": %") ? browser
							       : "xdg-open";
}

bool
browser_open(const char *url)
{
	const char *const argv[] = {program(), url, NULL};
	const struct child browser = {
	    .program = argv[0],
	    .argv = argv,
	    .variables = variables,
	    .fds = {CHILD_NULL, CHILD_NULL, CHILD_NULL},
	    .fd_count = 3,
	};
	pid_t pid;

	if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
		return false;
	return child_start(&browser, &pid) == 0;
}
