/* SPDX-License-Identifier: ISC */
#include "login.h"

#include "account_bench.h"
#include "form.h"
#include "scripted_http.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDIRECT "http://127.0.0.1:4711"

/* A login that was begun, and what came of it. */
struct attempt {
	struct logins *logins;
	struct login *login;
	struct secret url;
	char state[64];
	struct login_waiter waiter;
	bool answered;
	struct mt_error result;
};

static void
begin(struct account_bench *bench, struct attempt *attempt)
{
	struct secret state;
	const char *query;

	*attempt = (struct attempt){.answered = false};
	secret_init(&attempt->url, NULL);
	secret_init(&state, NULL);
	OK(logins_new(&bench->env, &attempt->logins, &err));
	OK(login_begin(attempt->logins, bench->account, REDIRECT,
	    &attempt->login, &attempt->url, &err));
	query = strchr(secret_expose(&attempt->url), '?') + 1;
	assert_int_equal(
	    form_get(query, strlen(query), "state", &state), FORM_FOUND);
	snprintf(attempt->state, sizeof(attempt->state), "%s",
	    secret_expose(&state));
	secret_done(&state);
}

static void
end(struct attempt *attempt)
{
	secret_done(&attempt->url);
	logins_free(&attempt->logins);
}

static void
take_answer(struct login_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct attempt *attempt =
	    (struct attempt *)(void *)((char *)waiter -
				       offsetof(struct attempt, waiter));

	(void)account;
	assert_false(attempt->answered);
	attempt->answered = true;
	attempt->result = *result;
}

/* Finishes by a redirect in which STATE stands for the right state. */
static enum mt_status
finish(struct attempt *attempt, const char *redirect, int fd)
{
	const char *mark = strstr(redirect, "STATE");
	char text[1024];

	if (mark)
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - redirect),
		    redirect, attempt->state, mark + strlen("STATE"));
	else
		snprintf(text, sizeof(text), "%s", redirect);
	attempt->answered = false;
	attempt->waiter.answer = take_answer;
	login_finish(
	    attempt->logins, attempt->login, text, fd, &attempt->waiter);
	return attempt->answered ? attempt->result.status : MT_OK;
}

static void
address_carries_the_challenge_and_not_the_verifier(void **state)
{
	struct account_bench *bench = *state;
	struct attempt attempt;
	const char *url;

	begin(bench, &attempt);
	url = secret_expose(&attempt.url);
	assert_ptr_equal(strstr(url, "https://x.test/auth?"), url);
	assert_non_null(strstr(url, "response_type=code"));
	assert_non_null(strstr(url, "&client_id=i"));
	assert_non_null(
	    strstr(url, "&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711"));
	assert_non_null(strstr(url, "&scope=mail"));
	assert_non_null(strstr(url, "&code_challenge_method=S256"));
	assert_non_null(strstr(url, "&login_hint=u"));
	assert_null(strstr(url, "verifier"));
	end(&attempt);
}

static void
address_carries_what_the_provider_wants(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings = account_bench_settings(bench,
	    "authorization_params = access_type=offline  prompt=a&b=c\n");
	struct attempt attempt;
	const char *url;

	account_use_settings(bench->account, &settings);
	begin(bench, &attempt);
	url = secret_expose(&attempt.url);
	assert_non_null(strstr(url, "&access_type=offline&prompt=a%26b%3Dc"));
	end(&attempt);
}

static const struct {
	const char *redirect;
	enum mt_status status;
	bool over; /* the login */
} redirects[] = {
    {"", MT_BAD_INPUT, false},
    {"/", MT_BAD_INPUT, false},
    {"code=x&state=STATE", MT_BAD_INPUT, false},
    {"/?code=x", MT_BAD_INPUT, false},
    {"/?code=x&state=", MT_BAD_INPUT, false},
    {"/?code=x&state=wrong", MT_BAD_INPUT, false},
    {"/?code=x&state=STATEx", MT_BAD_INPUT, false},
    {"/?code=x&state=STATE&state=STATE", MT_BAD_INPUT, false},
    {"/?code=x#state=STATE", MT_BAD_INPUT, false},
    {"/#?code=x&state=wrong", MT_BAD_INPUT, false},
    {"/?error=access_denied", MT_BAD_INPUT, false},
    {"/?state=STATE", MT_BAD_INPUT, false},
    {"/?code=&state=STATE", MT_BAD_INPUT, false},
    {"/?code=x&code=y&state=STATE", MT_BAD_INPUT, false},
    {"/?code=%zz&state=STATE", MT_BAD_INPUT, false},
    {"/?code=%00&state=STATE", MT_BAD_INPUT, false},
    {"/?error=access_denied&state=STATE", MT_NEEDS_LOGIN, true},
    {"/?error=server_error&error_description=a%0ab&state=STATE", MT_NEEDS_LOGIN,
	true},
    {"/?code=x&state=STATE&iss=https%3A%2F%2Fevil.test", MT_BAD_CONFIG, true},
    {"/?code=x&state=STATE&iss=http%3A%2F%2Fx.test", MT_BAD_CONFIG, true},
    {"/?code=x&state=STATE&iss=https%3A%2F%2Fx.test%40evil.test", MT_BAD_CONFIG,
	true},
    {"/?code=x&state=STATE&iss=https%3A%2F%2Fx.test&iss=https%3A%2F%2Fx.test",
	MT_BAD_CONFIG, true},
    {"/?code=x&state=STATE&iss=", MT_BAD_CONFIG, true},
    {"/?error=access_denied&state=STATE&iss=https%3A%2F%2Fevil.test",
	MT_BAD_CONFIG, true},
};

