/* SPDX-License-Identifier: ISC */
/* The input is the file of an account.  A secret's file is not read: its name
 * is what it holds. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/settings.h"
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

static int file = -1;
static char path[64];
static char directory[] = "/a/directory";
static const struct config environment = {
    .workspace = directory,
    .state_dir = directory,
};

enum mt_status __wrap_secret_read_file(
    struct secret *secret, const char *name, struct mt_error *err);

enum mt_status
__wrap_secret_read_file(
    struct secret *secret, const char *name, struct mt_error *err)
{
	secret_add(secret, name, strlen(name));
	return secret_ok(secret)
		   ? MT_OK
		   : mt_fail(err, MT_BAD_CONFIG, "the secret is too long");
}

static void
write_file(const void *data, size_t len)
{
	if (file < 0) {
		file = memfd_create("account", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	if (file < 0 || ftruncate(file, 0) ||
	    pwrite(file, data, len, 0) != (ssize_t)len)
		abort();
}

static void
check_text(const char *text)
{
	FUZZ_CHECK(text && *text);
	for (; *text; text++)
		FUZZ_CHECK(!iscntrl((unsigned char)*text));
}

static void
check_server(const struct config *config, const struct mail_server *server)
{
	check_text(server->host);
	check_text(server->authentication_id);
	FUZZ_CHECK(server->port);
	FUZZ_CHECK(server->mechanisms);
	FUZZ_CHECK(
	    (config->auth == CONFIG_AUTH_LOGIN) == (server->password != NULL));
	FUZZ_CHECK(!server->password || server->password->len);
	/* in clear only where nobody listens, or by somebody's wish */
	FUZZ_CHECK(server->tls != MAIL_TLS_NONE || config->insecure ||
		   strcasecmp(server->host, "localhost") == 0 ||
		   strcmp(server->host, "::1") == 0 ||
		   strncmp(server->host, "127.", 4) == 0);
}

static void
check_account(const struct config *config)
{
	check_server(config, &config->imap);
	check_server(config, &config->smtp);
	check_text(config->from);
	/* it becomes the name of a directory */
	check_text(config->agent);
	FUZZ_CHECK(!strpbrk(config->agent, "/."));
	FUZZ_CHECK(strlen(config->agent) <= 64);
	FUZZ_CHECK(config->poll_interval_ms >= 1000);
	FUZZ_CHECK(config->further && strcmp(config->name, "name") == 0);
	FUZZ_CHECK(strcmp(config->workspace, directory) == 0);
	FUZZ_CHECK(strcmp(config->state_dir, directory) == 0);
	FUZZ_CHECK(!config->accounts_dir && !config->refresh_token.len);
}

/* `spoken`: the file has nothing that looks like a variable's name. */
static enum mt_status
read_file(struct config *config, bool spoken)
{
	struct mt_error err = {0};
	enum mt_status status;

	config_init(config, NULL);
	status = config_read_file(config, path, "name", &environment, &err);
	if (status == MT_OK) {
		check_account(config);
		return status;
	}
	FUZZ_CHECK(status == MT_BAD_CONFIG && fuzz_is_sentence(&err));
	FUZZ_CHECK(strncmp(err.text, path, strlen(path)) == 0);
	FUZZ_CHECK(!spoken || !strstr(err.text, "TRI_ONYX_"));
	return status;
}

static const char *
ssl(const struct mail_server *server)
{
	return server->tls == MAIL_TLS_IMPLICIT ||
		       (server->tls == MAIL_TLS_STARTTLS && server->port != 465)
		   ? "true"
		   : "false";
}

/* The same account in one file more; false: it would be too long a file. */
static bool
write_account(const struct config *config)
{
	bool fits;
	struct buf text = BUF_INIT(SETTINGS_FILE_MAX);

	buf_add_format(&text, "imap_host = %s\nimap_port = %u\n",
	    config->imap_host, config->imap.port);
	buf_add_format(&text, "imap_ssl = %s\nimap_username = %s\n",
	    config->imap.tls == MAIL_TLS_IMPLICIT ? "on" : "off",
	    config->imap_username);
	buf_add_format(&text, "smtp_host = %s\nsmtp_port = %u\n",
	    config->smtp_host, config->smtp.port);
	buf_add_format(&text, "smtp_ssl = %s\nsmtp_username = %s\n",
	    ssl(&config->smtp), config->smtp_username);
	buf_add_format(&text, "email_from = %s\nemail_agent = %s\n",
	    config->from, config->agent);
	buf_add_format(&text, "imap_auth = %s\nimap_poll_interval = %lld\n",
	    config->auth == CONFIG_AUTH_LOGIN ? "login" : "oauth2",
	    (long long)config->poll_interval_ms);
	buf_add_format(&text, "smtp_uncertain = %s\nemail_keep_raw = %d\n",
	    config->uncertain == CONFIG_UNCERTAIN_HOLD ? "hold" : "retry",
	    config->keep_raw);
	buf_add_format(&text, "email_insecure = %d\n", config->insecure);
	if (config->imap_password.len)
		buf_add_format(
		    &text, "imap_password_file = x\nsmtp_password_file = x\n");
	fits = buf_ok(&text);
	if (fits)
		write_file(buf_text(&text), text.len);
	buf_done(&text);
	return fits;
}

static void
check_same(const struct config *a, const struct config *b)
{
	FUZZ_CHECK(strcmp(a->imap_host, b->imap_host) == 0);
	FUZZ_CHECK(strcmp(a->imap_username, b->imap_username) == 0);
	FUZZ_CHECK(strcmp(a->smtp_host, b->smtp_host) == 0);
	FUZZ_CHECK(strcmp(a->smtp_username, b->smtp_username) == 0);
	FUZZ_CHECK(strcmp(a->from, b->from) == 0);
	FUZZ_CHECK(strcmp(a->agent, b->agent) == 0);
	FUZZ_CHECK(a->imap.port == b->imap.port && a->imap.tls == b->imap.tls);
	FUZZ_CHECK(a->smtp.port == b->smtp.port && a->smtp.tls == b->smtp.tls);
	FUZZ_CHECK(a->auth == b->auth && a->uncertain == b->uncertain);
	FUZZ_CHECK(a->poll_interval_ms == b->poll_interval_ms);
	FUZZ_CHECK(a->keep_raw == b->keep_raw && a->insecure == b->insecure);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config first, second;
	bool spoken = !memmem(data, size, "TRI_ONYX_", 9);

	write_file(data, size);
	if (read_file(&first, spoken) == MT_OK && write_account(&first)) {
		FUZZ_CHECK(read_file(&second, true) == MT_OK);
		check_same(&first, &second);
		config_done(&second);
	}
	config_done(&first);
	return 0;
}
