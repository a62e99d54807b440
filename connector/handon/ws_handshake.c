/* SPDX-License-Identifier: ISC */
#include "handon/ws_handshake.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT_SIZE 32 /* base64 of a SHA-1 digest, and more */

static bool
to_base64(const void *data, size_t len, char *text, size_t size)
{
	const gnutls_datum_t in = {(void *)(uintptr_t)data, (unsigned)len};
	gnutls_datum_t out = {0};
	bool ok = gnutls_base64_encode2(&in, &out) == 0 && out.size < size;

	if (ok) {
		memcpy(text, out.data, out.size);
		text[out.size] = '\0';
	}
	gnutls_free(out.data);
	return ok;
}

bool
ws_handshake_new_key(char ret_key[WS_KEY_SIZE])
{
	unsigned char nonce[16];

	return gnutls_rnd(GNUTLS_RND_NONCE, nonce, sizeof(nonce)) == 0 &&
	       to_base64(nonce, sizeof(nonce), ret_key, WS_KEY_SIZE);
}

void
ws_handshake_request(
    struct buf *b, const struct gateway_url *url, const char *key)
{
	bool six = strchr(url->host, ':') != NULL;

	buf_add_format(b,
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s%s%s:%u\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "User-Agent: mailtoken/" MT_VERSION "\r\n"
	    "\r\n",
	    *url->path ? url->path : "/", six ? "[" : "", url->host,
	    six ? "]" : "", (unsigned)url->port, key);
}

size_t
ws_handshake_answer_len(const char *data, size_t len)
{
	const char *end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - data) + 4 : 0;
}

/* The value of a header field, NULL if it is not there; it ends before \r. */
static const char *
field(const char *answer, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	for (const char *line = strstr(answer, "\r\n"); line;
	     line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, name_len) != 0 ||
		    line[name_len] != ':')
			continue;
		line += name_len + 1;
		line += strspn(line, " \t");
		*ret_len = strcspn(line, "\r\n");
		while (*ret_len && strchr(" \t", line[*ret_len - 1]))
			--*ret_len;
		return line;
	}
	return NULL;
}

/* Whether a list of words, separated by commas, has this one. */
static bool
has_word(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t at = 0; at + word_len <= len; at++) {
		char before = at ? list[at - 1] : ',';
		char after = at + word_len < len ? list[at + word_len] : ',';
		if (strchr(", \t", before) && strchr(", \t", after) &&
		    strncasecmp(list + at, word, word_len) == 0)
			return true;
	}
	return false;
}

static bool
is_accepted(const char *answer, const char *key)
{
	char text[WS_KEY_SIZE + sizeof(GUID)];
	char expected[ACCEPT_SIZE];
	unsigned char digest[20];
	const char *value;
	size_t len;

	snprintf(text, sizeof(text), "%s" GUID, key);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) !=
		0 ||
	    !to_base64(digest, sizeof(digest), expected, sizeof(expected)))
		return false;
	value = field(answer, "Sec-WebSocket-Accept", &len);
	return value && len == strlen(expected) &&
	       memcmp(value, expected, len) == 0;
}

enum mt_status
ws_handshake_check(
    const char *data, size_t len, const char *key, struct mt_error *err)
{
	char answer[WS_ANSWER_MAX + 1];
	const char *value;
	int code = 0;

	if (len > WS_ANSWER_MAX || memchr(data, '\0', len))
		return mt_fail(err, MT_RETRY_LATER, "it answers no HTTP");
	memcpy(answer, data, len);
	answer[len] = '\0';
	if (sscanf(answer, "HTTP/1.%*1[01] %3d", &code) != 1)
		return mt_fail(err, MT_RETRY_LATER, "it answers no HTTP");
	if (code != 101)
		return mt_fail(err, MT_RETRY_LATER,
		    "it answers %d to the wish for a WebSocket; see "
		    "TRI_ONYX_GATEWAY",
		    code);
	value = field(answer, "Upgrade", &len);
	if (!value || !has_word(value, len, "websocket") ||
	    !(value = field(answer, "Connection", &len)) ||
	    !has_word(value, len, "upgrade") || !is_accepted(answer, key))
		return mt_fail(
		    err, MT_RETRY_LATER, "its answer opens no WebSocket");
	/* we offered neither, so it must not choose */
	if (field(answer, "Sec-WebSocket-Extensions", &len) ||
	    field(answer, "Sec-WebSocket-Protocol", &len))
		return mt_fail(err, MT_RETRY_LATER,
		    "it chose something that was not offered");
	return MT_OK;
}
