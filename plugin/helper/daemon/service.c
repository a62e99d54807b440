/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "accounts.h"
#include "listening.h"
#include "lockdown.h"
#include "login.h"
#include "network.h"
#include "news.h"
#include "records.h"
#include "requests.h"
#include "socketmap.h"
#include "store_key.h"
#include "unlock.h"

#include "base/log.h"
#include "base/notify.h"
#include "base/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONCE_FD 3
#define ONCE_LOCK_WAIT_S 20

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(*signals))

struct service {
	const struct options *options;
	const struct places *places;
	struct secret_arena *arena;
	struct config *config;
	uv_loop_t loop;
	struct schedule *schedule;
	struct network *network; /* NULL: it cannot be watched */
	struct store *store;
	struct store_key *key;
	struct unlock unlock;
	struct oauth_http *http;
	struct discovery *discovery;
	struct issuers *issuers;
	struct news news;
	struct account_env env;
	struct provider_dirs providers;
	struct accounts *accounts;
	struct logins *logins;
	struct requests requests;
	struct socketmap socketmap;
	struct log_limit refusals;
	struct server *server;
	struct listening listening;
	uv_signal_t signal[SIGNALS];
	uv_poll_t lifeline;
	uv_check_t check; /* after each turn: is it time to go? */
};

struct config_source
service_config_source(const struct options *options,
    const struct places *places, struct secret_arena *arena)
{
	return (struct config_source){
	    .file = options->config_file,
	    .dir = places->config_dir,
	    .providers = {{places->own_providers, places->shipped_providers}},
	    .arena = arena,
	};
}

static enum mt_status
read_config(struct service *s, struct config **ret_config, struct mt_error *err)
{
	struct config_source source =
	    service_config_source(s->options, s->places, s->arena);

	return config_read(&source, ret_config, err);
}

/* ---- starting ---- */

static enum mt_status
open_store(struct service *s, struct mt_error *err)
{
	const char *path = s->options->state_dir;
	enum mt_status status;

	if (!path)
		path = s->config->state_dir;
	if (!path)
		path = s->places->state_dir;
	status = store_open(path, &s->store, err);
	if (status == MT_OK)
		status = store_lock(
		    s->store, s->options->once ? ONCE_LOCK_WAIT_S : 0, err);
	return status;
}

/* The slot of the store key that the settings ask for. */
static struct key_slot
wanted_slot(const struct config *config)
{
	bool passphrase = false;

	if (config->key_passphrase)
		settings_bool(config->key_passphrase, &passphrase);
	if (passphrase)
		return key_slot_new(KEY_SLOT_PASSPHRASE, "");
	if (config->key_credential)
		return key_slot_new(
		    KEY_SLOT_CREDENTIAL, config->key_credential);
	return key_slot_new(
	    KEY_SLOT_FILE, config->key_file ? config->key_file : "");
}

/* Records from before there was a key.  What fails is tried at the next start,
 * and serves meanwhile. */
static void
seal_clear_records(struct service *s)
{
	struct mt_error err = {0};
	enum mt_status status;
	size_t count = 0;

	if (!store_key_is_open(s->key) || !store_key_takes_clear(s->key))
		return;
	status = records_seal_all(s->store, s->arena, &count, &err);
	if (count)
		log_info("logins that lay in clear are sealed now: %zu", count);
	if (status == MT_OK)
		status = store_key_end_clear(s->key, &err);
	if (status != MT_OK)
		log_error("not all logins that lie in clear are sealed: %s",
		    err.text);
}

static void
tell_key(const struct service *s)
{
	if (*store_key_news(s->key))
		log_info("%s", store_key_news(s->key));
	if (!store_key_is_open(s->key))
		log_warning("the logins are locked: run 'mailtoken unlock'");
	else if (store_key_need(s->key) != STORE_KEY_NEEDS_NOTHING)
		log_warning("the logins are not kept by a passphrase yet, as "
			    "the settings want it: run 'mailtoken unlock'");
}

static void
on_unlocked(void *context)
{
	struct service *s = context;

	log_info("the logins are unlocked");
	if (*store_key_news(s->key))
		log_info("%s", store_key_news(s->key));
	seal_clear_records(s);
	news_of_lock(&s->news, false);
	accounts_load_again(s->accounts);
}

static enum mt_status
open_key(struct service *s, struct mt_error *err)
{
	struct key_slot wanted = wanted_slot(s->config);
	enum mt_status status =
	    store_key_open(s->store, &wanted, s->arena, &s->key, err);

	if (status != MT_OK)
		return status;
	unlock_init(&s->unlock, &s->loop, s->arena, s->key, on_unlocked, s);
	tell_key(s);
	seal_clear_records(s);
	return MT_OK;
}

