/* SPDX-License-Identifier: ISC */
#include "mail/sasl_session.h"

#include <pthread.h>
#include <sasl/sasl.h>
#include <sasl/saslutil.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "mail/mechanism.h"

#define CHALLENGE_MAX 12288  /* base64, RFC 4954 section 4 */
#define RESPONSE_MAX 32768   /* bytes, before base64 */
#define SERVER_ERROR_MAX 200 /* bytes of it in an error text */
#define TLS_STRENGTH 256     /* what we call TLS in libsasl2's terms (SSF) */

/* libsasl2 declares every callback as int (*)(void). */
#define CALLBACK(function) ((int (*)(void))(void (*)(void))(function))

struct sasl_library {
	sasl_callback_t callbacks[3];
	const char *mailtoken_socket;
};

struct sasl_session {
	const struct mail_server *server;
	const char *mechanism;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[5];
	sasl_secret_t *password;
	int code; /* of the last step: SASL_OK once the mechanism is through */
	struct buf server_error;
};

static void *
mutex_new(void)
{
	pthread_mutex_t *mutex = malloc(sizeof(*mutex));

	if (mutex)
		pthread_mutex_init(mutex, NULL);
	return mutex;
}

static int
mutex_lock(void *mutex)
{
	return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int
mutex_unlock(void *mutex)
{
	return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void
mutex_free(void *mutex)
{
	if (!mutex)
		return;
	pthread_mutex_destroy(mutex);
	free(mutex);
}

/* Without it libsasl2 writes to syslog; what matters is in sasl_errdetail. */
static int
log_nothing(void *context, int level, const char *message)
{
	(void)context;
	(void)level;
	(void)message;
	return SASL_OK;
}

static int
answer_option(const char *socket, const char *option, const char **ret_value,
    unsigned *ret_len)
{
	if (!socket || strcmp(option, "mailtoken_socket") != 0)
		return SASL_FAIL;
	*ret_value = socket;
	if (ret_len)
		*ret_len = (unsigned)strlen(socket);
	return SASL_OK;
}

static int
get_option(void *context, const char *plugin, const char *option,
    const char **ret_value, unsigned *ret_len)
{
	const struct sasl_library *library = context;

	(void)plugin;
	return answer_option(
	    library->mailtoken_socket, option, ret_value, ret_len);
}

enum mt_status
sasl_library_open(struct sasl_library **ret_library,
    const char *mailtoken_socket, struct mt_error *err)
{
	struct sasl_library *library = calloc(1, sizeof(*library));
	int code;

	if (!library)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	library->mailtoken_socket = mailtoken_socket;
	library->callbacks[0] =
	    (sasl_callback_t){SASL_CB_LOG, CALLBACK(log_nothing), NULL};
	library->callbacks[1] =
	    (sasl_callback_t){SASL_CB_GETOPT, CALLBACK(get_option), library};
	library->callbacks[2] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	code = sasl_client_init(library->callbacks);
	if (code != SASL_OK) {
		free(library);
		return mt_fail(err, MT_BAD_CONFIG,
		    "cannot initialise libsasl2: %s",
		    sasl_errstring(code, NULL, NULL));
	}
	*ret_library = library;
	return MT_OK;
}

void
sasl_library_close(struct sasl_library **library)
{
	if (!*library)
		return;
	sasl_client_done();
	free(*library);
	*library = NULL;
}

/* Answers both for the authentication and the authorization identity. */
static int
get_name(void *context, int id, const char **ret_name, unsigned *ret_len)
{
	const struct mail_server *server =
	    ((const struct sasl_session *)context)->server;

	if (id == SASL_CB_AUTHNAME)
		*ret_name = server->authentication_id;
	else if (id == SASL_CB_USER)
		*ret_name =
		    server->authorization_id ? server->authorization_id : "";
	else
		return SASL_BADPARAM;
	if (ret_len)
		*ret_len = (unsigned)strlen(*ret_name);
	return SASL_OK;
}

static int
get_password(
    sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret_password)
{
	struct sasl_session *session = context;

	(void)conn;
	if (id != SASL_CB_PASS)
		return SASL_BADPARAM;
	*ret_password = session->password;
	return SASL_OK;
}

/* Asked before the library's own; what it does not know, that answers. */
static int
get_session_option(void *context, const char *plugin, const char *option,
    const char **ret_value, unsigned *ret_len)
{
	const struct sasl_session *session = context;

	(void)plugin;
	return answer_option(
	    session->server->token_socket, option, ret_value, ret_len);
}

static bool
copy_password(struct sasl_session *session)
{
	const struct secret *password = session->server->password;

	if (!password)
		return true;
	session->password = malloc(sizeof(sasl_secret_t) + password->len);
	if (!session->password)
		return false;
	session->password->len = password->len;
	memcpy(session->password->data, secret_expose(password),
	    password->len + 1);
	return true;
}

static void
set_callbacks(struct sasl_session *session)
{
	sasl_callback_t *callback = session->callbacks;

	*callback++ =
	    (sasl_callback_t){SASL_CB_AUTHNAME, CALLBACK(get_name), session};
	*callback++ =
	    (sasl_callback_t){SASL_CB_USER, CALLBACK(get_name), session};
	*callback++ = (sasl_callback_t){
	    SASL_CB_GETOPT, CALLBACK(get_session_option), session};
	if (session->password)
		*callback++ = (sasl_callback_t){
		    SASL_CB_PASS, CALLBACK(get_password), session};
	*callback = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

/*
 * TLS protects the connection, so no layer of SASL's own; and never a mechanism
 * that proves nothing.
 */
static int
set_properties(sasl_conn_t *conn, bool tls)
{
	const sasl_security_properties_t properties = {
	    .max_ssf = 0, .security_flags = SASL_SEC_NOANONYMOUS};
	const sasl_ssf_t external = tls ? TLS_STRENGTH : 0;
	int code = sasl_setprop(conn, SASL_SEC_PROPS, &properties);

	if (code == SASL_OK)
		code = sasl_setprop(conn, SASL_SSF_EXTERNAL, &external);
	return code;
}

/* An identity to act as may not be lost in a mechanism that cannot carry it. */
static unsigned
needed(const struct mail_server *server)
{
	return server->authorization_id && *server->authorization_id &&
		       strcmp(server->authorization_id,
			   server->authentication_id) != 0
		   ? SASL_NEED_PROXY
		   : 0;
}

enum mt_status
sasl_session_new(struct sasl_session **ret_session, const char *service,
    const struct mail_server *server, const char *mechanism, bool tls,
    struct mt_error *err)
{
	struct sasl_session *session = calloc(1, sizeof(*session));
	int code;

	if (!session)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	session->server = server;
	session->mechanism = mechanism;
	session->code = SASL_CONTINUE;
	session->server_error = (struct buf)BUF_INIT(SERVER_ERROR_MAX);
	code = copy_password(session) ? SASL_OK : SASL_NOMEM;
	set_callbacks(session);
	if (code == SASL_OK)
		code = sasl_client_new(service, server->host, NULL, NULL,
		    session->callbacks, needed(server), &session->conn);
	if (code == SASL_OK)
		code = set_properties(session->conn, tls);
	if (code != SASL_OK) {
		sasl_session_free(&session);
		return mt_fail(err, MT_NO_MEMORY, "cannot start SASL: %s",
		    sasl_errstring(code, NULL, NULL));
	}
	*ret_session = session;
	return MT_OK;
}

void
sasl_session_free(struct sasl_session **session)
{
	struct sasl_session *s = *session;

	if (!s)
		return;
	if (s->conn)
		sasl_dispose(&s->conn);
	if (s->password) {
		explicit_bzero(s->password->data, s->password->len);
		free(s->password);
	}
	buf_done(&s->server_error);
	free(s);
	*session = NULL;
}

/* Is there a module for this mechanism? */
static bool
is_installed(const char *mechanism)
{
	const char **installed = sasl_global_listmech();

	for (; installed && *installed; installed++)
		if (strcasecmp(*installed, mechanism) == 0)
			return true;
	return false;
}

/* The text behind "SASL(-4): no mechanism available: ". */
static const char *
detail(struct sasl_session *session, int code)
{
	const char *text = sasl_errdetail(session->conn);
	const char *general = sasl_errstring(code, NULL, NULL);
	const char *found;

	if (!text)
		return general;
	found = strstr(text, general);
	if (!found)
		return text;
	found += strlen(general);
	found += strspn(found, ": ");
	return *found ? found : general;
}

/*
 * The opposite of what the SASL module of this project does with a status.  It
 * has one code for a helper that is not there and for one that says "later".
 */
static enum mt_status
status_of(int code)
{
	switch (code) {
	case SASL_NOMECH:
		return MT_NO_ACCOUNT;
	case SASL_EXPIRED:
	case SASL_BADAUTH:
		return MT_NEEDS_LOGIN;
	case SASL_NOAUTHZ:
	case SASL_DISABLED:
		return MT_NEEDS_ADMIN;
	case SASL_CONFIGERR:
	case SASL_TOOWEAK:
	case SASL_ENCRYPT:
	case SASL_BADPARAM:
		return MT_BAD_CONFIG;
	case SASL_NOMEM:
		return MT_NO_MEMORY;
	default:
		return MT_RETRY_LATER;
	}
}

static enum mt_status
start_failed(struct sasl_session *session, int code, struct mt_error *err)
{
	const char *mechanism = session->mechanism;

	if (code == SASL_NOMECH && !is_installed(mechanism))
		return mt_fail(err, MT_BAD_CONFIG,
		    "no SASL module for %s is installed; install %s", mechanism,
		    mechanism_package(mechanism));
	if (code == SASL_NOMECH && !session->password &&
	    !mechanism_is_oauth(mechanism))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s needs a password and there is none", mechanism);
	if (code == SASL_NOMECH && needed(session->server))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s cannot log in as another user (%s): %s", mechanism,
		    session->server->authorization_id, detail(session, code));
	if (code == SASL_UNAVAIL &&
	    strstr(detail(session, code), "token helper"))
		return mt_fail(
		    err, MT_UNREACHABLE, "%s", detail(session, code));
	return mt_fail(err, status_of(code), "%s", detail(session, code));
}

static enum mt_status
encode(struct secret *response, const char *data, unsigned len,
    struct mt_error *err)
{
	unsigned size = (len + 2) / 3 * 4 + 1, used = 0;
	char *text;

	secret_reset(response);
	if (len > RESPONSE_MAX)
		return mt_fail(err, MT_RETRY_LATER,
		    "the SASL response is too long (%u bytes)", len);
	text = malloc(size);
	if (!text)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	if (len && sasl_encode64(data, len, text, size, &used) != SASL_OK)
		used = 0;
	secret_add(response, text, used);
	explicit_bzero(text, size);
	free(text);
	return secret_ok(response)
		   ? MT_OK
		   : mt_fail(err, MT_NO_MEMORY, "out of memory");
}

enum mt_status
sasl_session_start(struct sasl_session *session, bool *ret_has_response,
    struct secret *response, struct mt_error *err)
{
	const char *out = NULL, *chosen = NULL;
	unsigned len = 0;
	enum mt_status status;
	int code = sasl_client_start(
	    session->conn, session->mechanism, NULL, &out, &len, &chosen);

	if (code != SASL_OK && code != SASL_CONTINUE)
		return start_failed(session, code, err);
	session->code = code;
	status = encode(response, out, out ? len : 0, err);
	if (status == MT_OK)
		*ret_has_response = out != NULL;
	return status;
}

/* The decoded challenge, NUL-terminated, to free; NULL if it is none. */
static char *
decode(const char *challenge, unsigned *ret_len)
{
	size_t len = strlen(challenge);
	char *data;

	if (len > CHALLENGE_MAX)
		return NULL;
	data = malloc(len + 1);
	*ret_len = 0;
	if (data && len &&
	    sasl_decode64(challenge, (unsigned)len, data, (unsigned)len + 1,
		ret_len) != SASL_OK) {
		free(data);
		return NULL;
	}
	if (data)
		data[*ret_len] = '\0';
	return data;
}

static void
keep_server_error(struct sasl_session *session, const char *data, unsigned len)
{
	if (!mechanism_is_oauth(session->mechanism) || !len || data[0] != '{')
		return;
	buf_reset(&session->server_error);
	buf_add_printable(&session->server_error, data, len, SERVER_ERROR_MAX);
}

/* A mechanism that will not go on: because the server has said no, or because
 * the server could not prove that it knows the password. */
static enum mt_status
step_failed(struct sasl_session *session, int code, struct mt_error *err)
{
	enum mt_status status = status_of(code);

	if (code == SASL_BADAUTH && !session->server_error.len)
		status = MT_RETRY_LATER;
	return mt_fail(err, status, "%s failed: %s", session->mechanism,
	    detail(session, code));
}

enum mt_status
sasl_session_step(struct sasl_session *session, const char *challenge,
    struct secret *response, struct mt_error *err)
{
	const char *out = NULL;
	unsigned in_len = 0, out_len = 0;
	char *in = decode(challenge, &in_len);
	enum mt_status status;
	int code;

	if (!in)
		return mt_fail(err, MT_RETRY_LATER,
		    "the server sent a challenge that is not base64, or too "
		    "long");
	keep_server_error(session, in, in_len);
	code =
	    sasl_client_step(session->conn, in, in_len, NULL, &out, &out_len);
	if (code == SASL_OK || code == SASL_CONTINUE) {
		session->code = code;
		status = encode(response, out, out ? out_len : 0, err);
	} else {
		status = step_failed(session, code, err);
	}
	free(in);
	return status;
}

enum mt_status
sasl_session_finish(struct sasl_session *session, struct mt_error *err)
{
	const char *out = NULL;
	unsigned len = 0;

	/* A mechanism that waits for a verdict learns it from an empty step. */
	if (session->code == SASL_CONTINUE)
		session->code =
		    sasl_client_step(session->conn, NULL, 0, NULL, &out, &len);
	if (session->code == SASL_OK && !len)
		return MT_OK;
	session->code = SASL_FAIL;
	return mt_fail(err, MT_RETRY_LATER,
	    "the server reports success before %s is finished, so it has not "
	    "proven that it is the right one",
	    session->mechanism);
}

const char *
sasl_session_server_error(const struct sasl_session *session)
{
	return buf_text(&session->server_error);
}
