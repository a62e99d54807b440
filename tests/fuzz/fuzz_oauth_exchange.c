/* SPDX-License-Identifier: ISC */
/*
 * A whole login: a helper that answers what the input says, on a real socket,
 * and a server that sends what the input says.
 *
 * Parts: options, service, host, user, authorization identity, two challenges,
 * then what the helper sends for each request.  When nothing is left, and
 * behind what does not end a line, the helper closes.
 */
#include "fuzz.h"

#include "oauth_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OPTION_BEARER = 1,
	OPTION_CLIENT_FIRST = 2,
	OPTION_USER_UNKNOWN = 4,
	OPTION_PORT = 8,
	OPTION_TWO_HELPERS = 16,
	OPTION_BRING_TOKEN = 32,
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char directory[] = "/tmp/fuzz-XXXXXX";
static int listener = -1;
static int helper = -1; /* the helper's end of the connection */
static struct fuzz_input *replies;

static void
remove_socket(void)
{
	unlink(address.sun_path);
	rmdir(directory);
}

static void
listen_once(void)
{
	if (listener >= 0)
		return;
	if (!mkdtemp(directory) || atexit(remove_socket))
		abort();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(
		listener, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 8))
		abort();
}

static void
hang_up(void)
{
	if (helper >= 0)
		close(helper);
	helper = -1;
}

/* What follows is the helper's part.  It plays when the client has called the
 * kernel, in the same thread, so that an input always has the same course. */
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int result = __real_connect(fd, to, len);

	if (result == 0) {
		hang_up();
		helper = accept(listener, NULL, NULL);
		if (helper < 0)
			abort();
	}
	return result;
}

static void
check_request(void)
{
	char request[TOKEN_WIRE_FRAME_MAX];
	struct token_wire_message message;
	ssize_t n = recv(helper, request, sizeof(request), MSG_DONTWAIT);

	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(token_wire_parse(request, (size_t)n, &message));
	FUZZ_CHECK(strcmp(message.verb, "exists") == 0 ||
		   strcmp(message.verb, "get") == 0 ||
		   strcmp(message.verb, "reject") == 0);
}

static void
play_helper(void)
{
	size_t len;
	char *reply;

	if (helper < 0)
		return;
	check_request();
	if (replies->over) {
		hang_up();
		return;
	}
	reply = fuzz_bytes(replies, &len);
	if (len && send(helper, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		       (ssize_t)len)
		abort();
	if (!len || reply[len - 1] != '\n')
		hang_up();
	free(reply);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t n = __real_sendmsg(fd, message, flags);

	if (n > 0)
		play_helper();
	return n;
}

/* The client's part. */
static void
check_failed(enum mt_status status, const struct mt_error *err)
{
	FUZZ_CHECK(status == MT_OK || err->status == status);
	FUZZ_CHECK(status == MT_OK || fuzz_is_sentence(err));
}

static void
check_no_token(const struct oauth_exchange *exchange)
{
	FUZZ_CHECK(exchange->answer.token.len == 0);
	FUZZ_CHECK(exchange->response.len == 0);
	FUZZ_CHECK(exchange->client.fd < 0);
}

static bool
begin(struct oauth_exchange *exchange, unsigned options,
    const struct oauth_login *login, struct oauth_output *output)
{
	struct mt_error err = {0};
	enum mt_status status = oauth_exchange_fetch(exchange, login, &err);

	check_failed(status, &err);
	if (status != MT_OK) {
		FUZZ_CHECK(exchange->answer.token.len == 0);
		return false;
	}
	status = oauth_exchange_begin(
	    exchange, options & OPTION_CLIENT_FIRST, output, &err);
	check_failed(status, &err);
	if (status != MT_OK) {
		FUZZ_CHECK(exchange->state == OAUTH_ASK);
		FUZZ_CHECK(exchange->answer.token.len == 0);
		return false;
	}
	if (exchange->state == OAUTH_HELD) {
		FUZZ_CHECK(!output->data && !output->len);
		FUZZ_CHECK(options & OPTION_CLIENT_FIRST);
		FUZZ_CHECK(oauth_exchange_answer(
			       exchange, NULL, 0, output, &err) == MT_OK);
	}
	FUZZ_CHECK(exchange->state == OAUTH_SENT);
	FUZZ_CHECK(output->len > exchange->answer.token.len);
	FUZZ_CHECK(!memchr(output->data, '\0', output->len));
	FUZZ_CHECK(memchr(exchange->answer.account, '\0', TOKEN_ACCOUNT_MAX));
	FUZZ_CHECK(memmem(output->data, output->len,
	    secret_expose(&exchange->answer.token),
	    exchange->answer.token.len));
	return true;
}

/* The server's two challenges. */
static void
go_on(struct oauth_exchange *exchange, char *const challenge[2],
    const size_t len[2], struct oauth_output *output)
{
	struct mt_error err = {0};
	enum mt_status status =
	    oauth_exchange_answer(exchange, challenge[0], len[0], output, &err);
	bool is_refused = exchange->state == OAUTH_REFUSED;

	FUZZ_CHECK(status == MT_OK && output->data);
	FUZZ_CHECK(is_refused || exchange->state == OAUTH_DONE);
	FUZZ_CHECK(output->len ==
		   (is_refused && exchange->mechanism == OAUTH_OAUTHBEARER));
	check_no_token(exchange);
	for (int i = 0; i < 2; i++) {
		status = oauth_exchange_answer(
		    exchange, challenge[1], len[1], output, &err);
		check_failed(status, &err);
		FUZZ_CHECK(status == (is_refused ? MT_REFUSED : MT_BUG));
	}
}

static void
log_in(struct fuzz_input *input, const struct token_paths *paths,
    unsigned options, const struct oauth_server *server)
{
	char *user = fuzz_text(input), *authzid = fuzz_text(input);
	size_t len[2];
	char *challenge[2] = {
	    fuzz_bytes(input, &len[0]), fuzz_bytes(input, &len[1])};
	struct oauth_output output = {0};
	struct oauth_exchange exchange;
	const struct oauth_login login = {
	    .user = user, .authzid = *authzid ? authzid : NULL};
	const struct oauth_login nobody = {0};
	struct mt_error err = {0};
	enum mt_status status = oauth_exchange_init(&exchange,
	    options & OPTION_BEARER ? OAUTH_OAUTHBEARER : OAUTH_XOAUTH2, server,
	    paths, (uid_t)-1, &err);

	if (status == MT_OK)
		status =
		    options & OPTION_USER_UNKNOWN
			? oauth_exchange_find(&exchange, &nobody, false, &err)
			: oauth_exchange_find(&exchange, &login,
			      options & OPTION_BRING_TOKEN, &err);
	check_failed(status, &err);
	if (status == MT_OK && begin(&exchange, options, &login, &output))
		go_on(&exchange, challenge, len, &output);
	oauth_exchange_done(&exchange);
	check_no_token(&exchange);
	for (int i = 0; i < 2; i++)
		free(challenge[i]);
	free(user);
	free(authzid);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	unsigned options = fuzz_number(&input);
	char *service = fuzz_text(&input), *host = fuzz_text(&input);
	const struct oauth_server server = {
	    service, host, options & OPTION_PORT ? 993 : 0};
	struct token_paths paths = {0};

	listen_once();
	replies = &input;
	token_paths_add(&paths, address.sun_path);
	if (options & OPTION_TWO_HELPERS)
		token_paths_add(&paths, address.sun_path);
	log_in(&input, &paths, options, &server);
	hang_up();
	free(service);
	free(host);
	return 0;
}
