/* SPDX-License-Identifier: ISC */
#include "unit/connector/mail/imap_peer.h"

#include "unit/cmocka_headers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL_MS 10000

void
imap_peer_say(const struct imap_peer *p, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(p->fd, text, len, MSG_NOSIGNAL), len);
}

/* Lets in the client, up to an opened mailbox with two messages.  No asserts:
 * cmocka knows one thread. */
static void *
let_in(void *context)
{
	struct imap_peer *p = context;
	char text[1000];

	p->fd = accept(p->listener, NULL, NULL);
	snprintf(text, sizeof(text),
	    "* OK [CAPABILITY IMAP4rev1] hello\r\n"
	    "1 OK [CAPABILITY %s] in\r\n"
	    "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 3] x\r\n"
	    "2 OK opened\r\n",
	    p->capabilities);
	if (send(p->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		abort();
	return NULL;
}

static uint16_t
listen_on_loopback(struct imap_peer *p)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	p->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(p->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	assert_int_equal(
	    getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

void
imap_peer_expect(const struct imap_peer *p, const char *expected)
{
	char line[10000];
	size_t len = 0;

	while (len < sizeof(line) - 1 && recv(p->fd, line + len, 1, 0) == 1 &&
	       line[len] != '\n')
		len++;
	line[len] = '\0';
	if (len)
		line[len - 1] = '\0'; /* CR */
	assert_string_equal(line, expected);
}

void
imap_peer_open(struct imap_peer *p, const char *capabilities)
{
	static const char *const none[] = {NULL};
	struct secret password = SECRET_INIT;
	struct mail_server server = {
	    .host = "127.0.0.1",
	    .tls = MAIL_TLS_NONE,
	    .mechanisms = none,
	    .authentication_id = "alice",
	    .password = &password,
	    .login_command = true,
	};
	struct imap_mailbox mailbox;
	enum mail_login login;
	struct mt_error err;
	pthread_t thread;

	*p = (struct imap_peer){.capabilities = capabilities};
	server.port = listen_on_loopback(p);
	secret_add(&password, "pw", 2);
	assert_int_equal(pthread_create(&thread, NULL, let_in, p), 0);
	assert_int_equal(imap_conn_open(&p->conn, &server, NULL, &login,
			     deadline_in_ms(CALL_MS), &err),
	    MT_OK);
	pthread_join(thread, NULL);
	secret_done(&password);
	assert_int_equal(imap_conn_examine(p->conn, "INBOX", &mailbox,
			     deadline_in_ms(CALL_MS), &err),
	    MT_OK);
	assert_int_equal(mailbox.exists, 2);
	imap_peer_expect(p, "1 LOGIN \"alice\" \"pw\"");
	imap_peer_expect(p, "2 EXAMINE \"INBOX\"");
}

void
imap_peer_close(struct imap_peer *p)
{
	shutdown(p->fd, SHUT_WR); /* no answer to a LOGOUT */
	imap_conn_close(&p->conn);
	close(p->fd);
	close(p->listener);
}
