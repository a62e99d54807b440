/* SPDX-License-Identifier: ISC */
/*
 * Logs in as programs on stock libetpan do: its own AUTHENTICATE and AUTH, its
 * own TLS (which verifies nothing).  Not the connector's code.
 *
 *     etpanlogin imap|smtp HOST PORT MECHANISM USER <password
 *
 * Prints what libetpan returns and the server's last answer.
 */
#include <libetpan/libetpan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S 2 /* of one read: the tests show what never answers */

static int
report(const char *what, int code, const char *answer)
{
	printf("%s: code %d: %s\n", what, code, answer ? answer : "");
	return code;
}

static int
log_in_imap(const char *host, uint16_t port, const char *mechanism,
    const char *user, const char *password)
{
	mailimap *imap = mailimap_new(0, NULL);
	int code = mailimap_socket_connect(imap, host, port);

	if (code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
		code = mailimap_socket_starttls(imap);
	if (code == MAILIMAP_NO_ERROR)
		code = mailimap_authenticate(imap, mechanism, host, NULL, NULL,
		    user, user, password, NULL);
	report("AUTHENTICATE", code, imap->imap_response);
	if (code == MAILIMAP_NO_ERROR)
		mailimap_logout(imap);
	mailimap_free(imap);
	return code != MAILIMAP_NO_ERROR;
}

static int
log_in_smtp(const char *host, uint16_t port, const char *mechanism,
    const char *user, const char *password)
{
	mailsmtp *smtp = mailsmtp_new(0, NULL);
	int code = mailsmtp_socket_connect(smtp, host, port);

	if (code == MAILSMTP_NO_ERROR)
		code = mailesmtp_ehlo(smtp);
	if (code == MAILSMTP_NO_ERROR)
		code = mailsmtp_socket_starttls(smtp);
	if (code == MAILSMTP_NO_ERROR)
		code = mailesmtp_ehlo(smtp);
	if (code == MAILSMTP_NO_ERROR)
		code = mailesmtp_auth_sasl(smtp, mechanism, host, NULL, NULL,
		    user, user, password, NULL);
	report("AUTH", code, smtp->response);
	if (code == MAILSMTP_NO_ERROR)
		mailsmtp_quit(smtp);
	mailsmtp_free(smtp);
	return code != MAILSMTP_NO_ERROR;
}

int
main(int argc, char **argv)
{
	char password[256] = "";

	if (argc != 6) {
		fprintf(stderr, "usage: etpanlogin imap|smtp HOST PORT "
				"MECHANISM USER <password\n");
		return 64;
	}
	if (!fgets(password, sizeof(password), stdin))
		password[0] = '\0';
	mailstream_network_delay.tv_sec = TIMEOUT_S;
	return (strcmp(argv[1], "imap") == 0 ? log_in_imap : log_in_smtp)(
	    argv[2], (uint16_t)strtol(argv[3], NULL, 10), argv[4], argv[5],
	    password);
}
