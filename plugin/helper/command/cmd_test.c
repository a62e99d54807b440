/* SPDX-License-Identifier: ISC */
/*
 * Logs in at the account's mail servers and says what came of it, a line for
 * each.  The token goes to the hosts of the account and no other.
 */
#include "command.h"

#include "probe.h"
#include "verdict.h"

#include "base/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define MIN_TTL_S 60
#define HOST_MAX 256

enum service { IMAP, SMTP, SERVICES };

struct server {
	const char *service;
	char host[HOST_MAX]; /* "": not set */
	long port;
	bool starttls;
};

struct test {
	struct invocation *in;
	struct server servers[SERVICES];
	char provider[TOKEN_ACCOUNT_MAX];
	bool app_only;
	const char *ca_file;
	long timeout_s; /* for each server */
};

/* "587", "10587,tls" */
static enum mt_status
take_port(struct server *server, const char *text, struct mt_error *err)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	char number[8];

	snprintf(number, sizeof(number), "%.*s", (int)len, text);
	if (len >= sizeof(number) ||
	    !settings_number(number, 1, 65535, &server->port) ||
	    (comma && strcmp(comma, ",tls") != 0 &&
		strcmp(comma, ",starttls") != 0))
		return mt_fail(err, MT_USAGE,
		    "--%s takes a port, or one with ',tls' or ',starttls'",
		    server->service);
	server->starttls = comma ? strcmp(comma, ",starttls") == 0
				 : server->port == 143 || server->port == 587;
	return MT_OK;
}

