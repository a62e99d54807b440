/* SPDX-License-Identifier: ISC */
#include "options.h"

#include <getopt.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_usage[] =
    "usage: mailtokend [-v] [--config FILE] [--state-dir DIR] "
    "[--socket PATH]...\n"
    "                  [--check] [--once] [--lifeline]\n"
    "       mailtokend --help | --version\n"
    "See mailtokend(8).\n";

enum { OPTION_CONFIG = 256, OPTION_STATE_DIR, OPTION_SOCKET };

static enum mt_status
take_socket(struct options *options, const char *path, struct mt_error *err)
{
	if (options->socket_count == CONFIG_SOCKETS_MAX)
		return mt_fail(
		    err, MT_USAGE, "more than %d --socket", CONFIG_SOCKETS_MAX);
	options->sockets[options->socket_count++] = path;
	return MT_OK;
}

static enum mt_status
take_option(
    struct options *options, int option, char *value, struct mt_error *err)
{
	switch (option) {
	case 'v':
		options->verbose = true;
		return MT_OK;
	case 'h':
		options->help = true;
		return MT_OK;
	case 'V':
		options->version = true;
		return MT_OK;
	case 'c':
		options->check = true;
		return MT_OK;
	case 'o':
		options->once = true;
		return MT_OK;
	case 'l':
		options->lifeline = true;
		return MT_OK;
	case OPTION_CONFIG:
		options->config_file = value;
		return MT_OK;
	case OPTION_STATE_DIR:
		options->state_dir = value;
		return MT_OK;
	case OPTION_SOCKET:
		return take_socket(options, value, err);
	default:
		return mt_fail(err, MT_USAGE, "unknown or incomplete option");
	}
}

enum mt_status
options_parse(
    struct options *ret_options, int argc, char **argv, struct mt_error *err)
{
	static const struct option known[] = {
	    {"verbose", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {"check", no_argument, NULL, 'c'},
	    {"once", no_argument, NULL, 'o'},
	    {"lifeline", no_argument, NULL, 'l'},
	    {"config", required_argument, NULL, OPTION_CONFIG},
	    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
	    {"socket", required_argument, NULL, OPTION_SOCKET},
	    {NULL, 0, NULL, 0},
	};
	struct options options = {0};
	enum mt_status status = MT_OK;
	int option;

	opterr = 0;
	while (status == MT_OK &&
	       (option = getopt_long(argc, argv, "vh", known, NULL)) != -1)
		status = take_option(&options, option, optarg, err);
	if (status == MT_OK && optind < argc)
		status = mt_fail(
		    err, MT_USAGE, "unexpected argument '%s'", argv[optind]);
	if (status == MT_OK && options.once && options.socket_count)
		status =
		    mt_fail(err, MT_USAGE, "--once listens on no --socket");
	if (status == MT_OK)
		*ret_options = options;
	return status;
}

static void
set(char place[PATH_MAX], const char *base, const char *rest)
{
	snprintf(place, PATH_MAX, "%s%s", base, rest);
}

/* $NAME/mailtoken, or <home><rest>/mailtoken where it is not set. */
static void
set_xdg(
    char place[PATH_MAX], const char *name, const char *home, const char *rest)
{
	const char *value = getenv(name);

	if (value && *value == '/')
		set(place, value, "/mailtoken");
	else
		snprintf(place, PATH_MAX, "%s%s/mailtoken", home, rest);
}

static enum mt_status
find_user_places(struct places *places, struct mt_error *err)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (!home || *home != '/') {
		user = getpwuid(geteuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home)
		return mt_fail(
		    err, MT_BAD_CONFIG, "this user has no home directory");
	set_xdg(places->config_dir, "XDG_CONFIG_HOME", home, "/.config");
	set_xdg(places->state_dir, "XDG_STATE_HOME", home, "/.local/state");
	snprintf(places->socket, PATH_MAX, "/run/user/%lu/mailtoken/socket",
	    (unsigned long)geteuid());
	return MT_OK;
}

/* The data directory that belongs to where the program lies: bin/../share. */
static void
find_shipped(char place[PATH_MAX])
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	place[0] = '\0';
	if (n <= 0)
		return;
	program[n] = '\0';
	set(place, dirname(program), "/../share/mailtoken/providers");
}

enum mt_status
places_find(struct places *ret_places, struct mt_error *err)
{
	const char *state = getenv("STATE_DIRECTORY");

	*ret_places = (struct places){.system = geteuid() == 0 || state};
	set(ret_places->own_providers, "/etc/mailtoken", "/providers.d");
	find_shipped(ret_places->shipped_providers);
	if (!ret_places->system)
		return find_user_places(ret_places, err);
	set(ret_places->config_dir, "/etc/mailtoken", "");
	set(ret_places->state_dir, state ? state : "/var/lib/mailtoken", "");
	/* systemd separates several directories by colons */
	ret_places->state_dir[strcspn(ret_places->state_dir, ":")] = '\0';
	set(ret_places->socket, "/run/mailtoken/socket", "");
	return MT_OK;
}
