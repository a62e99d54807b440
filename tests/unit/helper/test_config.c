/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNT                                                                \
	"[account work]\nuser = u@x.test\nclient_id = id\n"                    \
	"token_endpoint = https://x.test/token\n"

static enum mt_status
read_file(const char *dir, const char *text, struct config **config,
    struct mt_error *err)
{
	char path[4096];
	struct config_source source = {.file = path};

	scratch_write(dir, "m.conf", text);
	snprintf(path, sizeof(path), "%s/m.conf", dir);
	assert_int_equal(chmod(path, 0600), 0);
	source.providers.dir[0] = dir;
	return config_read(&source, config, err);
}

static struct config *
read_good(const char *dir, const char *text)
{
	struct config *config = NULL;
	struct mt_error err = {0};

	if (read_file(dir, text, &config, &err) != MT_OK)
		fail_msg("%s", err.text);
	return config;
}

static void
everything_is_read(void **state)
{
	struct config *c = read_good(*state,
	    "# comment\nsocket = /a\nsocket = /b\nsocketmap = /m\nstate_dir = "
	    "/s\n" ACCOUNT
	    "permit = get git-credential\nimap_host = imap.x.test\n"
	    "allow = uid:0 gid:0\nallow = uid:root\n"
	    "authorization_endpoint = http://127.0.0.1:1/auth\n"
	    "issuer = https://x.test\nscope = a b\nredirect_host = localhost\n"
	    "ca_file = /ca\n\n[account a.b@c-d_e]\nuser = v\nclient_id = i\n"
	    "token_endpoint = http://[::1]/token\n");
	const struct account_settings *s = c->accounts[1];

	assert_int_equal(c->socket_count, 2);
	assert_string_equal(c->sockets[1], "/b");
	assert_int_equal(c->socketmap_count, 1);
	assert_string_equal(c->socketmaps[0], "/m");
	assert_string_equal(c->state_dir, "/s");
	assert_int_equal(c->account_count, 2);
	assert_string_equal(c->accounts[0]->name, "a.b@c-d_e");
	assert_false(c->accounts[0]->permit[PERMIT_GET]);
	assert_null(c->accounts[0]->provider.host[SERVICE_IMAP]);
	assert_string_equal(s->name, "work");
	assert_int_equal(s->owner, geteuid());
	assert_true(s->permit[PERMIT_GET]);
	assert_true(s->permit[PERMIT_GIT_CREDENTIAL]);
	assert_false(s->permit[PERMIT_SOCKETMAP]);
	assert_int_equal(s->allow_count, 3);
	assert_true(s->allow[1].is_group);
	assert_string_equal(s->provider.host[SERVICE_IMAP], "imap.x.test");
	assert_null(s->provider.host[SERVICE_SMTP]);
	assert_string_equal(s->ca_file, "/ca");
	config_free(&c);
	assert_null(c);
}

