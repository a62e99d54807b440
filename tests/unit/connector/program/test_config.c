/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* "NAME=value" pairs, up to NULL, are the whole environment. */
static enum mt_status
read_from(struct config *config, const char *const *pairs, struct mt_error *err)
{
	clearenv();
	for (; *pairs; pairs++) {
		char *name = strdup(*pairs);
		char *equals = strchr(name, '=');

		*equals = '\0';
		setenv(name, equals + 1, 1);
		free(name);
	}
	config_init(config, NULL);
	return config_read(config, err);
}

#define HOST "TRI_ONYX_IMAP_HOST=imap.example.com"
#define NAME "TRI_ONYX_IMAP_USERNAME=a@example.com"
#define PASSWORD "TRI_ONYX_IMAP_PASSWORD=hunter2"
#define BASIC HOST, NAME, PASSWORD

static void
without_a_host_mail_is_off(void **state)
{
	static const char *const cases[][3] = {
	    {NULL},
	    {"TRI_ONYX_IMAP_HOST=", NULL},
	    {"TRI_ONYX_IMAP_PORT=nonsense", NULL},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_from(&config, cases[i], NULL), MT_OK);
		assert_null(config.imap_host);
		config_done(&config);
	}
}

static void
empty_and_missing_values_take_the_defaults(void **state)
{
	static const char *const missing[] = {BASIC, NULL};
	static const char *const empty[] = {BASIC, "TRI_ONYX_IMAP_PORT=",
	    "TRI_ONYX_IMAP_SSL=", "TRI_ONYX_SMTP_HOST=", "TRI_ONYX_SMTP_PORT=",
	    "TRI_ONYX_SMTP_SSL=", "TRI_ONYX_SMTP_USERNAME=",
	    "TRI_ONYX_SMTP_PASSWORD=", "TRI_ONYX_EMAIL_AGENT=",
	    "TRI_ONYX_IMAP_AUTH=", "TRI_ONYX_IMAP_POLL_INTERVAL=",
	    "TRI_ONYX_OAUTH2_TENANT=", "TRI_ONYX_OAUTH2_REFRESH_TOKEN=", NULL};
	const char *const *both[] = {missing, empty};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct config c;
		assert_int_equal(read_from(&c, both[i], NULL), MT_OK);
		assert_int_equal(c.imap.port, 993);
		assert_int_equal(c.imap.tls, MAIL_TLS_IMPLICIT);
		assert_string_equal(c.smtp.host, "imap.example.com");
		assert_int_equal(c.smtp.port, 587);
		assert_int_equal(c.smtp.tls, MAIL_TLS_STARTTLS);
		assert_string_equal(c.smtp.authentication_id, "a@example.com");
		assert_string_equal(secret_expose(c.smtp.password), "hunter2");
		assert_string_equal(c.from, "a@example.com");
		assert_string_equal(c.agent, "email");
		assert_string_equal(c.tenant, "common");
		assert_int_equal(c.poll_interval_ms, 300000);
		assert_int_equal(c.mailboxes.count, 1);
		assert_string_equal(c.mailboxes.list[0].name, "INBOX");
		assert_false(c.only_newest);
		assert_int_equal(c.auth, CONFIG_AUTH_LOGIN);
		assert_false(config_wants_private_helper(&c));
		config_done(&c);
	}
}

