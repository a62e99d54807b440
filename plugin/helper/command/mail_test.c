/* SPDX-License-Identifier: ISC */
#include "mail_test.h"

#include "probe.h"
#include "verdict.h"

#include "base/settings.h"

#include <stdio.h>
#include <string.h>

#define MIN_TTL_S 60

void
mail_test_init(struct mail_test *test, struct invocation *in)
{
	*test = (struct mail_test){
	    .in = in,
	    .timeout_s = 30,
	    .servers =
		{
		    [MAIL_TEST_IMAP] = {.service = "imap", .port = 993},
		    [MAIL_TEST_SMTP] = {.service = "smtp",
			.port = 587,
			.starttls = true},
		},
	};
}

/* ---- where the servers are ---- */

/* "587", "10587,tls" */
static enum mt_status
take_port(struct mail_server *server, const char *text, struct mt_error *err)
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

bool
mail_test_take_option(
    struct mail_test *test, int option, const char *value, struct mt_error *err)
{
	switch (option) {
	case 'I':
		err->status =
		    take_port(&test->servers[MAIL_TEST_IMAP], value, err);
		return true;
	case 'S':
		err->status =
		    take_port(&test->servers[MAIL_TEST_SMTP], value, err);
		return true;
	case 'C':
		test->ca_file = value;
		return true;
	case 'T':
		err->status = command_number(
		    "--timeout", value, 1, 60, &test->timeout_s, err);
		return true;
	default:
		return false;
	}
}

static void
copy_field(char *to, size_t size, const struct token_wire_message *reply,
    const char *name)
{
	const char *value = token_wire_get(reply, name);

	snprintf(to, size, "%s", value ? value : "");
}

enum mt_status
mail_test_find_servers(struct mail_test *test, struct mt_error *err)
{
	struct token_wire_message reply;
	const char *grant;
	enum mt_status status =
	    command_ask_status(test->in, test->in->account, false, &reply, err);

	if (status != MT_OK)
		return status;
	copy_field(test->servers[MAIL_TEST_IMAP].host, MAIL_TEST_HOST_MAX,
	    &reply, "imap_host");
	copy_field(test->servers[MAIL_TEST_SMTP].host, MAIL_TEST_HOST_MAX,
	    &reply, "smtp_host");
	copy_field(test->provider, sizeof(test->provider), &reply, "provider");
	grant = token_wire_get(&reply, "grant");
	test->app_only = grant && strcmp(grant, "client_credentials") == 0;
	return MT_OK;
}

/* ---- a login ---- */

struct text {
	struct buf *line, *remedy;
};

static void
forget_text(const struct text *text)
{
	buf_reset(text->line);
	buf_reset(text->remedy);
}

static enum mt_status
get_token(struct mail_test *test, const struct mail_server *server,
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
try_token(struct mail_test *test, const struct mail_server *server,
    const struct token_answer *answer, struct text *text, bool *ret_again,
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

		forget_text(text);
		status = verdict_write(text->line, text->remedy, &facts);
		*ret_again = verdict_blames_token(&facts);
	}
	probe_done(&probe);
	return status;
}

/* The token behind a refused one.  False if there is none: *status is why, or
 * stays as it is when the refused one is new. */
static bool
get_next(struct mail_test *test, const struct mail_server *server,
    struct token_answer *answer, enum mt_status *status, struct text *text,
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
	forget_text(text);
	return false;
}

enum mt_status
mail_test_try(struct mail_test *test, enum mail_test_server which,
    struct buf *line, struct buf *remedy, struct mt_error *err)
{
	const struct mail_server *server = &test->servers[which];
	struct token_answer answer = {.token = SECRET_INIT};
	struct text text = {line, remedy};
	enum mt_status status = get_token(test, server, &answer, err);
	bool again = false;

	if (status == MT_OK)
		status = try_token(test, server, &answer, &text, &again, err);
	if (again && get_next(test, server, &answer, &status, &text, err))
		status = try_token(test, server, &answer, &text, &again, err);
	secret_done(&answer.token);
	return status;
}