static enum mt_status
open_server(struct service *s, struct mt_error *err)
{
	enum mt_status status = server_new(&s->loop, s->arena, &s->server, err);

	if (status != MT_OK)
		return status;
	s->listening = (struct listening){
	    .options = s->options,
	    .places = s->places,
	    .server = s->server,
	    .tokens = &s->requests.tokens,
	    .admin = &s->requests.admin,
	    .socketmap = &s->socketmap.handler,
	};
	if (s->options->once)
		return server_adopt_connection(
		    s->server, &s->requests.admin, ONCE_FD, err);
	return listening_open(&s->listening, s->config, err);
}

static void
on_changed(void *context, struct account *account)
{
	struct service *s = context;

	if (s->server)
		requests_announce(&s->requests, s->server, account);
}

static void
on_issuer_changed(void *context, struct issuer *issuer, enum issuer_news news)
{
	const struct issuer_view view = issuer_view(issuer);
	struct service *s = context;

	if (news == ISSUER_BACK)
		log_info("%s answers again", issuer_host(issuer));
	else
		log_warning("%s: %u failures in a row; one request at a time "
			    "tries it, the next in %ld s",
		    issuer_host(issuer), view.failures, view.next_trial_s);
	accounts_hear_of_issuer(s->accounts, issuer, news);
}

static void
on_announce(void *context, const struct account *account, const char *event)
{
	struct service *s = context;

	news_of_account(&s->news, account, event);
}

static const char *
on_alarm(void *context)
{
	const struct service *s = context;

	return s->news.hooks ? hooks_alarm(s->news.hooks) : NULL;
}

static void
configure_news(struct service *s)
{
	news_configure(&s->news, s->config);
	s->env.announce_again_s = s->news.again_s;
}

static enum mt_status
open_news(struct service *s, struct mt_error *err)
{
	const char *file = s->options->config_file;
	const struct hook_places places = {
	    .config_file = file,
	    .config_dir = s->places->config_dir,
	    .state_dir = store_path(s->store),
	};
	bool has_name = !file || strncmp(file, "/dev/fd/", 8) != 0;

	if (s->options->once)
		return MT_OK;
	return news_open(
	    &s->news, &s->loop, s->schedule, has_name ? &places : NULL, err);
}

static void
on_network_changed(void *context)
{
	struct service *s = context;

	log_debug("the network changed");
	issuers_network_changed(s->issuers);
	accounts_network_changed(s->accounts);
}

/* Without it an outage lasts until the pause is over, no longer. */
static void
watch_network(struct service *s)
{
	struct mt_error err = {0};

	if (network_new(&s->loop, s->schedule, on_network_changed, s,
		&s->network, &err) != MT_OK)
		log_warning("%s", err.text);
}
static enum mt_status on_reload(void *context, size_t *ret_accounts,
    size_t *ret_left_out, struct mt_error *err);

static enum mt_status
open_accounts(struct service *s, struct mt_error *err)
{
	enum mt_status status = schedule_new(&s->loop, &s->schedule, err);

	if (status == MT_OK)
		status = issuers_new(&s->issuers, err);
	if (status == MT_OK)
		status = open_news(s, err);
	if (status == MT_OK)
		status = oauth_http_new(&s->loop, s->arena, &s->http, err);
	if (status == MT_OK)
		status = discovery_new(s->http, &s->discovery, err);
	if (status != MT_OK)
		return status;
	s->env = (struct account_env){
	    .loop = &s->loop,
	    .schedule = s->schedule,
	    .arena = s->arena,
	    .store = s->store,
	    .http = s->http,
	    .discovery = s->discovery,
	    .issuers = s->issuers,
	    .account_count = s->config->account_count,
	    .changed = on_changed,
	    .issuer_changed = on_issuer_changed,
	    .announce = on_announce,
	    .alarm = on_alarm,
	    .context = s,
	};
	configure_news(s);
	news_of_lock(&s->news, !store_key_is_open(s->key));
	status = accounts_new(&s->env, &s->accounts, err);
	if (status == MT_OK)
		status = accounts_configure(s->accounts, s->config, err);
	if (status == MT_OK)
		watch_network(s);
	if (status == MT_OK)
		status = logins_new(&s->env, &s->logins, err);
	if (status == MT_OK) {
		requests_init(&s->requests, &s->loop, s->arena, s->accounts,
		    s->logins, s->discovery, &s->providers);
		s->requests.unlock = &s->unlock;
		s->requests.refusals = &s->refusals;
		s->requests.token_path = s->listening.token_path;
		s->requests.admin_path = s->listening.admin_path;
		s->requests.reload = on_reload;
		s->requests.reload_context = s;
	}
	if (status == MT_OK)
		socketmap_init(
		    &s->socketmap, s->arena, s->accounts, &s->refusals);
	return status;
}

/* ---- reloading ---- */

static enum mt_status
use_settings(struct service *s, struct mt_error *err)
{
	struct config *config = NULL;
	enum mt_status status = read_config(s, &config, err);

	if (status != MT_OK)
		return status;
	config_free(&s->config);
	s->config = config;
	logins_forget_all(s->logins);
	discovery_forget(s->discovery);
	s->env.account_count = config->account_count;
	configure_news(s);
	status = accounts_configure(s->accounts, config, err);
	if (status == MT_OK)
		status = listening_update(&s->listening, config, err);
	return status;
}

