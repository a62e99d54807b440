/* SPDX-License-Identifier: ISC */
/*
 * The command line, and the places where things are when nothing else is said
 * (mailtokend(8), FILES).
 */
#ifndef MT_DAEMON_OPTIONS_H
#define MT_DAEMON_OPTIONS_H

#include "config.h"

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>

struct options {
	bool verbose;
	bool check;    /* read the settings and say whether they are good */
	bool once;     /* serve descriptor 3, then end */
	bool lifeline; /* end when standard input does */
	bool help;
	bool version;
	const char *config_file; /* NULL: the places below */
	const char *state_dir;   /* NULL: not given */
	const char *sockets[CONFIG_SOCKETS_MAX];
	size_t socket_count;
};

/* MT_USAGE for what is no valid command line. */
enum mt_status options_parse(struct options *ret_options, int argc, char **argv,
    struct mt_error *err) MT_MUST_CHECK;

extern const char options_usage[];

struct places {
	bool system; /* for all users: root, or a service with a state */
	char config_dir[PATH_MAX];
	char state_dir[PATH_MAX];
	char socket[PATH_MAX];
	char own_providers[PATH_MAX];     /* the administrator's */
	char shipped_providers[PATH_MAX]; /* beside the program */
};

enum mt_status places_find(
    struct places *ret_places, struct mt_error *err) MT_MUST_CHECK;

#endif
