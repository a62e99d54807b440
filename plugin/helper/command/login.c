/* SPDX-License-Identifier: ISC */
#include "login.h"

#include "base/log.h"
#include "http_request.h"
#include "tokensock/token_admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Places in the array for poll(2). */
enum {
	POLL_SIGNALS,
	POLL_HELPER,
	POLL_PASTE,
	POLL_LISTENER,
	POLL_COUNT = POLL_LISTENER + LISTENER_POLL
};

/* What an answer did to the login. */
enum outcome {
	OUTCOME_WAIT, /* nothing, it was not this login's */
	OUTCOME_OVER  /* ended it, well or not */
};

enum mt_status
login_init(struct login *login, struct helper *helper, const char *account,
    struct mt_error *err)
{
	sigset_t set;

	*login =
	    (struct login){.helper = helper, .account = account, .emit_fd = -1};
	paste_init(&login->paste, STDIN_FILENO);
	/* in the background a read from the terminal then fails, instead of
	 * stopping the command */
	signal(SIGTTIN, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	login->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (login->signals < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot wait for signals");
	return MT_OK;
}

void
login_done(struct login *login)
{
	listener_free(&login->listener);
	paste_done(&login->paste);
	free(login->url);
	free(login->user);
	free(login->code);
	free(login->whole_url);
	if (login->signals >= 0)
		close(login->signals);
}

/* The helper's login-begin: its number and its address. */
static enum mt_status
ask_begin(struct login *login, const char *redirect_uri, struct mt_error *err)
{
	struct token_client *client = &login->helper->client;
	struct token_wire_message reply;
	const char *id, *url;
	enum mt_status status;

	token_wire_begin(&client->frame, "login-begin");
	token_wire_add(&client->frame, "account", login->account);
	token_wire_add(&client->frame, "redirect_uri", redirect_uri);
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "the request does not fit");
	status = token_admin_call(
	    client, -1, &reply, deadline_in_ms(HELPER_NETWORK_MS), err);
	if (status != MT_OK)
		return status;
	id = token_wire_get(&reply, "id");
	url = token_wire_get(&reply, "url");
	if (!id || !*id || strlen(id) >= sizeof(login->id) || !url || !*url)
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer lacks a field");
	login->url = strdup(url);
	if (!login->url)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an address");
	memcpy(login->id, id, strlen(id) + 1);
	return MT_OK;
}

enum mt_status
login_begin(struct login *login, const char *redirect_host, long port,
    struct mt_error *err)
{
	char redirect_uri[128];
	enum mt_status status =
	    listener_open(&login->listener, port, login->account, err);

	if (status != MT_OK)
		return status;
	snprintf(redirect_uri, sizeof(redirect_uri), "http://%s:%ld%s",
	    redirect_host, listener_port(login->listener),
	    strcmp(redirect_host, "localhost") == 0 ? "" : "/");
	return ask_begin(login, redirect_uri, err);
}

/* The helper also forgets by itself, in time: a failure changes nothing. */
static void
cancel(struct login *login)
{
	struct token_client *client = &login->helper->client;
	struct token_wire_message reply;
	struct mt_error ignored;

	token_wire_begin(&client->frame, "login-cancel");
	token_wire_add(&client->frame, "id", login->id);
	if (token_wire_end(&client->frame) &&
	    token_admin_call(client, -1, &reply, deadline_in_ms(HELPER_CALL_MS),
		&ignored) != MT_OK)
		log_debug("%s", ignored.text);
}

void
login_tell(struct login *login, const struct token_wire_message *reply)
{
	const char *user = token_wire_get(reply, "user");
	const char *identity = token_wire_get(reply, "identity");

	if (user && *user) {
		login->user = strdup(user);
		log_info(
		    "%s: logged in, for the user %s", login->account, user);
	} else {
		log_info("%s: logged in", login->account);
	}
	if (!identity)
		log_info("%s: the server did not say who it was that logged "
			 "in; 'scope = openid ...' asks for it",
		    login->account);
	else if (!user || strcasecmp(identity, user) != 0)
		log_info(
		    "%s: it was %s who logged in", login->account, identity);
}

/* Gives an answer to the helper.  The person learns at once of an answer that
 * was not this login's; what ends the login is for the caller to report. */
static enum mt_status
finish(struct login *login, const char *redirect, enum outcome *ret_outcome,
    struct mt_error *err)
{
	struct token_client *client = &login->helper->client;
	struct token_wire_message reply;
	enum mt_status status = MT_BAD_INPUT;