static const struct {
	const char *text;
	const char *error; /* behind the file's name */
} bad[] = {
    {"nonsense\n", ":1: expected 'name = value'"},
    {"usr = x\n", ":1: unknown setting 'usr'"},
    {"socket = relative\n", ":1: socket: 'relative'"},
    {"socketmap = relative\n", ":1: socketmap: 'relative'"},
    {"state_dir =\n", ":1: 'state_dir' is empty"},
    {"state_dir = /a\nstate_dir = /b\n", ":2: 'state_dir' is set a second"},
    {"[provider x]\n", ":1: unknown section 'provider x'"},
    {"[account]\n", ":1: unknown section"},
    {"[accountx]\n", ":1: unknown section"},
    {"[account .x]\n", ":1: '.x' cannot be an account's name"},
    {"[account a/b]\n", ":1: 'a/b' cannot be"},
    {"[account a b]\n", ":1: 'a b' cannot be"},
    {ACCOUNT "[account work]\n", ":5: account 'work' is defined a second"},
    {ACCOUNT "user = again\n", ":5: 'user' is set a second time"},
    {ACCOUNT "colour = red\n", ":5: unknown setting 'colour'"},
    {ACCOUNT "permit = get all\n", ":5: permit: 'all' is unknown"},
    {ACCOUNT "allow = postfix\n", ":5: allow: 'postfix' is neither"},
    {ACCOUNT "allow = uid:no-such-user\n", ":5: allow: there is no user"},
    {ACCOUNT "allow = gid:no-such-group\n", ":5: allow: there is no group"},
    {ACCOUNT "issuer = here\n", ":5: issuer: 'here' is not an address"},
    {ACCOUNT "imap_host = a b\n", ":5: imap_host: 'a b' is not the name"},
    {ACCOUNT "imap_host = *.x.test\n", ":5: imap_host: '*.x.test' is not"},
    {ACCOUNT "redirect_host = ::1\n", ":5: redirect_host: '::1' is neither"},
    {ACCOUNT "grant = password\n", ":5: grant: 'password' is neither"},
    {ACCOUNT "grant = client_credentials\n",
	"account work: 'grant = client_credentials' needs "
	"'client_secret_file'"},
    {ACCOUNT "grant = client_credentials\nclient_secret_file = /s\n"
	     "tenant = common\n",
	"account work: 'grant = client_credentials' needs a 'tenant'"},
    {ACCOUNT "discovery = http://x.test/\n",
	":5: discovery: 'http://x.test/': https is required"},
    {ACCOUNT "redirect_port = 65536\n", ":5: redirect_port: '65536' is not"},
    {ACCOUNT "mechanisms = \"X\"\n", ":5: mechanisms: '\"X\"' is not a list"},
    {ACCOUNT "authorization_params = prompt=x state=y\n",
	":5: authorization_params: 'state' is not to be set here"},
    {ACCOUNT "authorization_params = login_hint=y\n",
	":5: authorization_params: 'login_hint' is not"},
    {ACCOUNT "authorization_params = prompt\n",
	":5: authorization_params: 'prompt' is not of the form"},
    {ACCOUNT "authorization_params = a=b =c\n",
	":5: authorization_params: '=c' is not of the form"},
    {ACCOUNT "device_authorization_endpoint = http://x.test/\n",
	":5: device_authorization_endpoint: 'http://x.test/': https is"},
    {ACCOUNT "revocation_endpoint = http://x.test/\n",
	":5: revocation_endpoint: 'http://x.test/': https is required"},
    {ACCOUNT "resend_scope = maybe\n", ":5: resend_scope: 'maybe' is neither"},
    {ACCOUNT "scope = a \"b\"\n", ":5: scope: a scope is made of words"},
    {ACCOUNT "tenant = ../x\n", ":5: tenant: '../x' is not a name"},
    {ACCOUNT "authorization_endpoint = http://x.test/\n",
	":5: authorization_endpoint: 'http://x.test/': https is required"},
    {ACCOUNT "authorization_endpoint = http://localhost@x.test/\n",
	":5: authorization_endpoint: 'http://localhost@x.test/' is not"},
    {ACCOUNT "provider = ../../etc/passwd\n", ":5: provider: '../../etc"},
    {"[account a]\nuser = u\nclient_id = i\n",
	"account a: 'token_endpoint' is not set"},
    {"[account a]\nuser = u\ntoken_endpoint = https://x/\n",
	"account a: 'client_id' is not set"},
    {"[account a]\nclient_id = i\ntoken_endpoint = https://x/\n",
	"account a: 'user' is not set"},
    {ACCOUNT "client_secret_file = /nonexistent\n",
	"account work: cannot open /nonexistent"},
    {ACCOUNT "provider = nowhere\n", "no provider 'nowhere': there is no"},
    {"[account a]\nprovider = t\nuser = u\nclient_id = i\n",
	"account a: 'tenant' is not set"},
};

static void
errors_name_file_line_and_cause(void **state)
{
	scratch_write(*state, "t.conf",
	    "token_endpoint = https://x.test/{tenant}/token\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config *config = NULL;
		struct mt_error err = {0};
		enum mt_status status =
		    read_file(*state, bad[i].text, &config, &err);

		if (status != MT_BAD_CONFIG || !strstr(err.text, bad[i].error))
			fail_msg("%s: status %d: %s", bad[i].text, (int)status,
			    err.text);
		assert_null(config);
		if (bad[i].error[0] == ':')
			assert_non_null(strstr(err.text, "m.conf:"));
	}
}

