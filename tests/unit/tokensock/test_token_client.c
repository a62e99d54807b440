/* SPDX-License-Identifier: ISC */
#include "tokensock/token_client.h"

#include "unit/cmocka_headers.h"
#include "unit/tokensock/scripted_helper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1)

/* Two places for helpers, and the client that asks them. */
struct fixture {
	char dir[32];
	char first[64];
	char second[64];
	struct scripted_helper *helpers[2];
	struct token_paths paths;
	struct token_client client;
	struct mt_error err;
};

static const struct token_query query = {
    .service = "imap", .host = "mail.example", .user = "joe@example.org"};

static const struct helper_rule knows_all[] = {
    {"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
    {"get", HELPER_REPLY,
	"1\tok\taccount=work\tuser=joe\tserial=7\texpires_in=900\t"
	"token=abc.def\n"},
    {"reject", HELPER_REPLY, "1\tok\n"},
    {0},
};
static const struct helper_rule knows_none[] = {
    {"exists", HELPER_REPLY, "1\tnone\ttext=nothing for mail.example\n"},
    {0},
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memcpy(
	    f->dir, "/tmp/mt-client-XXXXXX", sizeof("/tmp/mt-client-XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->first, sizeof(f->first), "%s/first", f->dir);
	snprintf(f->second, sizeof(f->second), "%s/second", f->dir);
	token_paths_add(&f->paths, f->first);
	token_paths_add(&f->paths, f->second);
	token_client_init(&f->client, NOBODY);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	token_client_done(&f->client);
	scripted_helper_stop(&f->helpers[0]);
	scripted_helper_stop(&f->helpers[1]);
	unlink(f->first);
	unlink(f->second);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void
start(struct fixture *f, const struct helper_rule *first,
    const struct helper_rule *second)
{
	if (first)
		f->helpers[0] = scripted_helper_start(f->first, first, NOBODY);
	if (second)
		f->helpers[1] =
		    scripted_helper_start(f->second, second, NOBODY);
}

static enum mt_status
find(struct fixture *f, int ms)
{
	return token_client_find(
	    &f->client, &f->paths, &query, deadline_in_ms(ms), &f->err);
}

/* As the standard paths are: a helper may be there or not. */
static void
unname(struct fixture *f)
{
	f->paths.named[0] = f->paths.named[1] = false;
}

static void
helper_that_knows_the_account_is_found_and_kept(void **state)
{
	struct fixture *f = *state;
	struct token_answer answer = {.token = SECRET_INIT};
	char *log;

	start(f, knows_all, NULL);
	assert_int_equal(find(f, 5000), MT_OK);
	assert_int_equal(token_client_get(&f->client, &query, 60, &answer,
			     deadline_in_ms(5000), &f->err),
	    MT_OK);
	assert_string_equal(answer.account, "work");
	assert_int_equal(answer.serial, 7);
	assert_int_equal(answer.expires_in_s, 900);
	assert_string_equal(secret_expose(&answer.token), "abc.def");
	assert_int_equal(token_client_reject(&f->client, answer.account,
			     answer.serial, deadline_in_ms(5000), &f->err),
	    MT_OK);
	assert_int_equal(scripted_helper_connections(f->helpers[0]), 1);
	log = scripted_helper_log(f->helpers[0]);
	assert_non_null(
	    strstr(log, "1\texists\tservice=imap\thost=mail.example\t"
			"user=joe@example.org\n1\tget\tservice=imap\t"));
	assert_non_null(strstr(log, "1\treject\taccount=work\tserial=7\n"));
	free(log);
	secret_done(&answer.token);
}

static void
none_goes_on_to_the_next_helper(void **state)
{
	struct fixture *f = *state;

	start(f, knows_none, knows_all);
	assert_int_equal(find(f, 5000), MT_OK);
	assert_int_equal(scripted_helper_connections(f->helpers[1]), 1);
}

static void
none_from_all_is_no_account_with_the_text_of_the_last(void **state)
{
	struct fixture *f = *state;

	start(f, knows_none, knows_none);
	assert_int_equal(find(f, 5000), MT_NO_ACCOUNT);
	assert_string_equal(f->err.text, "nothing for mail.example");
	assert_int_equal(f->client.fd, -1);
}

static void
named_helper_that_is_not_there_is_not_no_account(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find(f, 5000), MT_UNREACHABLE);
	assert_non_null(strstr(f->err.text, f->first));
	start(f, NULL, knows_none);
	assert_int_equal(find(f, 5000), MT_UNREACHABLE);
	start(f, knows_all, NULL);
	assert_int_equal(find(f, 5000), MT_OK);
}

static void
standard_path_without_socket_is_no_account(void **state)
{
	struct fixture *f = *state;

	unname(f);
	assert_int_equal(find(f, 5000), MT_NO_ACCOUNT);
	start(f, NULL, knows_none);
	assert_int_equal(find(f, 5000), MT_NO_ACCOUNT);
}

/* Owner and mode of the system's socket say who may use it: to everybody else
 * it is as if it were not there, and a password login may go on. */
static void
standard_path_without_permission_is_no_account(void **state)
{
	struct fixture *f = *state;
	enum mt_status unnamed, named;

	if (geteuid() != 0)
		skip();
	start(f, knows_all, NULL);
	chmod(f->first, 0600);
	chmod(f->dir, 0711);
	f->paths.count = 1;
	assert_int_equal(seteuid(65534), 0);
	named = find(f, 5000);
	unname(f);
	unnamed = find(f, 5000);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(named, MT_UNREACHABLE);
	assert_int_equal(unnamed, MT_NO_ACCOUNT);
}

static void
socket_that_nobody_listens_on_is_not_no_account(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unname(f);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->first);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(find(f, 5000), MT_UNREACHABLE);
	close(fd);
}

static void
helpers_that_do_not_answer_end_at_the_deadline(void **state)
{
	static const struct helper_rule rules[][2] = {
	    {{"exists", HELPER_HANG, NULL}},
	    {{"exists", HELPER_DRIP, "1\tok\taccount=work\n"}},
	    {{"exists", HELPER_CLOSE, NULL}},
	    {{"exists", HELPER_CLOSE, "1\tok\tacc"}},
	    {{"exists", HELPER_FLOOD, NULL}},
	    {{"exists", HELPER_REPLY, "2\tok\n"}},
	    {{"exists", HELPER_REPLY, "HTTP/1.1 200 OK\n"}},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct fixture *f = *state;

		start(f, rules[i], NULL);
		f->paths.count = 1;
		if (find(f, 200) != MT_UNREACHABLE)
			fail_msg("case %zu: %s", i, f->err.text);
		assert_int_equal(f->client.fd, -1);
		scripted_helper_stop(&f->helpers[0]);
	}
}

static void
helper_of_an_untrusted_uid_is_refused_unless_trusted(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	f->helpers[0] = scripted_helper_start(f->first, knows_all, 65534);
	f->paths.count = 1;
	assert_int_equal(find(f, 5000), MT_BAD_CONFIG);
	assert_non_null(strstr(f->err.text, "65534"));
	f->client.trusted_uid = 65534;
	assert_int_equal(find(f, 5000), MT_OK);
}

static void
on_alarm(int signal_number)
{
	(void)signal_number;
}

/* A full backlog makes connect(2) wait, and a mail program's timer interrupts
 * it: that must not look like a helper that is down. */
static void
signals_do_not_end_the_wait_for_a_busy_helper(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct sigaction action = {.sa_handler = on_alarm}, old;
	struct itimerval every_5_ms = {{0, 5000}, {0, 5000}}, off = {0};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int filler = socket(AF_UNIX, SOCK_STREAM, 0);
	enum mt_status status;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->first);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(
	    connect(filler, (struct sockaddr *)&address, sizeof(address)), 0);
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &every_5_ms, NULL);
	status = token_client_connect(
	    &f->client, f->first, deadline_in_ms(100), &f->err);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(status, MT_UNREACHABLE);
	assert_null(strstr(f->err.text, "Interrupted"));
	close(filler);
	close(listener);
}

