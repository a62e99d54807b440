/* SPDX-License-Identifier: ISC */
/* The dialogue against a carrier that plays a script. */
#include "mail/auth.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mail/sasl_session.h"

#define PLAIN_RESPONSE "AGFsaWNlAHNlY3JldA==" /* NUL alice NUL secret */

/*
 * `server` is what it says, one word a reply: "+" or "+BASE64", "ok", "no"
 * (credentials), "later", "gone" (no reply).  `sent` is what it was told.
 */
struct script {
	const char *server;
	bool takes_initial;
	struct buf sent;
	char reply[64];
};

static enum mt_status
begin(void *context, const char *mechanism, const struct secret *initial,
    bool *ret_sent, struct mt_error *err)
{
	struct script *s = context;

	(void)err;
	*ret_sent = initial && s->takes_initial;
	buf_add_format(&s->sent, "%s%s%s", mechanism, *ret_sent ? " " : "",
	    *ret_sent ? secret_expose(initial) : "");
	return MT_OK;
}

static enum mt_status
respond(void *context, const struct secret *response, struct mt_error *err)
{
	struct script *s = context;

	(void)err;
	buf_add_format(&s->sent, "|%s", secret_expose(response));
	return MT_OK;
}

static enum mt_status
receive(void *context, struct auth_reply *ret_reply, struct mt_error *err)
{
	struct script *s = context;
	size_t len = strcspn(s->server, " ");

	snprintf(s->reply, sizeof(s->reply), "%.*s", (int)len, s->server);
	if (s->server[len]) /* the last word is said for ever */
		s->server += len + 1;
	*ret_reply = (struct auth_reply){
	    .kind = AUTH_REFUSED, .status = MT_RETRY_LATER, .text = "the text"};
	if (strcmp(s->reply, "gone") == 0)
		return mt_fail(err, MT_RETRY_LATER, "gone");
	if (strcmp(s->reply, "ok") == 0)
		ret_reply->kind = AUTH_ACCEPTED;
	if (strcmp(s->reply, "no") == 0) {
		ret_reply->status = MT_NEEDS_LOGIN;
		ret_reply->rejected = true;
	}
	if (s->reply[0] == '+') {
		ret_reply->kind = AUTH_CHALLENGE;
		ret_reply->challenge = s->reply + 1;
	}
	return MT_OK;
}

static const struct {
	const char *name, *mechanism, *server;
	bool takes_initial;
	enum mt_status status;
	enum mail_login login;
	const char *sent;
} cases[] = {
    {"initial response goes along", "PLAIN", "ok", true, MT_OK, MAIL_LOGIN_DONE,
	"PLAIN " PLAIN_RESPONSE},
    {"initial response waits for the challenge", "PLAIN", "+ ok", false, MT_OK,
	MAIL_LOGIN_DONE, "PLAIN|" PLAIN_RESPONSE},
    {"text in the first challenge does not matter", "PLAIN", "+cGxlYXNl ok",
	false, MT_OK, MAIL_LOGIN_DONE, "PLAIN|" PLAIN_RESPONSE},
    {"server speaks first", "LOGIN", "+VXNlcm5hbWU6 +UGFzc3dvcmQ6 ok", true,
	MT_OK, MAIL_LOGIN_DONE, "LOGIN|YWxpY2U=|c2VjcmV0"},
    {"credentials are refused", "PLAIN", "no", true, MT_NEEDS_LOGIN,
	MAIL_LOGIN_REJECTED, "PLAIN " PLAIN_RESPONSE},
    {"refusal that is not about credentials", "PLAIN", "later", true,
	MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED, "PLAIN " PLAIN_RESPONSE},
    {"no answer", "PLAIN", "gone", true, MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED,
	"PLAIN " PLAIN_RESPONSE},
    {"success before any credentials", "PLAIN", "ok", false, MT_RETRY_LATER,
	MAIL_LOGIN_NOT_TRIED, "PLAIN"},
    {"success before the password", "LOGIN", "+VXNlcm5hbWU6 ok", true,
	MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED, "LOGIN|YWxpY2U="},
    {"challenge that is no base64 is cancelled", "LOGIN", "+! no", true,
	MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED, "LOGIN|*"},
    {"challenge after the end is cancelled", "PLAIN", "+eA== no", true,
	MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED, "PLAIN " PLAIN_RESPONSE "|*"},
    {"server that never answers a cancel", "LOGIN", "+! gone", true,
	MT_RETRY_LATER, MAIL_LOGIN_NOT_TRIED, "LOGIN|*"},
};

static void
run_case(size_t i)
{
	struct script script = {
	    .server = cases[i].server,
	    .takes_initial = cases[i].takes_initial,
	    .sent = BUF_INIT(4096),
	};
	const struct auth_carrier carrier = {
	    .context = &script,
	    .service = "imap",
	    .peer = "host:1",
	    .tls = true,
	    .begin = begin,
	    .respond = respond,
	    .receive = receive,
	};
	struct secret password = SECRET_INIT;
	const struct mail_server server = {
	    .host = "mail.example.test",
	    .authentication_id = "alice",
	    .password = &password,
	};
	enum mail_login login = MAIL_LOGIN_NOT_TRIED;
	enum mt_status status;
	struct mt_error err = {0};

	secret_add(&password, "secret", 6);
	status = auth_run(&carrier, &server, cases[i].mechanism, &login, &err);
	if (status != cases[i].status || login != cases[i].login ||
	    strcmp(buf_text(&script.sent), cases[i].sent) != 0)
		fail_msg("%s: %d, %d, sent %s, %s", cases[i].name, (int)status,
		    (int)login, buf_text(&script.sent), err.text);
	assert_null(strstr(err.text, "secret"));
	buf_done(&script.sent);
	secret_done(&password);
}

static void
dialogue_follows_the_script(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		run_case(i);
}

static int
open_library(void **state)
{
	struct mt_error err;

	return sasl_library_open((struct sasl_library **)state, NULL, &err) ==
		       MT_OK
		   ? 0
		   : -1;
}

static int
close_library(void **state)
{
	sasl_library_close((struct sasl_library **)state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogue_follows_the_script),
	};

	return cmocka_run_group_tests(tests, open_library, close_library);
}
