/* SPDX-License-Identifier: ISC */
/*
 * The programs that use libsasl2, each as it drives the library: what it tells
 * about itself, how it asks people, how its loop goes on after each code and
 * each line of the server.  Written after the sources of these programs, so
 * that the module can be shown every one of them at once, also those that no
 * test can run.
 */
#ifndef MT_TESTS_CLIENTS_H
#define MT_TESTS_CLIENTS_H

#include "mail_program.h"

#include <stdbool.h>
#include <stddef.h>

/* -- the server ------------------------------------------------------------ */

enum server_says {
	SERVER_CHALLENGE, /* IMAP: "+ data", SMTP: "334 data" */
	SERVER_OK,
	SERVER_NO,
};

struct server_reply {
	enum server_says says;
	const char *data;
	size_t len;
};

#define SERVER_REPLIES_MAX 4
#define SERVER_KEPT_MAX 16384

/* Asks for a response if none comes with the mechanism, then says its replies,
 * one for each message of the client, and at last NO for ever. */
struct server {
	struct server_reply replies[SERVER_REPLIES_MAX];
	bool keeps_nothing; /* of the response but its length */

	/* what came of it */
	size_t said;             /* of `replies` */
	bool over;               /* OK or NO was said */
	bool cancelled;          /* by "*" */
	size_t response_len;     /* 0: none came */
	size_t acknowledgements; /* messages after the response */
	char response[SERVER_KEPT_MAX];
	char acknowledgement[16]; /* the first of them */
	size_t acknowledgement_len;
};

/* -- the clients ----------------------------------------------------------- */

struct client_result {
	int start;      /* code of sasl_client_start() */
	int last;       /* last code from libsasl2 */
	bool logged_in; /* as the client sees it */
	bool goes_on;   /* tries another mechanism or a password next */
};

struct client {
	const char *name;
	void (*run)(struct mail_program *p, const char *mechanism,
	    struct server *server, struct client_result *ret_result);

	/* how it calls sasl_client_new() */
	const char *service;
	bool asks, never_prompts, names_authzid, has_password;
	bool tells_addresses;
	unsigned security_flags;
	sasl_ssf_t external_ssf;

	const char *settings; /* of the module, that it needs */
	bool excludes_tokens; /* libsasl2 or the module offer it nothing */
	bool ends_with_token; /* answers no challenge after the token */
	bool heeds_server;    /* and nobody else, once the exchange runs */
	bool has_fallback;    /* goes on after SASL_NOMECH */
};

extern const struct client clients[];
extern const size_t clients_count;

/* Connects as the client does; then `client->run` may be called once. */
void client_connect(struct mail_program *p, const struct client *client);

#endif
