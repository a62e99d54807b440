/* SPDX-License-Identifier: ISC */
#include "places.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int
enter_directory(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_places.XXXXXX");
	clearenv();
	return mkdtemp(dir) && chdir(dir) == 0 && mkdir("workspace", 0755) == 0
		   ? 0
		   : -1;
}

static int
leave_directory(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
	return chdir("/") || system(command);
}

/* `state_dir` NULL: not set. */
static enum mt_status
prepare(const char *workspace, const char *state_dir, struct config *config,
    struct mt_error *err)
{
	config_init(config, NULL);
	config->workspace = strdup(workspace);
	config->state_dir = state_dir ? strdup(state_dir) : NULL;
	return places_prepare(config, err);
}

static void
expect_state(const char *setting, const char *relative)
{
	struct config config;
	char path[128];
	struct stat st;

	assert_int_equal(prepare("workspace", setting, &config, NULL), MT_OK);
	snprintf(path, sizeof(path), "%s/%s", dir, relative);
	assert_string_equal(config.state_dir, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	config_done(&config);
}

static void
state_lies_where_the_first_setting_says(void **state)
{
	char path[128];

	(void)state;
	setenv("HOME", dir, 1);
	expect_state(NULL, ".local/state/mailtoken-connector");
	snprintf(path, sizeof(path), "%s/xdg", dir);
	setenv("XDG_STATE_HOME", path, 1);
	expect_state(NULL, "xdg/mailtoken-connector");
	snprintf(path, sizeof(path), "%s/systemd:/other", dir);
	setenv("STATE_DIRECTORY", path, 1);
	expect_state(NULL, "systemd");
	expect_state("given/deep", "given/deep");
}

static void
unusable_places_are_refused(void **state)
{
	static const struct {
		const char *workspace, *state_dir, *text;
	} cases[] = {
	    {"missing", "s", "TRI_ONYX_WORKSPACE_DIR"},
	    {"file", "s", "TRI_ONYX_WORKSPACE_DIR"},
	    {"workspace", NULL, "TRI_ONYX_EMAIL_STATE_DIR"},
	    {"workspace", "workspace", "in the workspace"},
	    {"workspace", "workspace/x", "in the workspace"},
	    {"workspace", "link/x", "in the workspace"},
	    {"/", "s", "in the workspace"},
	    {"workspace", "file/x", "cannot make directory"},
	};

	(void)state;
	fclose(fopen("file", "w"));
	assert_int_equal(symlink("workspace", "link"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config config;
		struct mt_error err = {0};

		assert_int_equal(prepare(cases[i].workspace, cases[i].state_dir,
				     &config, &err),
		    MT_BAD_CONFIG);
		if (!strstr(err.text, cases[i].text))
			fail_msg("case %zu: %s", i, err.text);
		config_done(&config);
	}
}

int
main(void)
{
#define IN_DIRECTORY(test)                                                     \
	cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)
	const struct CMUnitTest tests[] = {
	    IN_DIRECTORY(state_lies_where_the_first_setting_says),
	    IN_DIRECTORY(unusable_places_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