static void
provider_fills_what_the_account_leaves_open(void **state)
{
	struct config *c;
	const struct provider *p;

	scratch_write(*state, "big.conf",
	    "tenant = common\ntoken_endpoint = https://x.test/{tenant}/token\n"
	    "authorization_endpoint = https://x.test/{tenant}/auth\n"
	    "scope = a b\nimap_host = imap.x.test\nsmtp_host = smtp.x.test\n");
	c = read_good(*state, "[account a]\nprovider = big\nuser = u\n"
			      "client_id = i\n"
			      "[account b]\nprovider = big\nuser = u\n"
			      "client_id = i\ntenant = mine.test\nscope = c\n"
			      "smtp_host = other.test\n");
	p = &c->accounts[0]->provider;
	assert_string_equal(p->token_endpoint, "https://x.test/common/token");
	assert_string_equal(p->scope, "a b");
	p = &c->accounts[1]->provider;
	assert_string_equal(
	    p->token_endpoint, "https://x.test/mine.test/token");
	assert_string_equal(
	    p->authorization_endpoint, "https://x.test/mine.test/auth");
	assert_string_equal(p->scope, "c");
	assert_string_equal(p->host[SERVICE_IMAP], "imap.x.test");
	assert_string_equal(p->host[SERVICE_SMTP], "other.test");
	config_free(&c);
}

static void
wrong_provider_file_is_named(void **state)
{
	struct config *config = NULL;
	struct mt_error err = {0};

	scratch_write(*state, "big.conf", "scope = a\n[section]\n");
	assert_int_equal(
	    read_file(*state, ACCOUNT "provider = big\n", &config, &err),
	    MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "big.conf:2: "));
}

static void
directory_holds_one_file_and_many(void **state)
{
	struct config_source source = {.dir = *state};
	struct config *c = NULL;
	struct mt_error err = {0};

	/* nothing there is nothing wrong */
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	assert_int_equal(c->account_count, 0);
	config_free(&c);
	scratch_mkdir(*state, "accounts.d");
	scratch_write(*state, "mailtoken.conf", "state_dir = /s\n");
	scratch_write(*state, "accounts.d/work.conf", ACCOUNT);
	scratch_write(*state, "accounts.d/other.txt", "nonsense");
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	assert_int_equal(c->account_count, 1);
	assert_string_equal(c->state_dir, "/s");
	config_free(&c);
	/* a section ends with its file */
	scratch_write(*state, "accounts.d/x.conf", "user = z\n");
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "x.conf:1: unknown setting"));
}

static void
file_that_others_may_write_is_refused(void **state)
{
	struct config_source source = {0};
	struct config *config = NULL;
	struct mt_error err = {0};
	const char *path = scratch_path(*state, "m.conf");

	scratch_write(*state, "m.conf", ACCOUNT);
	source.file = path;
	for (mode_t mode = 0620; mode >= 0602; mode -= 016) {
		assert_int_equal(chmod(path, mode), 0);
		assert_int_equal(
		    config_read(&source, &config, &err), MT_BAD_CONFIG);
		assert_non_null(strstr(err.text, "chmod go-w"));
	}
}

static void
secret_file_must_be_closed_and_owned(void **state)
{
	char text[4096 + sizeof(ACCOUNT)];
	const char *path = scratch_path(*state, "secret");
	struct config *c = NULL;
	struct mt_error err = {0};

	scratch_write(*state, "secret", "hunter2\n");
	snprintf(text, sizeof(text), ACCOUNT "client_secret_file = %s\n", path);
	assert_int_equal(chmod(path, 0640), 0);
	c = read_good(*state, text);
	assert_string_equal(
	    secret_expose(&c->accounts[0]->client_secret), "hunter2");
	config_free(&c);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(chmod(path, i ? 0660 : 0604), 0);
		assert_int_equal(
		    read_file(*state, text, &c, &err), MT_BAD_CONFIG);
		assert_non_null(strstr(err.text, "chmod"));
		assert_null(strstr(err.text, "hunter2"));
	}
}

