/* SPDX-License-Identifier: ISC */
#include "options.h"

#include "unit/cmocka_headers.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum mt_status
parse(struct options *options, const char *a, const char *b, const char *c)
{
	const char *const words[] = {"mailtokend", a, b, c, NULL};
	char *argv[5] = {NULL};
	struct mt_error err = {0};
	int argc = 0;

	while (words[argc]) {
		argv[argc] = (char *)(uintptr_t)words[argc];
		argc++;
	}
	optind = 0;
	return options_parse(options, argc, argv, &err);
}

static void
command_line_is_read(void **state)
{
	struct options options = {0};

	(void)state;
	assert_int_equal(parse(&options, "-v", "--config", "/c"), MT_OK);
	assert_true(options.verbose);
	assert_string_equal(options.config_file, "/c");
	assert_int_equal(
	    parse(&options, "--socket=/a", "--socket", "/b"), MT_OK);
	assert_int_equal(options.socket_count, 2);
	assert_string_equal(options.sockets[1], "/b");
	assert_int_equal(
	    parse(&options, "--once", "--lifeline", "--check"), MT_OK);
	assert_true(options.once && options.lifeline && options.check);
	assert_int_equal(parse(&options, "--version", NULL, NULL), MT_OK);
	assert_true(options.version);
}

static void
wrong_command_line_is_a_usage_error(void **state)
{
	struct options options = {0};

	(void)state;
	assert_int_equal(parse(&options, "--nonsense", NULL, NULL), MT_USAGE);
	assert_int_equal(parse(&options, "-x", NULL, NULL), MT_USAGE);
	assert_int_equal(parse(&options, "word", NULL, NULL), MT_USAGE);
	assert_int_equal(parse(&options, "--config", NULL, NULL), MT_USAGE);
	assert_int_equal(parse(&options, "--once", "--socket", "/a"), MT_USAGE);
}

static void
service_has_the_systems_places(void **state)
{
	struct places places;
	struct mt_error err = {0};

	(void)state;
	setenv("STATE_DIRECTORY", "/srv/state:/srv/other", 1);
	assert_int_equal(places_find(&places, &err), MT_OK);
	assert_true(places.system);
	assert_string_equal(places.config_dir, "/etc/mailtoken");
	assert_string_equal(places.state_dir, "/srv/state");
	assert_string_equal(places.socket, "/run/mailtoken/socket");
	unsetenv("STATE_DIRECTORY");
}

static void
user_has_places_at_home(void **state)
{
	struct places places;
	struct mt_error err = {0};
	char socket[64];

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	snprintf(socket, sizeof(socket), "/run/user/%lu/mailtoken/socket",
	    (unsigned long)geteuid());
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/u", 1);
	assert_int_equal(places_find(&places, &err), MT_OK);
	assert_false(places.system);
	assert_string_equal(places.config_dir, "/home/u/.config/mailtoken");
	assert_string_equal(places.state_dir, "/home/u/.local/state/mailtoken");
	assert_string_equal(places.socket, socket);
	setenv("XDG_CONFIG_HOME", "/c", 1);
	setenv("XDG_STATE_HOME", "relative", 1);
	assert_int_equal(places_find(&places, &err), MT_OK);
	assert_string_equal(places.config_dir, "/c/mailtoken");
	assert_string_equal(places.state_dir, "/home/u/.local/state/mailtoken");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(command_line_is_read),
	    cmocka_unit_test(wrong_command_line_is_a_usage_error),
	    cmocka_unit_test(service_has_the_systems_places),
	    cmocka_unit_test(user_has_places_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