/* Says what came of it, too. */
static enum mt_status
reload(struct service *s, struct mt_error *err)
{
	enum mt_status status;

	notify_reloading();
	status = use_settings(s, err);
	if (status == MT_OK)
		log_info("settings read again");
	else
		log_error("settings not taken over: %s", err->text);
	notify_ready();
	return status;
}

static enum mt_status
on_reload(void *context, size_t *ret_accounts, size_t *ret_left_out,
    struct mt_error *err)
{
	struct service *s = context;
	enum mt_status status;

	if (s->env.stopping)
		return mt_fail(
		    err, MT_RETRY_LATER, "the token helper is stopping");
	status = reload(s, err);
	while (accounts_at(s->accounts, *ret_accounts))
		++*ret_accounts;
	*ret_left_out = s->config->left_out;
	return status;
}

/* ---- ending ---- */

/* No new work; what is under way goes on. */
static void
stop(struct service *s)
{
	if (s->env.stopping)
		return;
	notify_stopping();
	s->env.stopping = true;
	server_close_listeners(s->server, NULL);
}

static void
on_turn(uv_check_t *check)
{
	struct service *s = check->data;

	if (s->options->once && !server_connections(s->server))
		stop(s);
	if (s->env.stopping && !accounts_in_flight(s->accounts) &&
	    !logins_in_flight(s->logins))
		uv_stop(&s->loop);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct service *s = handle->data;
	struct mt_error err = {0};

	if (number == SIGHUP) {
		if (!s->env.stopping)
			reload(s, &err);
		return;
	}
	log_info("stopping on signal %d", number);
	stop(s);
}

static void
on_lifeline(uv_poll_t *poll, int status, int events)
{
	struct service *s = poll->data;
	char ignored[256];
	ssize_t n =
	    status < 0 ? 0 : read(STDIN_FILENO, ignored, sizeof(ignored));

	(void)events;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	log_info("stopping: standard input has ended");
	uv_poll_stop(poll);
	stop(s);
}

static enum mt_status
watch_lifeline(struct service *s, struct mt_error *err)
{
	s->lifeline.data = s;
	if (uv_poll_init(&s->loop, &s->lifeline, STDIN_FILENO))
		return mt_fail(err, MT_USAGE,
		    "--lifeline needs a pipe or socket as standard input");
	uv_poll_start(&s->lifeline, UV_READABLE | UV_DISCONNECT, on_lifeline);
	return MT_OK;
}

static enum mt_status
watch_ends(struct service *s, struct mt_error *err)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signal[i]);
		s->signal[i].data = s;
		uv_signal_start(&s->signal[i], on_signal, signals[i]);
	}
	uv_check_init(&s->loop, &s->check);
	s->check.data = s;
	uv_check_start(&s->check, on_turn);
	return s->options->lifeline ? watch_lifeline(s, err) : MT_OK;
}

static void
lock_down(struct service *s)
{
	struct lockdown plan = {
	    .state_dir = store_path(s->store),
	};

	listening_plan(&s->listening, s->config, &plan);
	lockdown_enter(&plan);
}

enum mt_status
service_new(const struct options *options, const struct places *places,
    struct secret_arena *arena, struct service **ret_service,
    struct mt_error *err)
{
	struct service *s = calloc(1, sizeof(*s));
	enum mt_status status;

	if (!s)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	s->options = options;
	s->places = places;
	s->arena = arena;
	s->providers = service_config_source(options, places, arena).providers;
	uv_loop_init(&s->loop);
	status = read_config(s, &s->config, err);
	if (status == MT_OK)
		status = open_store(s, err);
	if (status == MT_OK)
		status = watch_ends(s, err);
	if (status == MT_OK)
		status = open_key(s, err);
	if (status == MT_OK)
		status = open_accounts(s, err);
	if (status == MT_OK)
		status = open_server(s, err);
	if (status != MT_OK) {
		service_free(&s);
		return status;
	}
	lock_down(s);
	*ret_service = s;
	return MT_OK;
}

void
service_run(struct service *s)
{
	notify_ready();
	uv_run(&s->loop, UV_RUN_DEFAULT);
	accounts_flush(s->accounts);
}

static void
close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void
service_free(struct service **service)
{
	struct service *s = *service;

	if (!s)
		return;
	unlock_end(&s->unlock);
	server_free(&s->server);
	logins_free(&s->logins);
	oauth_http_free(&s->http);
	discovery_free(&s->discovery);
	accounts_free(&s->accounts);
	issuers_free(&s->issuers);
	news_close(&s->news);
	network_free(&s->network);
	schedule_free(&s->schedule);
	/* what is left is part of the service itself */
	uv_walk(&s->loop, close_handle, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	store_free(&s->store);
	store_key_free(&s->key);
	config_free(&s->config);
	free(s);
	*service = NULL;
}
