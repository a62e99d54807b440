/* SPDX-License-Identifier: ISC */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const exchange_mechanisms[] = {"XOAUTH2", "OAUTHBEARER"};

bool
exchange_takes_part(size_t cell)
{
	const char *share = getenv("MAILTOKEN_SHARE");
	unsigned long n = share ? strtoul(share, NULL, 10) : 0;

	return !n || getenv("MAILTOKEN_LONG") || cell % n == 0;
}

void
exchange_enter(struct module_bench *bench, const struct client *client)
{
	module_bench_write_settings(
	    bench->settings, client->settings ? client->settings : "");
	setenv("MAILTOKEN_SOCKET", bench->socket, 1);
	assert_true(mail_program_init(&bench->program));
}

struct exchange
exchange_run(struct mail_program *p, const struct client *client,
    const char *mechanism, const char *row, const struct server *server)
{
	struct exchange x = {
	    p, client, mechanism, row, *server, {0}, "", false};

	client_connect(p, client);
	client->run(p, mechanism, &x.server, &x.result);
	snprintf(x.detail, sizeof(x.detail), "%s", sasl_errdetail(p->conn));
	x.half_message = x.result.last < 0 && p->out_len;
	mail_program_hang_up(p);
	return x;
}

static void
check_response(const struct exchange *x, const char *token)
{
	const struct mail_program *p = x->program;
	char expected[9500];
	int len;

	if (strcmp(x->mechanism, "XOAUTH2") == 0)
		len = snprintf(expected, sizeof(expected),
		    "user=%s\1auth=Bearer %s\1\1", p->authname, token);
	else
		len = snprintf(expected, sizeof(expected),
		    "n,a=%s,\1host=mail.example\1%sauth=Bearer %s\1\1",
		    p->authname, p->remote ? "port=993\1" : "", token);
	CHECK(x, x->server.response_len == (size_t)len);
	CHECK(x, memcmp(x->server.response, expected, (size_t)len) == 0);
}

void
exchange_check(const struct exchange *x, const char *token)
{
	if (x->server.response_len)
		check_response(x, token);
	CHECK(x, !strstr(x->detail, "SECRET"));
	CHECK(x, !strstr(x->program->log, "SECRET"));
	CHECK(x, !x->half_message);
	/* libsasl2 itself refuses a step after the last, and mechanisms that
	 * do not fit the client's demands */
	if (x->result.last < 0 && x->result.last != SASL_FAIL &&
	    !x->client->excludes_tokens)
		CHECK(x, strstr(x->detail, ": mailtoken: "));
}
