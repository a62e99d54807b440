/* SPDX-License-Identifier: ISC */
#include "requests_impl.h"

#include "fd_reader.h"

#include <string.h>

static struct asker *
asker_of(struct requests *requests, struct connection *connection)
{
	struct asker *asker = server_data(connection);

	asker->requests = requests;
	asker->connection = connection;
	return asker;
}

/* ---- events ---- */

struct announcement {
	struct requests *requests;
	struct account *account;
};

static void
announce_to(void *context, struct connection *connection)
{
	const struct announcement *news = context;

	asker_send_event(asker_of(news->requests, connection), news->account);
}

void
requests_announce(
    struct requests *requests, struct server *server, struct account *account)
{
	struct announcement news = {requests, account};

	server_each(server, &requests->tokens, announce_to, &news);
	server_each(server, &requests->admin, announce_to, &news);
}

/* ---- the table ---- */

/* What changes something or reaches for a login has no business where every
 * mail program gets. */
enum place {
	ANYWHERE,
	ADMIN, /* at the administration socket only */
};

static const struct verb {
	const char *word;
	request_handler *handle;
	enum place place;
} verbs[] = {
    {"exists", request_exists, ANYWHERE},
    {"get", request_get, ANYWHERE},
    {"reject", request_reject, ANYWHERE},
    {"subscribe", request_subscribe, ANYWHERE},
    {"status", request_status, ANYWHERE},
    {"refresh", request_refresh, ADMIN},
    {"login-begin", request_login_begin, ADMIN},
    {"login-finish", request_login_finish, ADMIN},
    {"login-wait", request_login_wait, ADMIN},
    {"login-cancel", request_login_cancel, ADMIN},
    {"seed", request_seed, ADMIN},
    {"logout", request_logout, ADMIN},
    {"providers", request_providers, ANYWHERE},
    {"unlock", request_unlock, ADMIN},
    {"reload", request_reload, ADMIN},
};

static void
refuse_frame(struct asker *asker)
{
	struct secret frame;

	asker_begin_reply(asker, &frame, token_wire_status_word(MT_BAD_INPUT));
	token_wire_add(&frame, "text",
	    "the request is not a frame of version 1 of the protocol");
	connection_reply_last(
	    asker->connection, &frame, token_wire_end(&frame));
	secret_done(&frame);
}

/* The same for everybody: nobody learns here what they may. */
static void
refuse_place(struct asker *asker)
{
	const char *path = asker->requests->admin_path;
	struct mt_error error;
	struct secret frame;

	if (!*path) {
		asker_reply_error(asker, MT_BAD_CONFIG,
		    "this is answered at an administration socket only, and "
		    "the token helper has none; set admin_socket");
		return;
	}
	mt_fail(&error, MT_NO_ACCOUNT,
	    "this is answered at the administration socket only: %s", path);
	asker_begin_reply(asker, &frame, token_wire_status_word(error.status));
	token_wire_add(&frame, "text", error.text);
	token_wire_add(&frame, "admin_socket", path);
	asker_send_reply(asker, &frame);
}

static const struct verb *
find_verb(const char *word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].word, word) == 0)
			return &verbs[i];
	return NULL;
}

static void
answer(struct asker *asker, char *frame, size_t len)
{
	struct token_wire_message message;
	const struct verb *verb;

	if (!token_wire_parse(frame, len, &message)) {
		refuse_frame(asker);
		return;
	}
	asker->service = BY_NAME;
	asker->host[0] = '\0';
	asker->use = PERMIT_COUNT;
	verb = find_verb(message.verb);
	if (!verb)
		asker_reply_error(
		    asker, MT_BAD_INPUT, "there is no such request");
	else if (verb->place == ADMIN && !asker->administers)
		refuse_place(asker);
	else
		verb->handle(asker, &message);
}

static void
on_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	answer(asker_of(context, connection), frame, len);
}

static void
on_admin_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	struct asker *asker = asker_of(context, connection);

	asker->administers = true;
	answer(asker, frame, len);
}

/* A frame is a line. */
static size_t
cut_line(
    const struct secret *begun, const char *data, size_t len, bool *ret_whole)
{
	const char *end = memchr(data, '\n', len);

	(void)begun;
	*ret_whole = end;
	return end ? (size_t)(end + 1 - data) : len;
}

/* Who leaves stops waiting; what was begun goes on. */
static void
on_closed(void *context, struct connection *connection)
{
	struct asker *asker = asker_of(context, connection);

	account_leave(&asker->token);
	login_leave(&asker->login);
	unlock_leave(&asker->unlock);
	fd_reader_cancel(&asker->reader);
	discovery_leave(&asker->discovery);
}

void
requests_init(struct requests *requests, uv_loop_t *loop,
    struct secret_arena *arena, struct accounts *accounts,
    struct logins *logins, struct discovery *discovery,
    const struct provider_dirs *providers)
{
	*requests = (struct requests){
	    .loop = loop,
	    .arena = arena,
	    .accounts = accounts,
	    .logins = logins,
	    .discovery = discovery,
	    .providers = providers,
	};
	requests->tokens = (struct server_handler){
	    .cut = cut_line,
	    .request = on_request,
	    .closed = on_closed,
	    .context = requests,
	    .data_size = sizeof(struct asker),
	};
	requests->admin = requests->tokens;
	requests->admin.request = on_admin_request;
}