/* Somebody who may define an account must not have root read files for them. */
static void
secret_file_of_another_user_is_refused(void **state)
{
	char text[4096 + sizeof(ACCOUNT)];
	const char *secret = scratch_path(*state, "secret");
	const char *conf = scratch_path(*state, "m.conf");
	struct config_source source = {.file = conf};
	struct config *c = NULL;
	struct mt_error err = {0};

	if (geteuid() != 0)
		fail_msg("must be run as root");
	scratch_write(*state, "secret", "hunter2\n");
	assert_int_equal(chmod(secret, 0600), 0);
	snprintf(
	    text, sizeof(text), ACCOUNT "client_secret_file = %s\n", secret);
	scratch_write(*state, "m.conf", text);
	assert_int_equal(chmod(conf, 0600), 0);
	assert_int_equal(chown(conf, 65534, 65534), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "belongs to uid 0"));
	assert_int_equal(chown(secret, 65534, 65534), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	assert_int_equal(c->accounts[0]->owner, 65534);
	config_free(&c);
}

static void
file_of_another_user_sets_nothing_but_accounts(void **state)
{
	const char *conf = scratch_path(*state, "m.conf");
	struct config_source source = {.file = conf};
	struct config *c = NULL;
	struct mt_error err = {0};

	if (geteuid() != 0)
		fail_msg("must be run as root");
	scratch_write(*state, "m.conf", "socket = /tmp/s\n" ACCOUNT);
	assert_int_equal(chmod(conf, 0600), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	config_free(&c);
	assert_int_equal(chown(conf, 65534, 65534), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "m.conf:1: 'socket' before"));
	scratch_write(*state, "m.conf", ACCOUNT);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	config_free(&c);
}

/* Each costs everybody who is served. */
static void
another_user_has_so_many_accounts_at_most(void **state)
{
	char text[16384] = "";
	size_t len = 0;
	const char *conf = scratch_path(*state, "m.conf");
	struct config_source source = {.file = conf};
	struct config *c = NULL;
	struct mt_error err = {0};

	if (geteuid() != 0)
		fail_msg("must be run as root");
	for (int i = 1; i <= 101; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "[account a%d]\nuser = u\nclient_id = i\n"
		    "token_endpoint = https://x.test/token\n",
		    i);
		if (i < 100)
			continue;
		scratch_write(*state, "m.conf", text);
		assert_int_equal(chmod(conf, 0600), 0);
		assert_int_equal(chown(conf, 65534, 65534), 0);
		assert_int_equal(config_read(&source, &c, &err),
		    i > 100 ? MT_BAD_CONFIG : MT_OK);
		config_free(&c);
	}
	assert_non_null(strstr(err.text, "more than 100 accounts of uid 655"));
	assert_int_equal(chown(conf, 0, 0), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	assert_int_equal(c->account_count, 101);
	config_free(&c);
}

/* Nor wait for a pipe in its place, at each request. */
static void
ca_file_of_another_user_must_be_kept_by_root(void **state)
{
	char text[4096 + sizeof(ACCOUNT)], real[4096];
	const char *conf = scratch_path(*state, "m.conf");
	const char *dir = scratch_path(*state, "ca");
	const char *ca = scratch_path(*state, "ca/ca.pem");
	const char *link = scratch_path(*state, "link");
	struct config_source source = {.file = conf};
	struct config *c = NULL;
	struct mt_error err = {0};

	if (geteuid() != 0)
		fail_msg("must be run as root");
	scratch_mkdir(*state, "ca");
	scratch_write(*state, "ca/ca.pem", "certificates\n");
	assert_int_equal(chmod(ca, 0644), 0);
	assert_int_equal(symlink("ca/ca.pem", link), 0);
	snprintf(text, sizeof(text), ACCOUNT "ca_file = %s\n", link);
	scratch_write(*state, "m.conf", text);
	assert_int_equal(chmod(conf, 0600), 0);
	assert_int_equal(chown(conf, 65534, 65534), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	/* the link may be another tomorrow */
	assert_non_null(realpath(ca, real));
	assert_string_equal(c->accounts[0]->ca_file, real);
	config_free(&c);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "belongs to uid 65534"));
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(chmod(ca, 0666), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_int_equal(unlink(ca), 0);
	assert_int_equal(mkfifo(ca, 0600), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "not a regular file"));
	/* whose file it is decides */
	assert_int_equal(chown(conf, 0, 0), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_OK);
	config_free(&c);
}

