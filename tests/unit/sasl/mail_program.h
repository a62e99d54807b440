/* SPDX-License-Identifier: ISC */
/*
 * A mail program as libsasl2 sees it: callbacks, prompts and a log, on the real
 * libsasl2 with the modules of one directory.
 */
#ifndef MT_TESTS_MAIL_PROGRAM_H
#define MT_TESTS_MAIL_PROGRAM_H

#include <sasl/sasl.h>

#include <stdbool.h>
#include <stddef.h>

/* What stands for sasl_client_init() and sasl_client_new(). */
struct mail_program {
	/* the process; set before mail_program_init() */
	const char *module_dir;
	const char *mailtoken_socket; /* answers GETOPT; NULL: does not */

	/* the connection; set before mail_program_connect() */
	const char *service;
	const char *host;
	const char *local;  /* "address;port" or NULL */
	const char *remote; /* "address;port" or NULL */
	const char *authname;
	const char *user;
	bool asks;               /* all wants interaction */
	const char *password;    /* NULL: it has none to give */
	bool never_prompts;      /* passes no prompt_need: Postfix, libetpan */
	unsigned security_flags; /* that it demands */
	sasl_ssf_t external_ssf; /* that it knows of */
	const sasl_callback_t *instead; /* of its callbacks for names */

	/* what came of it */
	sasl_conn_t *conn;
	const char *mechanism;
	const char *out;
	unsigned out_len;
	sasl_interact_t *prompts;
	size_t password_asked; /* times */
	char log[8192];

	sasl_secret_t *secret;
	sasl_callback_t global_callbacks[4];
	sasl_callback_t callbacks[8];
};

/* sasl_client_init(); false if it fails. */
bool mail_program_init(struct mail_program *p);

/* Disposes of the connection, then sasl_client_done(). */
void mail_program_done(struct mail_program *p);

/* A new connection; what is left of an old one goes. */
void mail_program_connect(struct mail_program *p);

/* Disposes of the connection. */
void mail_program_hang_up(struct mail_program *p);

/* sasl_client_start() with room for an initial response. */
int mail_program_start(struct mail_program *p, const char *mechanisms);

/* sasl_client_start() of a program that can send no initial response. */
int mail_program_start_bare(struct mail_program *p, const char *mechanisms);

/* sasl_client_step(); a NULL challenge is passed as such. */
int mail_program_step(struct mail_program *p, const char *challenge);
int mail_program_step_bytes(
    struct mail_program *p, const char *challenge, unsigned len);

/* Answers each prompt with `authname`, `user` or `password`. */
void mail_program_answer_prompts(struct mail_program *p);

/* Which of `mechanisms` libsasl2 picks; "" for none. */
const char *mail_program_pick(struct mail_program *p, const char *mechanisms);

/* Lines that went to syslog(3), from any thread, since the last call. */
size_t mail_program_syslog_lines(void);

#endif
