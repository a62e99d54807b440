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

	server_each(server, &requests->handler, announce_to, &news);
}

/* ---- the table ---- */

static const struct {
	const char *verb;
	request_handler *handle;
} verbs[] = {
    {"exists", request_exists},
    {"get", request_get},
    {"reject", request_reject},
    {"subscribe", request_subscribe},
    {"status", request_status},
    {"refresh", request_refresh},
    {"login-begin", request_login_begin},
    {"login-finish", request_login_finish},
    {"login-wait", request_login_wait},
    {"login-cancel", request_login_cancel},
    {"seed", request_seed},
    {"logout", request_logout},
    {"providers", request_providers},
    {"unlock", request_unlock},
    {"reload", request_reload},
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

static void
on_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	struct asker *asker = asker_of(context, connection);
	struct token_wire_message message;

	if (!token_wire_parse(frame, len, &message)) {
		refuse_frame(asker);
		return;
	}
	asker->service = BY_NAME;
	asker->host[0] = '\0';
	asker->use = PERMIT_COUNT;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].verb, message.verb) == 0) {
			verbs[i].handle(asker, &message);
			return;
		}
	}
	asker_reply_error(asker, MT_BAD_INPUT, "there is no such request");
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
	    .handler =
		{
		    .cut = cut_line,
		    .request = on_request,
		    .closed = on_closed,
		    .context = requests,
		    .data_size = sizeof(struct asker),
		},
	};
}