static void
hostile_redirects_are_refused_and_nothing_is_sent(void **state)
{
	struct account_bench *bench = *state;

	for (size_t i = 0; i < sizeof(redirects) / sizeof(*redirects); i++) {
		struct attempt attempt;
		char id[64];
		enum mt_status status;

		begin(bench, &attempt);
		snprintf(id, sizeof(id), "%s", login_id(attempt.login));
		status = finish(&attempt, redirects[i].redirect, -1);
		if (status != redirects[i].status)
			fail_msg("%s: status %d: %s", redirects[i].redirect,
			    (int)status, attempt.result.text);
		if (!login_find(attempt.logins, id) != redirects[i].over)
			fail_msg("%s: over or not", redirects[i].redirect);
		end(&attempt);
	}
	assert_int_equal(scripted_http_count(), 0);
}

static void
good_redirect_is_exchanged_with_the_verifier(void **state)
{
	static const char *const good[] = {
	    "http://127.0.0.1:4711/?code=c%2Fd&state=STATE",
	    "/?state=STATE&code=c%2Fd", "?code=c%2Fd&state=STATE#_=_",
	    "/?code=c%2Fd&state=STATE&iss=https%3A%2F%2Fx.test%2Fany",
	    "/?code=c%2Fd&state=STATE&session_state=x"};
	struct account_bench *bench = *state;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct attempt attempt;
		const char *form;

		begin(bench, &attempt);
		if (finish(&attempt, good[i], -1) != MT_OK)
			fail_msg("%s: %s", good[i], attempt.result.text);
		form = scripted_http_form(i);
		assert_non_null(strstr(form, "grant_type=authorization_code"));
		assert_non_null(strstr(form, "&code=c%2Fd&"));
		assert_non_null(strstr(form, "&code_verifier="));
		scripted_http_answer(200, TOKENS("a", "r"));
		assert_true(attempt.answered);
		assert_int_equal(attempt.result.status, MT_OK);
		end(&attempt);
	}
	assert_string_equal(secret_expose(account_token(bench->account)), "a");
}

static void
code_is_spent_once(void **state)
{
	struct account_bench *bench = *state;
	struct attempt attempt;
	char id[64];

	begin(bench, &attempt);
	snprintf(id, sizeof(id), "%s", login_id(attempt.login));
	assert_int_equal(finish(&attempt, "/?code=c&state=STATE", -1), MT_OK);
	/* not even while it is under way */
	assert_null(login_find(attempt.logins, id));
	assert_true(logins_in_flight(attempt.logins));
	scripted_http_lose(true);
	assert_int_equal(attempt.result.status, MT_RETRY_LATER);
	assert_null(login_find(attempt.logins, id));
	assert_int_equal(scripted_http_count(), 1);
	end(&attempt);
}

static void
settings_that_change_meanwhile_end_the_login(void **state)
{
	struct account_bench *bench = *state;
	struct attempt attempt;

	begin(bench, &attempt);
	assert_int_equal(finish(&attempt, "/?code=c&state=STATE", -1), MT_OK);
	logins_forget_all(attempt.logins);
	scripted_http_answer(200, TOKENS("a", "r"));
	assert_int_equal(attempt.result.status, MT_BAD_CONFIG);
	assert_int_equal(account_token(bench->account)->len, 0);
	end(&attempt);
}

static void
caller_who_leaves_does_not_stop_the_exchange(void **state)
{
	struct account_bench *bench = *state;
	struct attempt attempt;

	begin(bench, &attempt);
	assert_int_equal(finish(&attempt, "/?code=c&state=STATE", -1), MT_OK);
	login_leave(&attempt.waiter);
	scripted_http_answer(200, TOKENS("a", "r"));
	assert_false(attempt.answered);
	assert_string_equal(secret_expose(account_token(bench->account)), "a");
	end(&attempt);
}

