/* SPDX-License-Identifier: ISC */
#include "handon/ws_handshake.h"

#include "unit/cmocka_headers.h"

#include <string.h>

/* The example of RFC 6455 section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static void
request_is_that_of_the_rfc(void **state)
{
	struct gateway_url url;
	struct buf b = BUF_INIT(4096);

	(void)state;
	assert_true(gateway_url_parse("ws://[::1]:4000/chat", "ws", &url));
	ws_handshake_request(&b, &url, KEY);
	assert_memory_equal(
	    buf_text(&b), "GET /chat HTTP/1.1\r\nHost: [::1]:4000\r\n", 38);
	assert_non_null(
	    strstr(buf_text(&b), "\r\nSec-WebSocket-Key: " KEY "\r\n"));
	assert_non_null(
	    strstr(buf_text(&b), "\r\nSec-WebSocket-Version: 13\r\n"));
	assert_int_equal(ws_handshake_answer_len(buf_text(&b), b.len), b.len);
	buf_done(&b);
}

static void
answer_must_open_this_websocket(void **state)
{
	static const struct {
		const char *text;
		const char *wrong; /* NULL: nothing */
	} cases[] = {
	    {STATUS UPGRADE ACCEPT "\r\n", NULL},
	    {STATUS
		"upgrade:WebSocket\r\nCONNECTION: keep-alive, upgrade \r\n"
		"sec-websocket-accept:\ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n\r\n",
		NULL},
	    {STATUS UPGRADE "\r\n", "opens no WebSocket"},
	    {STATUS "Upgrade: websocket\r\n" ACCEPT "\r\n",
		"opens no WebSocket"},
	    {STATUS "Connection: upgraded\r\nUpgrade: websocket\r\n" ACCEPT
		    "\r\n",
		"opens no WebSocket"},
	    {STATUS UPGRADE
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n",
		"opens no WebSocket"},
	    {STATUS UPGRADE ACCEPT
		"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		"not offered"},
	    {"HTTP/1.1 401 Unauthorized\r\n\r\n", "answers 401"},
	    {"HTTP/1.1 200 OK\r\n" UPGRADE ACCEPT "\r\n", "answers 200"},
	    {"* OK IMAP4rev1 ready\r\n\r\n", "no HTTP"},
	    {"\r\n\r\n", "no HTTP"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].text);
		struct mt_error err = {0};
		enum mt_status status =
		    ws_handshake_check(cases[i].text, len, KEY, &err);

		assert_int_equal(
		    ws_handshake_answer_len(cases[i].text, len), len);
		if (!cases[i].wrong)
			assert_int_equal(status, MT_OK);
		else if (status == MT_OK || !strstr(err.text, cases[i].wrong))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void
answer_ends_with_the_empty_line(void **state)
{
	(void)state;
	assert_int_equal(ws_handshake_answer_len("", 0), 0);
	assert_int_equal(ws_handshake_answer_len("a\r\n\r", 4), 0);
	assert_int_equal(ws_handshake_answer_len("a\r\n\r\n\x81\x02", 7), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_is_that_of_the_rfc),
	    cmocka_unit_test(answer_must_open_this_websocket),
	    cmocka_unit_test(answer_ends_with_the_empty_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
