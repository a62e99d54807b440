/* SPDX-License-Identifier: ISC */
/*
 * mailtoken-probe: logs in at one mail server with one access token, for
 * `mailtoken test`, which starts it.  What a mail server sends meets this
 * process only: it knows no store and no helper.
 *
 * Reads one frame (plugin/tokensock/token_wire.h) from descriptor 3:
 *
 *     probe  service host port starttls timeout_s user token [ca_file]
 *
 * and answers with one: ok, with
 *
 *     end  tls mechanisms used refusal why
 */
#include "attempt.h"

#include "base/fs.h"
#include "tokensock/token_wire.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#define PARENT_FD 3

static const char *const end_words[] = {
    [ATTEMPT_UNREACHABLE] = "unreachable",
    [ATTEMPT_NO_TLS] = "no-tls",
    [ATTEMPT_UNTRUSTED] = "untrusted",
    [ATTEMPT_NO_MECHANISM] = "no-mechanism",
    [ATTEMPT_REFUSED] = "refused",
    [ATTEMPT_DONE] = "done",
};

/* Reads up to the line's end. */
static bool
read_frame(char *frame, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(PARENT_FD, frame + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len += (size_t)n;
		if (frame[len - 1] == '\n') {
			*ret_len = len;
			return true;
		}
	}
	return false;
}

static bool
read_attempt(
    const struct token_wire_message *message, struct attempt *ret_attempt)
{
	*ret_attempt = (struct attempt){
	    .service = token_wire_get(message, "service"),
	    .host = token_wire_get(message, "host"),
	    .port = token_wire_number(message, "port", 65535, 0),
	    .starttls = token_wire_number(message, "starttls", 1, 0),
	    .timeout_s = token_wire_number(message, "timeout_s", 3600, 0),
	    .user = token_wire_get(message, "user"),
	    .token = token_wire_get(message, "token"),
	    .ca_file = token_wire_get(message, "ca_file"),
	};
	return strcmp(message->verb, "probe") == 0 && ret_attempt->service &&
	       ret_attempt->host && ret_attempt->port &&
	       ret_attempt->timeout_s && ret_attempt->user &&
	       ret_attempt->token;
}

static bool
answer(const struct attempt_result *result)
{
	const struct transcript *transcript = &result->transcript;
	struct secret frame = SECRET_INIT;
	bool ok;

	token_wire_begin(&frame, token_wire_status_word(MT_OK));
	token_wire_add(&frame, "end", end_words[result->end]);
	token_wire_add(&frame, "tls", result->tls);
	token_wire_add(&frame, "mechanisms", transcript->mechanisms);
	token_wire_add(&frame, "used", transcript->used);
	token_wire_add(&frame, "refusal", transcript->refusal);
	token_wire_add(&frame, "why", result->why);
	ok = token_wire_end(&frame) &&
	     fs_write_all(PARENT_FD, secret_expose(&frame), frame.len) == 0;
	secret_done(&frame);
	return ok;
}

int
main(void)
{
	static char frame[TOKEN_WIRE_FRAME_MAX];
	struct token_wire_message message;
	struct attempt_result result;
	struct attempt attempt;
	size_t len;

	secret_protect_process();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!read_frame(frame, sizeof(frame), &len) ||
	    !token_wire_parse(frame, len, &message) ||
	    !read_attempt(&message, &attempt))
		return EX_USAGE;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EX_OSERR;
	attempt_run(&attempt, &result);
	explicit_bzero(frame, sizeof(frame));
	return answer(&result) ? EX_OK : EX_IOERR;
}
