/* SPDX-License-Identifier: ISC */
/*
 * The credential helper of git (gitcredentials(7)), for git send-email and git
 * imap-send: get, and erase for a token that a server refused.  There is
 * nothing to store.
 *
 * git asks one helper after the other, and then the person.  So this one has no
 * answer and no complaint for what is no mail server or no account of ours; but
 * it says why it has none where there is an account.
 */
#include "command.h"
#include "git_credential.h"

#include "base/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERMIT "git-credential"
#define GET_WAIT_MS 20000

/* Reads up to the empty line, or the end. */
static enum mt_status
read_attributes(struct secret *text, struct mt_error *err)
{
	char chunk[4096];
	ssize_t n = 1;

	while (n && !git_credential_end(secret_expose(text), text->len)) {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mt_fail_errno(err, MT_BAD_INPUT, errno,
			    "cannot read standard input");
		secret_add(text, chunk, (size_t)n);
		explicit_bzero(chunk, (size_t)n);
		if (!secret_ok(text))
			return mt_fail(err, MT_BAD_INPUT,
			    "git tells more than %d bytes", SECRET_MAX);
	}
	if (strlen(secret_expose(text)) != text->len)
		return mt_fail(err, MT_BAD_INPUT, "git tells a NUL byte");
	return MT_OK;
}

static enum mt_status
call_get(struct invocation *in, const struct token_query *query, long wait_ms,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	struct secret *frame = &in->helper.client.frame;

	token_wire_begin(frame, "get");
	helper_add_query(&in->helper, query, PERMIT);
	token_wire_add_number(frame, "wait_ms", wait_ms);
	return command_call(in, wait_ms + HELPER_CALL_MS, ret_reply, err);
}

static enum mt_status
get_token(struct invocation *in, const struct token_query *query, long wait_ms,
    struct token_wire_message *ret_reply, struct mt_error *err)
{
	enum mt_status status = helper_find_for(
	    &in->helper, query, PERMIT, deadline_in_ms(HELPER_CALL_MS), err);

	if (status != MT_OK)
		return status;
	in->account = in->helper.account;
	status = call_get(in, query, wait_ms, ret_reply, err);
	if (status == MT_OK &&
	    (!token_wire_get(ret_reply, "user") ||
		strchr(token_wire_get(ret_reply, "user"), '\n') ||
		!token_wire_get(ret_reply, "token") ||
		!command_is_token(token_wire_get(ret_reply, "token"))))
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer is no token");
	return status;
}

static void
add(struct secret *out, const char *name, const char *value)
{
	secret_add(out, name, strlen(name));
	secret_add(out, "=", 1);
	secret_add(out, value, strlen(value));
	secret_add(out, "\n", 1);
}

static enum mt_status
print_credential(const struct token_wire_message *reply, struct mt_error *err)
{
	struct secret out = SECRET_INIT;
	long left = token_wire_number(reply, "expires_in", INT_MAX, 0);
	char expiry[32];
	enum mt_status status = MT_OK;

	snprintf(expiry, sizeof(expiry), "%lld", (long long)time(NULL) + left);
	add(&out, "username", token_wire_get(reply, "user"));
	add(&out, "password", token_wire_get(reply, "token"));
	add(&out, "password_expiry_utc", expiry);
	if (!secret_ok(&out))
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a token");
	else if (fs_write_all(STDOUT_FILENO, secret_expose(&out), out.len))
		status = mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot write to standard output");
	secret_done(&out);
	return status;
}

static enum mt_status
get(struct invocation *in, const struct token_query *query,
    const struct git_credential *credential, struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status = get_token(in, query, GET_WAIT_MS, &reply, err);

	(void)credential;
	return status == MT_OK ? print_credential(&reply, err) : status;
}

/*
 * git names the password that was refused, the helper knows tokens by number:
 * only if this one is still the present one it is rejected.  That there is
 * another one by now, or none, is as good.
 */
static enum mt_status
erase(struct invocation *in, const struct token_query *query,
    const struct git_credential *credential, struct mt_error *err)
{
	struct token_wire_message reply;
	long serial;

	/* a private one would begin without a token */
	in->helper.only_running = true;
	if (!credential->password ||
	    get_token(in, query, 0, &reply, err) != MT_OK ||
	    strcmp(token_wire_get(&reply, "token"), credential->password) != 0)
		return MT_OK;
	serial = token_wire_number(&reply, "serial", LONG_MAX, 0);
	return token_client_reject(&in->helper.client, in->account, serial,
	    deadline_in_ms(HELPER_CALL_MS), err);
}

static enum mt_status
serve(struct invocation *in, struct secret *text,
    enum mt_status (*operation)(struct invocation *, const struct token_query *,
	const struct git_credential *, struct mt_error *),
    struct mt_error *err)
{
	struct git_credential credential = {0};
	struct token_query query = {0};
	enum mt_status status = read_attributes(text, err);

	if (status != MT_OK || !text->len)
		return status;
	if (!git_credential_parse(text->data, &credential))
		return mt_fail(
		    err, MT_BAD_INPUT, "git tells what is no attribute");
	query.service = git_credential_service(&credential);
	query.host = credential.host;
	query.user = credential.username;
	if (!query.service || !query.host)
		return MT_OK;
	status = operation(in, &query, &credential, err);
	return status == MT_NO_ACCOUNT ? MT_OK : status;
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	const char *operation = in->argv[0];
	struct secret text = SECRET_INIT;
	enum mt_status status = MT_OK;

	if (strcmp(operation, "get") == 0)
		status = serve(in, &text, get, err);
	else if (strcmp(operation, "erase") == 0)
		status = serve(in, &text, erase, err);
	secret_done(&text);
	return status;
}

const struct command git_helper = {
    .name = GIT_HELPER_NAME,
    .arguments = "get | store | erase",
    .help = "the credential helper of git",
    .run = run,
};