static void
wrong_values_name_the_variable(void **state)
{
	static const struct {
		const char *pair;
		const char *text; /* is in the error */
	} cases[] = {
	    {"TRI_ONYX_IMAP_PORT= 993", "TRI_ONYX_IMAP_PORT"},
	    {"TRI_ONYX_IMAP_PORT=0", "from 1 to 65535"},
	    {"TRI_ONYX_SMTP_PORT=65536", "TRI_ONYX_SMTP_PORT"},
	    {"TRI_ONYX_IMAP_SSL=maybe", "TRI_ONYX_IMAP_SSL"},
	    {"TRI_ONYX_SMTP_SSL=2", "true and false"},
	    {"TRI_ONYX_IMAP_POLL_INTERVAL=0", "from 1000"},
	    {"TRI_ONYX_IMAP_POLL_INTERVAL=-5", "POLL_INTERVAL"},
	    {"TRI_ONYX_IMAP_AUTH=LOGIN", "login and oauth2"},
	    {"TRI_ONYX_SMTP_UNCERTAIN=maybe", "retry and hold"},
	    {"TRI_ONYX_EMAIL_SENT_COPY=yes", "auto, server, append and none"},
	    {"TRI_ONYX_EMAIL_BACKFILL=some", "all, new and a number"},
	    {"TRI_ONYX_EMAIL_BACKFILL=0", "all, new and a number"},
	    {"TRI_ONYX_EMAIL_BACKFILL=4294967296", "all, new and a number"},
	    {"TRI_ONYX_EMAIL_MAILBOXES=a/b", "NAME=FOLDER"},
	    {"TRI_ONYX_EMAIL_AGENT=../x", "TRI_ONYX_EMAIL_AGENT"},
	    {"TRI_ONYX_EMAIL_AGENT=-x", "TRI_ONYX_EMAIL_AGENT"},
	    {"TRI_ONYX_OAUTH2_TENANT=a/b", "TRI_ONYX_OAUTH2_TENANT"},
	    {"TRI_ONYX_OAUTH2_SCOPE=a\npermit = get", "control character"},
	    {"TRI_ONYX_SMTP_PASSWORD_FILE=/nonexistent", "/nonexistent"},
	    {"TRI_ONYX_IMAP_PASSWORD_FILE=/dev/null", "both set"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const pairs[] = {BASIC, cases[i].pair, NULL};
		struct config config;
		struct mt_error err = {0};

		assert_int_equal(
		    read_from(&config, pairs, &err), MT_BAD_CONFIG);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%s: %s", cases[i].pair, err.text);
		config_done(&config);
	}
}

static void
backfill_is_all_or_so_many(void **state)
{
	static const struct {
		const char *pair;
		bool only_newest;
		uint32_t newest;
	} cases[] = {
	    {"TRI_ONYX_EMAIL_BACKFILL=all", false, 0},
	    {"TRI_ONYX_EMAIL_BACKFILL=new", true, 0},
	    {"TRI_ONYX_EMAIL_BACKFILL=1", true, 1},
	    {"TRI_ONYX_EMAIL_BACKFILL=4294967295", true, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const pairs[] = {BASIC, cases[i].pair, NULL};
		struct config c;

		assert_int_equal(read_from(&c, pairs, NULL), MT_OK);
		assert_int_equal(c.only_newest, cases[i].only_newest);
		assert_int_equal(c.newest, cases[i].newest);
		config_done(&c);
	}
}

static void
what_is_required_is_missed(void **state)
{
	static const char *const cases[][4] = {
	    {HOST, PASSWORD, NULL},
	    {HOST, NAME, NULL},
	    {HOST, NAME, "TRI_ONYX_IMAP_PASSWORD=", NULL},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
		    read_from(&config, cases[i], NULL), MT_BAD_CONFIG);
		config_done(&config);
	}
}

/* SSL words of any case; clear text on loopback or by opt-in only. */
static void
ssl_off_means_starttls_beyond_loopback(void **state)
{
	static const struct {
		const char *host, *ssl, *port, *insecure;
		enum mail_tls imap, smtp;
	} cases[] = {
	    {"h.example", "True", "465", "", MAIL_TLS_IMPLICIT,
		MAIL_TLS_IMPLICIT},
	    {"h.example", "1", "587", "", MAIL_TLS_IMPLICIT, MAIL_TLS_STARTTLS},
	    {"h.example", "False", "465", "", MAIL_TLS_STARTTLS,
		MAIL_TLS_STARTTLS},
	    {"127.0.0.1", "off", "587", "", MAIL_TLS_NONE, MAIL_TLS_NONE},
	    {"LOCALHOST", "no", "25", "", MAIL_TLS_NONE, MAIL_TLS_NONE},
	    {"localhost.example", "no", "25", "", MAIL_TLS_STARTTLS,
		MAIL_TLS_STARTTLS},
	    {"127.0.0.1.example", "no", "25", "", MAIL_TLS_STARTTLS,
		MAIL_TLS_STARTTLS},
	    {"h.example", "0", "587", "yes", MAIL_TLS_NONE, MAIL_TLS_NONE},
	    {"h.example", "true", "587", "yes", MAIL_TLS_IMPLICIT,
		MAIL_TLS_STARTTLS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config c;

		clearenv();
		setenv("TRI_ONYX_IMAP_HOST", cases[i].host, 1);
		setenv("TRI_ONYX_IMAP_USERNAME", "a@b.c", 1);
		setenv("TRI_ONYX_IMAP_PASSWORD", "x", 1);
		setenv("TRI_ONYX_IMAP_SSL", cases[i].ssl, 1);
		setenv("TRI_ONYX_SMTP_SSL", cases[i].ssl, 1);
		setenv("TRI_ONYX_SMTP_PORT", cases[i].port, 1);
		setenv("TRI_ONYX_EMAIL_INSECURE", cases[i].insecure, 1);
		config_init(&c, NULL);
		assert_int_equal(config_read(&c, NULL), MT_OK);
		if (c.imap.tls != cases[i].imap || c.smtp.tls != cases[i].smtp)
			fail_msg("case %zu: imap %d, smtp %d", i, c.imap.tls,
			    c.smtp.tls);
		config_done(&c);
	}
}

/* The whole difference between the two ways to log in. */
static void
auth_mode_selects_mechanisms_and_credential_only(void **state)
{
	static const char *const login[] = {BASIC, NULL};
	static const char *const oauth2[] = {
	    BASIC, "TRI_ONYX_IMAP_AUTH=oauth2", NULL};
	struct config l, o;

	(void)state;
	assert_int_equal(read_from(&l, login, NULL), MT_OK);
	assert_int_equal(read_from(&o, oauth2, NULL), MT_OK);
	assert_string_equal(l.imap.mechanisms[0], "SCRAM-SHA-256");
	assert_string_equal(o.imap.mechanisms[0], "OAUTHBEARER");
	assert_string_equal(o.smtp.mechanisms[1], "XOAUTH2");
	assert_null(o.imap.password);
	assert_null(o.smtp.password);
	assert_true(l.imap.login_command);
	assert_false(o.imap.login_command);
	assert_string_equal(l.imap.host, o.imap.host);
	assert_int_equal(l.imap.port, o.imap.port);
	assert_int_equal(l.imap.tls, o.imap.tls);
	assert_int_equal(l.smtp.tls, o.smtp.tls);
	config_done(&l);
	config_done(&o);
}

static void
refresh_token_selects_a_private_helper(void **state)
{
	static const char *const complete[] = {HOST, NAME,
	    "TRI_ONYX_IMAP_AUTH=oauth2", "TRI_ONYX_OAUTH2_CLIENT_ID=id",
	    "TRI_ONYX_OAUTH2_REFRESH_TOKEN=seed", NULL};
	static const char *const without_id[] = {HOST, NAME,
	    "TRI_ONYX_IMAP_AUTH=oauth2", "TRI_ONYX_OAUTH2_REFRESH_TOKEN=seed",
	    NULL};
	struct config c;

	(void)state;
	assert_int_equal(read_from(&c, complete, NULL), MT_OK);
	assert_true(config_wants_private_helper(&c));
	config_done(&c);
	assert_int_equal(read_from(&c, without_id, NULL), MT_BAD_CONFIG);
	config_done(&c);
}

/* Also when something else in the environment is wrong. */
static void
secrets_leave_the_environment(void **state)
{
	static const char *const pairs[] = {BASIC, "TRI_ONYX_IMAP_PORT=x",
	    "TRI_ONYX_SMTP_PASSWORD=two", "TRI_ONYX_OAUTH2_CLIENT_SECRET=three",
	    "TRI_ONYX_OAUTH2_REFRESH_TOKEN=four", NULL};
	struct config c;

	(void)state;
	assert_int_equal(read_from(&c, pairs, NULL), MT_BAD_CONFIG);
	for (char **e = environ; *e; e++) {
		assert_null(strstr(*e, "PASSWORD"));
		assert_null(strstr(*e, "SECRET"));
		assert_null(strstr(*e, "REFRESH_TOKEN"));
	}
	config_done(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_host_mail_is_off),
	    cmocka_unit_test(empty_and_missing_values_take_the_defaults),
	    cmocka_unit_test(wrong_values_name_the_variable),
	    cmocka_unit_test(backfill_is_all_or_so_many),
	    cmocka_unit_test(what_is_required_is_missed),
	    cmocka_unit_test(ssl_off_means_starttls_beyond_loopback),
	    cmocka_unit_test(auth_mode_selects_mechanisms_and_credential_only),
	    cmocka_unit_test(refresh_token_selects_a_private_helper),
	    cmocka_unit_test(secrets_leave_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
