/* SPDX-License-Identifier: ISC */
/* With Debian's own SASL modules; exchanges with servers are tested on real
 * ones (tests/integration/test_mail.py). */
#include "mail/sasl_session.h"

#include "unit/cmocka_headers.h"

#include <sasl/saslutil.h>
#include <string.h>

#define USER_PROMPT "VXNlcm5hbWU6"     /* "Username:" */
#define PASSWORD_PROMPT "UGFzc3dvcmQ6" /* "Password:" */

struct fixture {
	struct secret password, response;
	struct mail_server server;
	struct sasl_session *session;
	struct mt_error err;
	bool has_response;
};

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

static void
set_up(struct fixture *f, const char *mechanism)
{
	*f = (struct fixture){.response = SECRET_INIT};
	secret_add(&f->password, "secret", 6);
	f->server = (struct mail_server){
	    .host = "mail.example.test",
	    .authentication_id = "alice",
	    .password = &f->password,
	};
	assert_int_equal(sasl_session_new(&f->session, "imap", &f->server,
			     mechanism, true, &f->err),
	    MT_OK);
}

static void
tear_down(struct fixture *f)
{
	sasl_session_free(&f->session);
	secret_done(&f->password);
	secret_done(&f->response);
}

static enum mt_status
start(struct fixture *f)
{
	return sasl_session_start(
	    f->session, &f->has_response, &f->response, &f->err);
}

static enum mt_status
step(struct fixture *f, const char *challenge)
{
	return sasl_session_step(f->session, challenge, &f->response, &f->err);
}

static void
assert_response(const struct fixture *f, const char *bytes, size_t len)
{
	char data[200];
	unsigned got = 0;

	if (f->response.len)
		assert_int_equal(
		    sasl_decode64(secret_expose(&f->response),
			(unsigned)f->response.len, data, sizeof(data), &got),
		    SASL_OK);
	assert_int_equal(got, len);
	assert_memory_equal(data, bytes, len);
}

static void
plain_sends_both_at_once(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "PLAIN");
	assert_int_equal(start(&f), MT_OK);
	assert_true(f.has_response);
	assert_response(&f, "\0alice\0secret", 13);
	assert_int_equal(sasl_session_finish(f.session, &f.err), MT_OK);
	tear_down(&f);
}

static void
authorization_identity_is_sent_if_there_is_one(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "PLAIN");
	sasl_session_free(&f.session);
	f.server.authorization_id = "bob";
	assert_int_equal(sasl_session_new(&f.session, "imap", &f.server,
			     "PLAIN", true, &f.err),
	    MT_OK);
	assert_int_equal(start(&f), MT_OK);
	assert_response(&f, "bob\0alice\0secret", 16);
	tear_down(&f);
}

static void
mechanism_that_would_lose_the_authorization_identity_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "LOGIN");
	sasl_session_free(&f.session);
	f.server.authorization_id = "bob";
	assert_int_equal(sasl_session_new(&f.session, "imap", &f.server,
			     "LOGIN", true, &f.err),
	    MT_OK);
	assert_int_equal(start(&f), MT_BAD_CONFIG);
	assert_non_null(strstr(f.err.text, "bob"));
	tear_down(&f);
}

static void
login_answers_one_question_after_the_other(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "LOGIN");
	assert_int_equal(start(&f), MT_OK);
	assert_false(f.has_response);
	assert_int_equal(step(&f, USER_PROMPT), MT_OK);
	assert_response(&f, "alice", 5);
	assert_int_equal(step(&f, PASSWORD_PROMPT), MT_OK);
	assert_response(&f, "secret", 6);
	assert_int_equal(sasl_session_finish(f.session, &f.err), MT_OK);
	tear_down(&f);
}

static void
success_before_the_password_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "LOGIN");
	assert_int_equal(start(&f), MT_OK);
	assert_int_equal(step(&f, USER_PROMPT), MT_OK);
	assert_int_equal(
	    sasl_session_finish(f.session, &f.err), MT_RETRY_LATER);
	tear_down(&f);
}

static void
success_before_the_server_has_proven_itself_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "SCRAM-SHA-256");
	assert_int_equal(start(&f), MT_OK);
	assert_true(f.has_response);
	assert_int_equal(
	    sasl_session_finish(f.session, &f.err), MT_RETRY_LATER);
	assert_non_null(strstr(f.err.text, "before SCRAM-SHA-256 is finished"));
	/* and a second question does not change the answer */
	assert_int_equal(
	    sasl_session_finish(f.session, &f.err), MT_RETRY_LATER);
	tear_down(&f);
}

static void
server_that_does_not_know_the_password_is_no_refused_login(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "SCRAM-SHA-256");
	assert_int_equal(start(&f), MT_OK);
	assert_int_equal(step(&f, "cj1hLHM9YixpPTE="), MT_RETRY_LATER);
	tear_down(&f);
}

static void
challenge_must_be_base64_of_bounded_length(void **state)
{
	static char text[12290];
	struct fixture f;

	(void)state;
	set_up(&f, "LOGIN");
	assert_int_equal(start(&f), MT_OK);
	assert_int_equal(step(&f, "not base64!"), MT_RETRY_LATER);
	memset(text, 'A', sizeof(text) - 1);
	assert_int_equal(step(&f, text), MT_RETRY_LATER);
	assert_int_equal(step(&f, USER_PROMPT), MT_OK);
	tear_down(&f);
}

static void
missing_module_is_named_with_its_package(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "SCRAM-SHA-1024");
	assert_int_equal(start(&f), MT_BAD_CONFIG);
	assert_non_null(
	    strstr(f.err.text, "no SASL module for SCRAM-SHA-1024"));
	assert_non_null(strstr(f.err.text, "libsasl2-modules"));
	tear_down(&f);
}

static void
missing_password_is_named(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "PLAIN");
	sasl_session_free(&f.session);
	f.server.password = NULL;
	assert_int_equal(sasl_session_new(&f.session, "imap", &f.server,
			     "PLAIN", true, &f.err),
	    MT_OK);
	assert_int_equal(start(&f), MT_BAD_CONFIG);
	assert_non_null(strstr(f.err.text, "needs a password"));
	tear_down(&f);
}

static void
anonymous_is_never_used(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, "ANONYMOUS");
	assert_int_not_equal(start(&f), MT_OK);
	tear_down(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_sends_both_at_once),
	    cmocka_unit_test(authorization_identity_is_sent_if_there_is_one),
	    cmocka_unit_test(
		mechanism_that_would_lose_the_authorization_identity_is_refused),
	    cmocka_unit_test(login_answers_one_question_after_the_other),
	    cmocka_unit_test(success_before_the_password_is_refused),
	    cmocka_unit_test(
		success_before_the_server_has_proven_itself_is_refused),
	    cmocka_unit_test(
		server_that_does_not_know_the_password_is_no_refused_login),
	    cmocka_unit_test(challenge_must_be_base64_of_bounded_length),
	    cmocka_unit_test(missing_module_is_named_with_its_package),
	    cmocka_unit_test(missing_password_is_named),
	    cmocka_unit_test(anonymous_is_never_used),
	};

	return cmocka_run_group_tests(tests, open_library, close_library);
}
