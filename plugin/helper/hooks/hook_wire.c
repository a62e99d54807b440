/* SPDX-License-Identifier: ISC */
#include "hook_wire.h"

#include "hook_list.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
    {"event", offsetof(struct hook_news, event)},
    {"account", offsetof(struct hook_news, account)},
    {"user", offsetof(struct hook_news, user)},
    {"provider", offsetof(struct hook_news, provider)},
    {"state", offsetof(struct hook_news, state)},
    {"time", offsetof(struct hook_news, time)},
    {"text", offsetof(struct hook_news, text)},
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

bool
hook_wire_run(struct secret *frame, size_t slot, const char *program,
    const struct hook_news *news)
{
	token_wire_begin(frame, "run");
	token_wire_add_number(frame, "slot", (long)slot);
	token_wire_add(frame, "program", program);
	for (size_t i = 0; i < FIELDS; i++)
		token_wire_add(frame, fields[i].name,
		    *(const char *const *)(const void *)((const char *)news +
							 fields[i].offset));
	return token_wire_end(frame) && frame->len <= HOOK_FRAME_MAX;
}

static bool
is_word(const char *word)
{
	size_t len = strlen(word);

	return len && len <= HOOK_EVENT_MAX &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyz-") == len &&
	       *word != '-';
}

/* What begins so is no option of any program. */
static bool
is_name(const char *name)
{
	if (strlen(name) > HOOK_ACCOUNT_MAX)
		return false;
	if (*name && !isalnum((unsigned char)*name))
		return false;
	while (*name)
		if (!isgraph((unsigned char)*name++))
			return false;
	return true;
}

bool
hook_wire_read_run(const struct token_wire_message *message, size_t *ret_slot,
    const char **ret_program, struct hook_news *ret_news)
{
	long slot = token_wire_number(message, "slot", HOOKS_MAX - 1, -1);

	*ret_program = token_wire_get(message, "program");
	for (size_t i = 0; i < FIELDS; i++) {
		const char *value = token_wire_get(message, fields[i].name);

		if (!value)
			return false;
		*(const char **)(void *)((char *)ret_news + fields[i].offset) =
		    value;
	}
	*ret_slot = (size_t)slot;
	return slot >= 0 && *ret_program && is_word(ret_news->event) &&
	       is_name(ret_news->account);
}

int
hook_wire_send(int fd, const struct secret *frame)
{
	ssize_t n;

	do
		n = send(fd, secret_expose(frame), frame->len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

int
hook_wire_receive(
    int fd, char buffer[HOOK_FRAME_MAX], struct token_wire_message *ret_message)
{
	ssize_t n;

	/* MSG_TRUNC: the true length */
	do
		n = recv(fd, buffer, HOOK_FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		errno = n < 0 ? errno : 0;
		return -1;
	}
	if (n <= HOOK_FRAME_MAX &&
	    token_wire_parse(buffer, (size_t)n, ret_message))
		return 1;
	errno = EPROTO;
	return -1;
}