static enum mt_status
read_options(struct test *test, struct mt_error *err)
{
	static const struct option known[] = {
	    {"imap", required_argument, NULL, 'i'},
	    {"smtp", required_argument, NULL, 's'},
	    {"ca-file", required_argument, NULL, 'c'},
	    {"timeout", required_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	struct invocation *in = test->in;
	enum mt_status status = MT_OK;
	int c;

	while (status == MT_OK &&
	       (c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c == 'i')
			status = take_port(&test->servers[IMAP], optarg, err);
		else if (c == 's')
			status = take_port(&test->servers[SMTP], optarg, err);
		else if (c == 'c')
			test->ca_file = optarg;
		else if (c == 't')
			status = command_number(
			    "--timeout", optarg, 1, 60, &test->timeout_s, err);
		else
			return command_bad_option(in, err);
	}
	return status == MT_OK ? command_take_account(in, err) : status;
}

static void
copy_field(char *to, size_t size, const struct token_wire_message *reply,
    const char *name)
{
	const char *value = token_wire_get(reply, name);

	snprintf(to, size, "%s", value ? value : "");
}

static enum mt_status
find_servers(struct test *test, struct mt_error *err)
{
	struct token_wire_message reply;
	const char *grant;
	enum mt_status status =
	    command_ask_status(test->in, test->in->account, false, &reply, err);

	if (status != MT_OK)
		return status;
	copy_field(test->servers[IMAP].host, HOST_MAX, &reply, "imap_host");
	copy_field(test->servers[SMTP].host, HOST_MAX, &reply, "smtp_host");
	copy_field(test->provider, sizeof(test->provider), &reply, "provider");
	grant = token_wire_get(&reply, "grant");
	test->app_only = grant && strcmp(grant, "client_credentials") == 0;
	if (*test->servers[IMAP].host || *test->servers[SMTP].host)
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "account %s names no imap_host and no smtp_host",
	    test->in->account);
}

static enum mt_status
get_token(struct test *test, const struct server *server,
    struct token_answer *ret_answer, struct mt_error *err)
{
	const struct token_query query = {
	    .account = test->in->account,
	    .service = server->service,
	    .host = server->host,
	};

	return token_client_get(&test->in->helper.client, &query, MIN_TTL_S,
	    ret_answer, deadline_in_ms(HELPER_NETWORK_MS), err);
}

static const char *
field(const struct token_wire_message *said, const char *name)
{
	const char *value = token_wire_get(said, name);

	return value ? value : "";
}

/* Tries one token.  *ret_again: another may be better. */
static enum mt_status
try_token(struct test *test, const struct server *server,
    const struct token_answer *answer, struct buf *line, bool *ret_again,
    struct mt_error *err)
{
	const struct probe_target target = {
	    .service = server->service,
	    .host = server->host,
	    .port = server->port,
	    .starttls = server->starttls,
	    .timeout_s = test->timeout_s,
	    .user = answer->user,
	    .token = &answer->token,
	    .ca_file = test->ca_file,
	};
	struct token_wire_message said;
	struct probe probe;
	enum mt_status status = probe_run(&probe, &target, &said, err);

	if (status == MT_OK) {
		const struct verdict_facts facts = {
		    .account = test->in->account,
		    .provider = test->provider,
		    .app_only = test->app_only,
		    .service = server->service,
		    .host = server->host,
		    .port = server->port,
		    .user = answer->user,
		    .end = field(&said, "end"),
		    .tls = field(&said, "tls"),
		    .mechanisms = field(&said, "mechanisms"),
		    .used = field(&said, "used"),
		    .refusal = field(&said, "refusal"),
		    .why = field(&said, "why"),
		};

		buf_reset(line);
		status = verdict_write(line, &facts);
		*ret_again = verdict_blames_token(&facts);
	}
	probe_done(&probe);
	return status;
}

/* The token behind a refused one.  False if there is none: *status is why, or
 * stays as it is when the refused one is new. */
static bool
get_next(struct test *test, const struct server *server,
    struct token_answer *answer, enum mt_status *status, struct buf *line,
    struct mt_error *err)
{
	long refused = answer->serial;
	enum mt_status next = token_client_reject(&test->in->helper.client,
	    test->in->account, refused, deadline_in_ms(HELPER_CALL_MS), err);

	secret_reset(&answer->token);
	if (next == MT_OK)
		next = get_token(test, server, answer, err);
	if (next == MT_OK)
		return answer->serial != refused;
	*status = next;
	buf_reset(line);
	return false;
}

/*
 * A token that the server refuses may have ended before its time: the helper is
 * told, and the next one tried, which is the same if that is new.  Without a
 * line, *err is what kept it from being tried.
 */
static enum mt_status
try_server(struct test *test, const struct server *server, struct buf *line,
    struct mt_error *err)
{
	struct token_answer answer = {.token = SECRET_INIT};
	enum mt_status status = get_token(test, server, &answer, err);
	bool again = false;

	if (status == MT_OK)
		status = try_token(test, server, &answer, line, &again, err);
	if (again && get_next(test, server, &answer, &status, line, err))
		status = try_token(test, server, &answer, line, &again, err);
	secret_done(&answer.token);
	return status;
}

static enum mt_status
test_server(struct test *test, const struct server *server)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct buf shown = BUF_INIT(LINE_MAX_BYTES);
	struct mt_error err = {0};
	enum mt_status status = try_server(test, server, &line, &err);

	buf_add_printable(&shown, buf_text(&line), line.len, line.len);
	if (shown.len)
		puts(buf_text(&shown));
	else
		printf("%s %s:%ld: not tried: %s\n", server->service,
		    server->host, server->port, err.text);
	buf_done(&line);
	buf_done(&shown);
	return status;
}

static enum mt_status
test_servers(struct test *test, struct mt_error *err)
{
	enum mt_status first = MT_OK;
	int failed = 0, count = 0;

	for (size_t i = 0; i < SERVICES; i++) {
		enum mt_status status;

		if (!*test->servers[i].host)
			continue;
		status = test_server(test, &test->servers[i]);
		count++;
		failed += status != MT_OK;
		if (first == MT_OK)
			first = status;
	}
	fflush(stdout);
	if (first == MT_OK)
		return MT_OK;
	return mt_fail(
	    err, first, "%d of %d servers failed the test", failed, count);
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct test test = {
	    .in = in,
	    .timeout_s = 30,
	    .servers =
		{
		    [IMAP] = {.service = "imap", .port = 993},
		    [SMTP] = {.service = "smtp", .port = 587, .starttls = true},
		},
	};
	enum mt_status status = read_options(&test, err);

	if (status == MT_OK)
		status = helper_find(&in->helper, in->account,
		    deadline_in_ms(HELPER_CALL_MS), err);
	if (status == MT_OK)
		status = find_servers(&test, err);
	return status == MT_OK ? test_servers(&test, err) : status;
}

const struct command cmd_test = {
    .name = "test",
    .arguments = "ACCOUNT [--imap PORT[,tls|,starttls]] "
		 "[--smtp PORT[,tls|,starttls]] [--ca-file FILE] "
		 "[--timeout SECONDS]",
    .help = "log in at the mail servers and say what came of it",
    .run = run,
};
