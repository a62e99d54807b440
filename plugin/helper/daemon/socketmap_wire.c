/* SPDX-License-Identifier: ISC */
#include "socketmap_wire.h"

#include "base/host.h"

#include <stdio.h>
#include <string.h>

#define HEAD_MAX 5 /* "4096:" */

/*
 * The bytes of the netstring that begins with the `len` bytes at `head`.  False
 * if they begin none that we take; 0 if it takes more of them to tell.
 */
static bool
measure(const char *head, size_t len, size_t *ret_size)
{
	size_t size = 0, digits = 0;

	*ret_size = 0;
	while (digits < len && head[digits] >= '0' && head[digits] <= '9') {
		size = size * 10 + (size_t)(head[digits] - '0');
		digits++;
		if (size > SOCKETMAP_REQUEST_MAX || digits >= HEAD_MAX)
			return false;
	}
	if (digits > 1 && *head == '0')
		return false;
	if (digits == len)
		return true;
	if (!digits || head[digits] != ':')
		return false;
	*ret_size = digits + 1 + size + 1;
	return true;
}

size_t
socketmap_wire_cut(
    const struct secret *begun, const char *data, size_t len, bool *ret_whole)
{
	char head[HEAD_MAX];
	size_t old = begun->len < HEAD_MAX ? begun->len : HEAD_MAX;
	size_t new = len < HEAD_MAX - old ? len : HEAD_MAX - old;
	size_t size, left;

	*ret_whole = false;
	memcpy(head, secret_expose(begun), old);
	memcpy(head + old, data, new);
	if (!measure(head, old + new, &size))
		return 0;
	if (!size) /* what is there is too short to tell, so all of it */
		return len;
	left = size - begun->len;
	*ret_whole = len >= left;
	return len < left ? len : left;
}

bool
socketmap_wire_parse(char *frame, size_t len, struct socketmap_query *ret_query)
{
	struct socketmap_query query = {0};
	char *text, *key;
	size_t size;

	if (!measure(frame, len, &size) || !size || size != len ||
	    frame[len - 1] != ',')
		return false;
	frame[len - 1] = '\0';
	text = strchr(frame, ':') + 1;
	if (strlen(text) != (size_t)(frame + len - 1 - text))
		return false;
	key = strchr(text, ' ');
	if (!key)
		return false;
	*key++ = '\0';
	query.map = text;
	if (strchr(key, '@'))
		query.user = key;
	else
		query.host = host_without_port(key);
	*ret_query = query;
	return true;
}

static void
begin(struct secret *reply, const char *word, size_t data_len)
{
	char head[64];

	snprintf(
	    head, sizeof(head), "%zu:%s ", strlen(word) + 1 + data_len, word);
	secret_reset(reply);
	secret_add(reply, head, strlen(head));
}

void
socketmap_wire_reply(struct secret *reply, const char *word, const char *text)
{
	begin(reply, word, strlen(text));
	secret_add(reply, text, strlen(text));
	secret_add(reply, ",", 1);
}

void
socketmap_wire_found(
    struct secret *reply, const char *user, const struct secret *password)
{
	begin(reply, "OK", strlen(user) + 1 + password->len);
	secret_add(reply, user, strlen(user));
	secret_add(reply, ":", 1);
	secret_add(reply, secret_expose(password), password->len);
	secret_add(reply, ",", 1);
}
