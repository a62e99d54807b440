/* SPDX-License-Identifier: ISC */
#include "run.h"

#include "base/log.h"
#include "operations.h"
#include "provider_quirks.h"
#include "request_call.h"
#include "requests.h"
#include "resources.h"
#include "service.h"
#include "state/outbox_queue.h"

#include <string.h>
#include <sys/resource.h>

#define PATIENCE_MS 55000 /* the runtime's own ends after a minute */
#define GRACE_MS 5000     /* for what is under way at the end */
#define THREADS 64
#define THREADS_IN_DOUBT 512 /* they wait for servers that may be dead */
#define THREADS_PER_SERVER 16
#define RECONCILE_MS 3600000

struct run {
	const struct run_settings *settings;
	struct service *service;
	bool loaded;
};

/* ---- an account ---- */

static enum mt_status
enter(void *context, const struct watch_visit *visit,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	return operations_enter(
	    account_operations(context), visit, ret_result, ret_report, err);
}

static enum mt_status
visit(void *context, const struct watch_visit *visit,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	return operations_visit(
	    account_operations(context), visit, ret_result, ret_report, err);
}

static int
descriptor(void *context)
{
	return operations_descriptor(account_operations(context));
}

static enum mt_status
listen_to(void *context, bool *ret_news, struct mt_error *err)
{
	return operations_listen(account_operations(context), ret_news, err);
}

static void
leave(void *context)
{
	operations_leave(account_operations(context));
}

static bool
has_token(void *context, const struct token_helper *helper, const char *name)
{
	const struct operations *o = account_operations(context);

	return operations_helper(o) == helper &&
	       strcmp(operations_token_account(o), name) == 0;
}

static void
describe(void *context, struct json_object *status)
{
	operations_describe(account_operations(context), status);
}

static struct watched_account
watched(struct account *account)
{
	const struct config *config =
	    operations_config(account_operations(account));

	return (struct watched_account){
	    .context = account,
	    .name = config->name,
	    .server = operations_server(account_operations(account)),
	    .settings =
		{
		    .poll_ms = config->poll_interval_ms,
		    .renew_ms = provider_renew_ms(config->imap_host),
		    .reconcile_ms = RECONCILE_MS,
		},
	    .enter = enter,
	    .visit = visit,
	    .descriptor = descriptor,
	    .listen = listen_to,
	    .leave = leave,
	    .has_token = has_token,
	    .describe = describe,
	};
}

static void
perform(void *context, const struct request *request,
    struct request_outcome *ret_outcome)
{
	request_call(account_operations(context), request, ret_outcome);
}

static struct requested_account
requested(struct account *account)
{
	const struct config *config =
	    operations_config(account_operations(account));

	return (struct requested_account){
	    .context = account,
	    .agent = config->agent,
	    .is_default = !config->further,
	    .server = operations_server(account_operations(account)),
	    .perform = perform,
	};
}

/* ---- all of them ---- */

static void
start(struct run *run, struct account *account)
{
	const struct watched_account followed = watched(account);
	const struct requested_account asked = requested(account);
	const struct sender_settings *sending =
	    operations_sending(account_operations(account));
	struct mt_error err;

	if (service_add(run->service, &followed, sending, &asked, &err) ==
	    MT_OK)
		account_use(account);
	else
		log_error("account %s: %s", followed.name, err.text);
}

static void
start_ready(struct run *run)
{
	struct account *account = NULL;

	while ((account = accounts_next(run->settings->accounts, account)))
		if (account_is_ready(account))
			start(run, account);
}

static void
end_unwanted(struct run *run)
{
	struct accounts *accounts = run->settings->accounts;
	struct account *account = accounts_next(accounts, NULL), *next;

	for (; account; account = next) {
		next = accounts_next(accounts, account);
		if (account_is_wanted(account))
			continue;
		operations_stop(account_operations(account));
		if (account_is_used(account))
			service_remove(run->service, account);
		else
			accounts_remove(accounts, account);
	}
}

/* Mail of an account that is gone, or has another name now, is sent by nobody,
 * and whoever queued it was told that it would be. */
static void
warn_of_left(void *context, const char *name, size_t count)
{
	const struct run *run = context;
	struct account *account = NULL;

	while ((account = accounts_next(run->settings->accounts, account)))
		if (account_is_wanted(account) &&
		    strcmp(operations_config(account_operations(account))->name,
			name) == 0)
			return;
	log_warning("%zu message%s in the outbox of account %s, which does not "
		    "exist (any more): not sent unless there is an account of "
		    "this name again",
	    count, count == 1 ? "" : "s", *name ? name : "''");
}

static void
check_outbox(struct run *run)
{
	struct mt_error err;

	if (outbox_count_waiting(run->settings->resources->state, warn_of_left,
		run, &err) != MT_OK)
		log_error("%s", err.text);
}

static void
load(void *context, struct service *service)
{
	struct run *run = context;

	run->service = service;
	if (run->loaded)
		accounts_reload(run->settings->accounts);
	run->loaded = true;
	start_ready(run);
	end_unwanted(run);
	check_outbox(run);
}

static void
removed(void *context, void *account)
{
	struct run *run = context;

	accounts_remove(run->settings->accounts, account);
	start_ready(run);
}

/* ---- the rest ---- */

static void
stop(void *context)
{
	const struct run *run = context;
	struct account *account = NULL;

	while ((account = accounts_next(run->settings->accounts, account)))
		operations_stop(account_operations(account));
}

/* Accounts that may come later may need it. */
static struct token_helper *
helper_to_follow(const struct run_settings *settings)
{
	struct token_helper *helper = settings->resources->helper;
	struct account *account = NULL;

	if (settings->config->accounts_dir)
		return helper;
	while ((account = accounts_next(settings->accounts, account)))
		if (operations_helper(account_operations(account)) == helper)
			return helper;
	return NULL;
}

/* A session is a descriptor.  The usual limit of 1,024 is there for programs
 * that use select(2). */
static void
allow_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	/* refused, it serves as many as it can */
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

enum mt_status
run_service(
    const struct run_settings *settings, bool *ret_left, struct mt_error *err)
{
	struct run run = {.settings = settings};
	struct service_settings service = {
	    .control_path = settings->control_path,
	    .shared_path = settings->config->socket,
	    .shared_with = &settings->socket_users,
	    .limits = {THREADS, THREADS_IN_DOUBT, THREADS_PER_SERVER},
	    .patience_ms = PATIENCE_MS,
	    .grace_ms = GRACE_MS,
	    .context = &run,
	    .helpers = {helper_to_follow(settings),
		settings->resources->private_helper},
	    .load = load,
	    .removed = removed,
	    .stop = stop,
	};

	allow_many_files();
	return service_run(&service, ret_left, err);
}