static void
status_words_of_the_helper_become_statuses(void **state)
{
	static const struct {
		struct helper_rule rules[2];
		enum mt_status status;
	} cases[] = {
	    {{{"get", HELPER_REPLY, "1\tlater\ttext=t\n"}}, MT_RETRY_LATER},
	    {{{"get", HELPER_REPLY, "1\tlogin\ttext=t\n"}}, MT_NEEDS_LOGIN},
	    {{{"get", HELPER_REPLY, "1\tadmin\ttext=t\n"}}, MT_NEEDS_ADMIN},
	    {{{"get", HELPER_REPLY, "1\tconfig\ttext=t\n"}}, MT_BAD_CONFIG},
	    {{{"get", HELPER_REPLY, "1\tnone\ttext=t\n"}}, MT_NO_ACCOUNT},
	    {{{"get", HELPER_REPLY, "1\tbad\ttext=t\n"}}, MT_BAD_INPUT},
	    {{{"get", HELPER_REPLY, "1\tsurprise\ttext=t\n"}}, MT_BUG},
	    {{{"get", HELPER_REPLY, "1\tlater\ttext=\n"}}, MT_RETRY_LATER},
	    {{{"get", HELPER_REPLY, "1\tok\taccount=work\n"}}, MT_UNREACHABLE},
	    {{{"get", HELPER_REPLY, "1\tok\ttoken=a\tuser=u\n"}},
		MT_UNREACHABLE},
	    {{{"get", HELPER_REPLY, "1\tok\ttoken=a\taccount=work\n"}},
		MT_UNREACHABLE},
	};
	struct fixture *f = *state;
	struct token_answer answer = {.token = SECRET_INIT};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum mt_status status;

		start(f, cases[i].rules, NULL);
		assert_int_equal(token_client_connect(&f->client, f->first,
				     deadline_in_ms(5000), &f->err),
		    MT_OK);
		status = token_client_get(&f->client, &query, 60, &answer,
		    deadline_in_ms(5000), &f->err);
		if (status != cases[i].status)
			fail_msg("case %zu: status %d, %s", i, (int)status,
			    f->err.text);
		assert_string_not_equal(f->err.text, "");
		scripted_helper_stop(&f->helpers[0]);
	}
	secret_done(&answer.token);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(helper_that_knows_the_account_is_found_and_kept),
	    CASE(none_goes_on_to_the_next_helper),
	    CASE(none_from_all_is_no_account_with_the_text_of_the_last),
	    CASE(named_helper_that_is_not_there_is_not_no_account),
	    CASE(standard_path_without_socket_is_no_account),
	    CASE(standard_path_without_permission_is_no_account),
	    CASE(socket_that_nobody_listens_on_is_not_no_account),
	    CASE(helpers_that_do_not_answer_end_at_the_deadline),
	    CASE(helper_of_an_untrusted_uid_is_refused_unless_trusted),
	    CASE(signals_do_not_end_the_wait_for_a_busy_helper),
	    CASE(status_words_of_the_helper_become_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
