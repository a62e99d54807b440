/* SPDX-License-Identifier: ISC */
#include "tokensock/module_settings.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/mt-sasl-conf-XXXXXX";

static void
write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
set_up(void **state)
{
	(void)state;
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	close(mkstemp(path));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static enum mt_status
read_text(
    const char *text, struct module_settings *settings, struct mt_error *err)
{
	write_file(text);
	module_settings_init(settings);
	return module_settings_read(settings, path, err);
}

static void
all_settings_are_read(void **state)
{
	struct module_settings settings;
	struct mt_error err = {0};

	(void)state;
	assert_int_equal(read_text("# for the whole machine\n"
				   "socket = /run/elsewhere/socket\n"
				   "trusted_uid = 4711\n"
				   "services = nntp, jmap\n"
				   "offer = smtp lmtp\n"
				   "first_step_ok = send\n",
			     &settings, &err),
	    MT_OK);
	assert_string_equal(settings.socket, "/run/elsewhere/socket");
	assert_int_equal(settings.trusted_uid, 4711);
	assert_true(module_settings_lists(settings.services, "nntp"));
	assert_true(module_settings_lists(settings.services, "jmap"));
	assert_true(module_settings_lists(settings.offer, "lmtp"));
	assert_true(module_settings_lists(settings.first_step_ok, "send"));
	assert_false(module_settings_lists(settings.offer, "send"));
}

static void
trusted_uid_may_be_a_name(void **state)
{
	struct module_settings settings;
	struct mt_error err;

	(void)state;
	assert_int_equal(
	    read_text("trusted_uid = nobody\n", &settings, &err), MT_OK);
	assert_int_equal(settings.trusted_uid, 65534);
	assert_int_equal(module_settings_trusted_uid(path), 65534);
}

static void
file_that_is_no_good_has_nobody_trusted(void **state)
{
	(void)state;
	write_file("trusted_uid = nobody\nnothing = known\n");
	assert_int_equal(module_settings_trusted_uid(path), (uid_t)-1);
	assert_int_equal(module_settings_trusted_uid("/nowhere"), (uid_t)-1);
}

static void
without_a_file_nothing_is_set(void **state)
{
	struct module_settings settings;
	struct mt_error err;

	(void)state;
	unlink(path);
	module_settings_init(&settings);
	assert_int_equal(module_settings_read(&settings, path, &err), MT_OK);
	assert_string_equal(settings.socket, "");
	assert_int_equal(settings.trusted_uid, (uid_t)-1);
	assert_false(module_settings_lists(settings.offer, "smtp"));
}

static void
file_that_others_may_not_read_is_none(void **state)
{
	struct module_settings settings;
	struct mt_error err;
	enum mt_status status;

	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("offer = smtp\n");
	chmod(path, 0600);
	module_settings_init(&settings);
	assert_int_equal(seteuid(65534), 0);
	status = module_settings_read(&settings, path, &err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(status, MT_OK);
	assert_string_equal(settings.offer, "");
}

static void
broken_files_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
	    {"offer = smtp\nofer = lmtp\n", ":2: unknown setting 'ofer'"},
	    {"[section]\n", ":1: there are no sections"},
	    {"offer\n", ":1: expected 'name = value'"},
	    {"socket = relative\n", ":1: 'socket' must be an absolute path"},
	    {"socket =\n", ":1: 'socket' must be an absolute path"},
	    {"trusted_uid = no-such-user\n",
		":1: 'trusted_uid': there is no user 'no-such-user'"},
	    {"trusted_uid = -1\n", "there is no user '-1'"},
	};
	struct module_settings settings;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err = {0};

		if (read_text(cases[i].text, &settings, &err) !=
			MT_BAD_CONFIG ||
		    !strstr(err.text, cases[i].error) ||
		    !strstr(err.text, path))
			fail_msg("case %zu: %s", i, err.text);
	}
}

static void
overlong_values_are_refused(void **state)
{
	struct module_settings settings;
	struct mt_error err;
	char text[400], word[300];

	(void)state;
	memset(word, 'w', sizeof(word));
	word[MODULE_WORDS_MAX - 1] = '\0';
	snprintf(text, sizeof(text), "offer = %s\n", word);
	assert_int_equal(read_text(text, &settings, &err), MT_OK);
	snprintf(text, sizeof(text), "offer = %sw\n", word);
	assert_int_equal(read_text(text, &settings, &err), MT_BAD_CONFIG);
	word[TOKEN_SOCKET_PATH_MAX - 1] = '\0';
	snprintf(text, sizeof(text), "socket = /%s\n", word);
	assert_int_equal(read_text(text, &settings, &err), MT_BAD_CONFIG);
}

static void
words_are_compared_whole(void **state)
{
	(void)state;
	assert_true(module_settings_lists("smtp", "smtp"));
	assert_true(module_settings_lists(" a,\tsmtp ,b ", "smtp"));
	assert_false(module_settings_lists("smtpd", "smtp"));
	assert_false(module_settings_lists("xsmtp", "smtp"));
	assert_false(module_settings_lists("smt p", "smtp"));
	assert_false(module_settings_lists("", "smtp"));
	assert_false(module_settings_lists("smtp", ""));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(all_settings_are_read),
	    CASE(trusted_uid_may_be_a_name),
	    CASE(file_that_is_no_good_has_nobody_trusted),
	    CASE(without_a_file_nothing_is_set),
	    CASE(file_that_others_may_not_read_is_none),
	    CASE(broken_files_are_refused_with_their_line),
	    CASE(overlong_values_are_refused),
	    CASE(words_are_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