static void
emitted_token_is_written_and_not_stored(void **state)
{
	struct account_bench *bench = *state;
	struct attempt attempt;
	char *text;
	int fd = open(scratch_path(bench->dir, "emit"),
	    O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	begin(bench, &attempt);
	assert_int_equal(finish(&attempt, "/?code=c&state=STATE", fd), MT_OK);
	scripted_http_answer(200, TOKENS("a", "r"));
	assert_int_equal(attempt.result.status, MT_OK);
	text = scratch_read(bench->dir, "emit");
	assert_string_equal(text, "r\n");
	free(text);
	assert_int_equal(account_token(bench->account)->len, 0);
	assert_false(scratch_exists(bench->dir, "state/a.token"));
	assert_false(scratch_exists(bench->dir, "state/a.next"));
	/* the descriptor is closed */
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	end(&attempt);
}

static void
issuer_that_is_set_must_be_said(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings = account_bench_settings(
	    bench, "issuer = https://x.test/i\nscope = mail\n");
	struct attempt attempt;

	account_use_settings(bench->account, &settings);
	begin(bench, &attempt);
	assert_int_equal(
	    finish(&attempt, "/?code=c&state=STATE", -1), MT_BAD_CONFIG);
	end(&attempt);
	begin(bench, &attempt);
	assert_int_equal(
	    finish(&attempt, "/?code=c&state=STATE&iss=https://x.test/", -1),
	    MT_BAD_CONFIG);
	end(&attempt);
	begin(bench, &attempt);
	assert_int_equal(
	    finish(&attempt, "/?code=c&state=STATE&iss=https://x.test/i", -1),
	    MT_OK);
	scripted_http_lose(true);
	end(&attempt);
}

static const struct {
	const char *id_token;
	enum mt_status status;
} id_tokens[] = {
    /* iss https://i.test/, aud i, email u */
    {"e30.eyJpc3MiOiJodHRwczovL2kudGVzdC8iLCJhdWQiOiJpIiwiZW1haWwiOiJ1In0.s",
	MT_OK},
    /* iss https://x.test/any, aud i, email U */
    {"e30.eyJpc3MiOiJodHRwczovL3gudGVzdC9hbnkiLCJhdWQiOiJpIiwiZW1haWwiOiJVIn0."
     "s",
	MT_OK},
    /* iss https://evil.test/, aud i, email u */
    {"e30.eyJpc3MiOiJodHRwczovL2V2aWwudGVzdC8iLCJhdWQiOiJpIiwiZW1haWwiOiJ1In0."
     "s",
	MT_BAD_CONFIG},
    /* iss http://x.test/, aud i, email u */
    {"e30.eyJpc3MiOiJodHRwOi8veC50ZXN0LyIsImF1ZCI6ImkiLCJlbWFpbCI6InUifQ.s",
	MT_BAD_CONFIG},
    /* iss https://i.test/, aud j, email u */
    {"e30.eyJpc3MiOiJodHRwczovL2kudGVzdC8iLCJhdWQiOiJqIiwiZW1haWwiOiJ1In0.s",
	MT_BAD_CONFIG},
    /* iss https://i.test/, aud i, email v */
    {"e30.eyJpc3MiOiJodHRwczovL2kudGVzdC8iLCJhdWQiOiJpIiwiZW1haWwiOiJ2In0.s",
	MT_NEEDS_LOGIN},
    /* iss https://i.test/, aud i, email none */
    {"e30.eyJpc3MiOiJodHRwczovL2kudGVzdC8iLCJhdWQiOiJpIiwiZW1haWwiOiIifQ.s",
	MT_OK},
};

static void
id_token_must_fit_server_client_and_person(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings = account_bench_settings(
	    bench, "discovery = https://i.test/\nscope = mail\n");

	account_use_settings(bench->account, &settings);
	for (size_t i = 0; i < sizeof(id_tokens) / sizeof(*id_tokens); i++) {
		struct attempt attempt;
		char body[512];

		begin(bench, &attempt);
		snprintf(body, sizeof(body),
		    "{\"access_token\":\"a\",\"refresh_token\":\"r\","
		    "\"id_token\":\"%s\"}",
		    id_tokens[i].id_token);
		assert_int_equal(
		    finish(&attempt, "/?code=c&state=STATE", -1), MT_OK);
		scripted_http_answer(200, body);
		if (attempt.result.status != id_tokens[i].status)
			fail_msg("%zu: %s", i, attempt.result.text);
		end(&attempt);
	}
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, account_bench_setup, account_bench_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(address_carries_the_challenge_and_not_the_verifier),
	    TEST(address_carries_what_the_provider_wants),
	    TEST(hostile_redirects_are_refused_and_nothing_is_sent),
	    TEST(good_redirect_is_exchanged_with_the_verifier),
	    TEST(code_is_spent_once),
	    TEST(settings_that_change_meanwhile_end_the_login),
	    TEST(caller_who_leaves_does_not_stop_the_exchange),
	    TEST(emitted_token_is_written_and_not_stored),
	    TEST(issuer_that_is_set_must_be_said),
	    TEST(id_token_must_fit_server_client_and_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