/* In accounts.d/, with what is left of it. */
static void
assert_left_out(const char *dir, const char *name, size_t left_out)
{
	struct config_source source = {.dir = dir};
	struct config *c = NULL;

	OK(config_read(&source, &c, &err));
	if (c->left_out != left_out || c->account_count != 2)
		fail_msg("%s: %zu left out, %zu accounts", name, c->left_out,
		    c->account_count);
	assert_string_equal(c->accounts[0]->name, "third");
	assert_string_equal(c->accounts[1]->name, "work");
	assert_int_equal(c->accounts[1]->owner, 0);
	config_free(&c);
}

static void
mistakes_of_another_user_are_theirs_alone(void **state)
{
	static const char other[] =
	    "[account mine]\nuser = m\nclient_id = c\n"
	    "token_endpoint = https://example.test/token\n";
	char text[4096];
	const char *path = scratch_path(*state, "accounts.d/a.conf");
	const char *third = scratch_path(*state, "accounts.d/c.conf");
	struct config_source source = {.dir = *state};
	struct config *c = NULL;
	struct mt_error err = {0};
	const struct {
		const char *name, *before, *after;
		mode_t mode;
	} cases[] = {
	    {"syntax", "nonsense\n", "", 0600},
	    {"setting", "", "no_such = 1\n", 0600},
	    {"behind a good account", "", "[account x]\nuser = u\n", 0600},
	    {"of the helper's", "socket = /tmp/s\n", "", 0600},
	    {"provider", "", "provider = no-such\n", 0600},
	    {"endpoint", "", "token_endpoint = http://example.test\n", 0600},
	    {"secret", "", "client_secret_file = /etc/passwd\n", 0600},
	    {"open to others", "", "", 0662},
	    {"root's account", ACCOUNT, "", 0600},
	    {"another's account, behind it", "", "[account work]\nuser = m\n",
		0600},
	};

	if (geteuid() != 0)
		fail_msg("must be run as root");
	scratch_mkdir(*state, "accounts.d");
	scratch_write(*state, "accounts.d/b.conf", ACCOUNT);
	scratch_write(*state, "accounts.d/c.conf",
	    "[account third]\nuser = m\nclient_id = c\n"
	    "token_endpoint = https://example.test/token\n");
	assert_int_equal(chown(third, 65533, 65533), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s%s%s", cases[i].before, other,
		    cases[i].after);
		scratch_write(*state, "accounts.d/a.conf", text);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_left_out(*state, cases[i].name, 1);
	}
	/* it is the owner that counts */
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(config_read(&source, &c, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "a.conf"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent/a.conf", path), 0);
	assert_left_out(*state, "link to nowhere", 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_left_out(*state, "pipe", 0);
}

static void
pipe_without_writer_does_not_hang(void **state)
{
	char text[4096 + sizeof(ACCOUNT)];
	const char *path = scratch_path(*state, "fifo");
	struct config *c = NULL;
	struct mt_error err = {0};

	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(text, sizeof(text), ACCOUNT "client_secret_file = %s\n", path);
	assert_int_equal(read_file(*state, text, &c, &err), MT_BAD_CONFIG);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(everything_is_read),
	    TEST(errors_name_file_line_and_cause),
	    TEST(provider_fills_what_the_account_leaves_open),
	    TEST(wrong_provider_file_is_named),
	    TEST(directory_holds_one_file_and_many),
	    TEST(file_that_others_may_write_is_refused),
	    TEST(secret_file_must_be_closed_and_owned),
	    TEST(secret_file_of_another_user_is_refused),
	    TEST(file_of_another_user_sets_nothing_but_accounts),
	    TEST(another_user_has_so_many_accounts_at_most),
	    TEST(ca_file_of_another_user_must_be_kept_by_root),
	    TEST(mistakes_of_another_user_are_theirs_alone),
	    TEST(pipe_without_writer_does_not_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