	token_wire_begin(&client->frame, "login-finish");
	token_wire_add(&client->frame, "id", login->id);
	token_wire_add(&client->frame, "redirect", redirect);
	if (login->emit_fd >= 0)
		token_wire_add(&client->frame, "emit", "1");
	if (token_wire_end(&client->frame))
		status = token_admin_call(client, login->emit_fd, &reply,
		    deadline_in_ms(HELPER_NETWORK_MS), err);
	else
		mt_fail(err, status, "that answer is too long");
	*ret_outcome = status == MT_BAD_INPUT ? OUTCOME_WAIT : OUTCOME_OVER;
	if (status == MT_OK)
		login_tell(login, &reply);
	else if (status == MT_BAD_INPUT)
		log_warning("%s; still waiting for the login", err->text);
	secret_reset(&client->frame);
	return status;
}

/* The page that tells the truth about an answer. */
static enum login_page
page_for(enum mt_status status, const char *redirect)
{
	if (status == MT_OK)
		return LOGIN_PAGE_DONE;
	if (status == MT_BAD_INPUT)
		return LOGIN_PAGE_FOREIGN;
	return http_url_has(redirect, strlen(redirect), "error")
		   ? LOGIN_PAGE_REFUSED
		   : LOGIN_PAGE_FAILED;
}

static enum outcome
serve_browser(struct login *login, const struct pollfd *fds,
    enum mt_status *ret_status, struct mt_error *err)
{
	const char *redirect = listener_serve(login->listener, fds);
	enum outcome outcome;

	if (!redirect)
		return OUTCOME_WAIT;
	*ret_status = finish(login, redirect, &outcome, err);
	listener_answer(login->listener, page_for(*ret_status, redirect),
	    *ret_status == MT_OK ? login->user : err->text);
	return outcome;
}

static enum outcome
serve_paste(
    struct login *login, enum mt_status *ret_status, struct mt_error *err)
{
	enum outcome outcome = OUTCOME_WAIT;
	const char *wrong;
	char *line;

	paste_read(&login->paste);
	while (outcome == OUTCOME_WAIT && (line = paste_line(&login->paste))) {
		wrong = paste_judge(&login->paste, line);
		if (wrong)
			log_warning("%s", wrong);
		else
			*ret_status = finish(login, line, &outcome, err);
	}
	return outcome;
}

static void
watch(const struct login *login, struct pollfd *fds)
{
	fds[POLL_SIGNALS] = (struct pollfd){login->signals, POLLIN, 0};
	fds[POLL_HELPER] = (struct pollfd){login->helper->client.fd, POLLIN, 0};
	fds[POLL_PASTE] = (struct pollfd){login->paste.fd, POLLIN, 0};
	listener_watch(login->listener, fds + POLL_LISTENER);
}

/* One round: serves whoever has something to say. */
static enum outcome
serve(struct login *login, const struct pollfd *fds, enum mt_status *ret_status,
    struct mt_error *err)
{
	if (fds[POLL_SIGNALS].revents) {
		cancel(login);
		*ret_status = mt_fail(err, MT_NEEDS_LOGIN,
		    "the login was cancelled; nothing was stored");
		return OUTCOME_OVER;
	}
	if (fds[POLL_HELPER].revents) {
		*ret_status = mt_fail(err, MT_UNREACHABLE,
		    "the token helper ended during the login; start it again "
		    "and log in once more");
		return OUTCOME_OVER;
	}
	if (serve_browser(login, fds + POLL_LISTENER, ret_status, err) ==
	    OUTCOME_OVER)
		return OUTCOME_OVER;
	return fds[POLL_PASTE].revents ? serve_paste(login, ret_status, err)
				       : OUTCOME_WAIT;
}

enum mt_status
login_wait(struct login *login, struct deadline deadline, struct mt_error *err)
{
	struct pollfd fds[POLL_COUNT];
	enum mt_status status = MT_OK;

	while (!deadline_passed(deadline)) {
		struct deadline wake =
		    listener_deadline(login->listener, deadline);

		watch(login, fds);
		if (poll(fds, POLL_COUNT, deadline_left_ms(wake)) < 0)
			continue; /* interrupted */
		if (serve(login, fds, &status, err) == OUTCOME_OVER)
			return status;
	}
	cancel(login);
	return mt_fail(err, MT_NEEDS_LOGIN,
	    "nobody logged in in time; nothing was stored");
}
