/* SPDX-License-Identifier: ISC */
/*
 * One login of one client at one scripted server, and what must be true of any,
 * however it ends.
 */
#ifndef MT_TESTS_EXCHANGE_H
#define MT_TESTS_EXCHANGE_H

#include "clients.h"
#include "module_bench.h"

#include "unit/cmocka_headers.h"

struct exchange {
	struct mail_program *program;
	const struct client *client;
	const char *mechanism;
	const char *row; /* of the table that the test goes through */
	struct server server;
	struct client_result result;
	char detail[1024]; /* the last error text of libsasl2 */
	bool half_message; /* an output came with a failure */
};

/* An assertion that says which cell of a table fails. */
#define CHECK(x, condition)                                                    \
	do {                                                                   \
		if (!(condition))                                              \
			fail_msg("%s, %s, %s: not %s (start %d, last %d, "     \
				 "detail '%s')",                               \
			    (x)->client->name, (x)->mechanism, (x)->row,       \
			    #condition, (x)->result.start, (x)->result.last,   \
			    (x)->detail);                                      \
	} while (0)

extern const char *const exchange_mechanisms[];
#define MECHANISMS 2

/* Whether a cell of a table is to be run: all are, unless MAILTOKEN_SHARE in the
 * environment says "every n-th" and MAILTOKEN_LONG is not set. */
bool exchange_takes_part(size_t cell);

/* Initialises libsasl2 for a client: only then are the settings read. */
void exchange_enter(struct module_bench *bench, const struct client *client);

/* Connects, lets the client run, and disposes of the connection. */
struct exchange exchange_run(struct mail_program *p,
    const struct client *client, const char *mechanism, const char *row,
    const struct server *server);

/*
 * Asserts that the server got one whole response with `token`, or none; that
 * no text holds the token; and that a failure comes without output, and with
 * the module's text if the module is what failed.
 */
void exchange_check(const struct exchange *x, const char *token);

#endif
