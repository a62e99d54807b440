/* SPDX-License-Identifier: ISC */
#include "mail_program.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t syslog_lines;

/* libsasl2 finds these in the program before those of libc. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED void __syslog_chk(int priority, int flag, const char *format, ...);
EXPORTED void syslog(int priority, const char *format, ...);

void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	(void)priority;
	(void)flag;
	(void)format;
	syslog_lines++;
}

void
syslog(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
	syslog_lines++;
}

size_t
mail_program_syslog_lines(void)
{
	return atomic_exchange(&syslog_lines, 0);
}

static int
get_path(void *context, const char **path)
{
	const struct mail_program *p = context;

	*path = p->module_dir;
	return SASL_OK;
}

static int
get_option(void *context, const char *plugin_name, const char *option,
    const char **result, unsigned *len)
{
	const struct mail_program *p = context;

	(void)plugin_name;
	if (!p->mailtoken_socket || strcmp(option, "mailtoken_socket") != 0)
		return SASL_FAIL;
	*result = p->mailtoken_socket;
	if (len)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
log_line(void *context, int level, const char *message)
{
	struct mail_program *p = context;
	size_t used = strlen(p->log);

	snprintf(
	    p->log + used, sizeof(p->log) - used, "%d %s\n", level, message);
	return SASL_OK;
}

/* As careful about its arguments as the strictest program. */
static int
get_name(void *context, int id, const char **result, unsigned *len)
{
	const struct mail_program *p = context;

	if (!result || (id != SASL_CB_AUTHNAME && id != SASL_CB_USER))
		return SASL_BADPARAM;
	*result = id == SASL_CB_AUTHNAME ? p->authname : p->user;
	if (len)
		*len = *result ? (unsigned)strlen(*result) : 0;
	return SASL_OK;
}

/* As in Postfix: the secret is its own, one for each call. */
static int
get_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **result)
{
	struct mail_program *p = context;
	size_t len;

	if (!conn || !result || id != SASL_CB_PASS)
		return SASL_BADPARAM;
	p->password_asked++;
	len = strlen(p->password);
	free(p->secret);
	p->secret = malloc(sizeof(*p->secret) + len);
	if (!p->secret)
		return SASL_NOMEM;
	p->secret->len = len;
	memcpy(p->secret->data, p->password, len + 1);
	*result = p->secret;
	return SASL_OK;
}

typedef int (*procedure)(void);
#define PROCEDURE(f) ((procedure)(void (*)(void))(f))

bool
mail_program_init(struct mail_program *p)
{
	p->global_callbacks[0] =
	    (sasl_callback_t){SASL_CB_GETPATH, PROCEDURE(get_path), p};
	p->global_callbacks[1] =
	    (sasl_callback_t){SASL_CB_GETOPT, PROCEDURE(get_option), p};
	p->global_callbacks[2] =
	    (sasl_callback_t){SASL_CB_LOG, PROCEDURE(log_line), p};
	p->global_callbacks[3] =
	    (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	return sasl_client_init(p->global_callbacks) == SASL_OK;
}

void
mail_program_hang_up(struct mail_program *p)
{
	if (p->conn)
		sasl_dispose(&p->conn);
	free(p->secret);
	p->secret = NULL;
	p->conn = NULL;
	p->prompts = NULL;
	p->out = p->mechanism = NULL;
	p->out_len = 0;
}

void
mail_program_done(struct mail_program *p)
{
	mail_program_hang_up(p);
	sasl_client_done();
}

static void
list_callbacks(struct mail_program *p)
{
	sasl_callback_t *next = p->callbacks;

	for (const sasl_callback_t *c = p->instead;
	     c && c->id != SASL_CB_LIST_END; c++)
		*next++ = (sasl_callback_t){c->id, c->proc, p};
	if (!p->instead)
		*next++ = (sasl_callback_t){
		    SASL_CB_AUTHNAME, p->asks ? NULL : PROCEDURE(get_name), p};
	if (!p->instead && (p->asks || p->user))
		*next++ = (sasl_callback_t){
		    SASL_CB_USER, p->asks ? NULL : PROCEDURE(get_name), p};
	if (p->password)
		*next++ = (sasl_callback_t){
		    SASL_CB_PASS, p->asks ? NULL : PROCEDURE(get_password), p};
	/* of its own: programs that copy this one may run in threads */
	*next++ = (sasl_callback_t){SASL_CB_LOG, PROCEDURE(log_line), p};
	*next = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

void
mail_program_connect(struct mail_program *p)
{
	const sasl_security_properties_t demands = {.max_ssf = 256,
	    .maxbufsize = 4096,
	    .security_flags = p->security_flags};

	mail_program_hang_up(p);
	list_callbacks(p);
	if (sasl_client_new(p->service, p->host, p->local, p->remote,
		p->callbacks, 0, &p->conn) != SASL_OK)
		abort();
	sasl_setprop(p->conn, SASL_SEC_PROPS, &demands);
	sasl_setprop(p->conn, SASL_SSF_EXTERNAL, &p->external_ssf);
}

static sasl_interact_t **
prompt_need(struct mail_program *p)
{
	return p->never_prompts ? NULL : &p->prompts;
}

int
mail_program_start(struct mail_program *p, const char *mechanisms)
{
	return sasl_client_start(p->conn, mechanisms, prompt_need(p), &p->out,
	    &p->out_len, &p->mechanism);
}

int
mail_program_start_bare(struct mail_program *p, const char *mechanisms)
{
	return sasl_client_start(
	    p->conn, mechanisms, prompt_need(p), NULL, NULL, &p->mechanism);
}

/* The challenge is gone after the call, and ends with its last byte. */
int
mail_program_step_bytes(
    struct mail_program *p, const char *challenge, unsigned len)
{
	char *copy = len ? malloc(len) : NULL;
	int code;

	if (copy)
		memcpy(copy, challenge, len);
	code = sasl_client_step(p->conn, copy ? copy : challenge, len,
	    prompt_need(p), &p->out, &p->out_len);
	free(copy);
	return code;
}

int
mail_program_step(struct mail_program *p, const char *challenge)
{
	return mail_program_step_bytes(
	    p, challenge, challenge ? (unsigned)strlen(challenge) : 0);
}

void
mail_program_answer_prompts(struct mail_program *p)
{
	for (sasl_interact_t *i = p->prompts; i->id != SASL_CB_LIST_END; i++) {
		const char *name = i->id == SASL_CB_AUTHNAME ? p->authname
				   : i->id == SASL_CB_USER   ? p->user
							     : p->password;
		p->password_asked += i->id == SASL_CB_PASS;
		i->result = name;
		i->len = name ? (unsigned)strlen(name) : 0;
	}
}

const char *
mail_program_pick(struct mail_program *p, const char *mechanisms)
{
	mail_program_connect(p);
	mail_program_start_bare(p, mechanisms);
	return p->mechanism ? p->mechanism : "";
}
