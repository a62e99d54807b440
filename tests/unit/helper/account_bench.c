/* SPDX-License-Identifier: ISC */
#include "account_bench.h"

#include "scripted_http.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
count_change(void *context, struct account *account)
{
	struct account_bench *bench = context;

	(void)account;
	bench->changes++;
}

struct account_settings *
account_bench_settings(struct account_bench *bench, const char *more)
{
	struct config_source source = {
	    .file = scratch_path(bench->dir, "m.conf")};
	struct config *config = NULL;
	struct account_settings *settings;
	char text[2048];

	snprintf(text, sizeof(text),
	    "[account a]\nuser = u\nclient_id = i\n"
	    "token_endpoint = https://x.test/token\n"
	    "authorization_endpoint = https://x.test/auth\n%s",
	    more);
	scratch_write(bench->dir, "m.conf", text);
	assert_int_equal(chmod(source.file, 0600), 0);
	OK(config_read(&source, &config, &err));
	settings = config->accounts[0];
	config->accounts[0] = NULL;
	config_free(&config);
	return settings;
}

static void
begin(struct account_bench *bench)
{
	const struct key_slot slot = key_slot_new(KEY_SLOT_FILE, "");
	struct account_settings *settings =
	    account_bench_settings(bench, "scope = mail\n");

	OK(schedule_new(&bench->loop, &bench->env.schedule, &err));
	OK(issuers_new(&bench->env.issuers, &err));
	OK(store_open(
	    scratch_path(bench->dir, "state"), &bench->env.store, &err));
	OK(store_key_open(bench->env.store, &slot, NULL, &bench->key, &err));
	OK(account_new(&bench->env, &settings, &bench->account, &err));
}

static void
end(struct account_bench *bench)
{
	account_free(&bench->account);
	issuers_free(&bench->env.issuers);
	schedule_free(&bench->env.schedule);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	store_free(&bench->env.store);
	store_key_free(&bench->key);
}

int
account_bench_setup(void **state)
{
	struct account_bench *bench = calloc(1, sizeof(*bench));
	void *dir = NULL;

	if (!bench || scratch_setup(&dir))
		return -1;
	bench->dir = dir;
	scripted_http_reset();
	uv_loop_init(&bench->loop);
	bench->env = (struct account_env){.loop = &bench->loop,
	    .account_count = 1,
	    .changed = count_change,
	    .context = bench};
	begin(bench);
	*state = bench;
	return 0;
}

int
account_bench_teardown(void **state)
{
	struct account_bench *bench = *state;
	void *dir = bench->dir;
	int result;

	end(bench);
	result = uv_loop_close(&bench->loop);
	free(bench);
	return scratch_teardown(&dir) || result;
}

void
account_bench_restart(struct account_bench *bench)
{
	end(bench);
	scripted_http_reset();
	begin(bench);
}

struct account_view
account_bench_view(const struct account_bench *bench)
{
	struct account_view view;

	account_view(bench->account, &view);
	return view;
}

static void
take_answer(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	struct bench_asker *asker = (struct bench_asker *)waiter;

	assert_false(asker->answered);
	asker->answered = true;
	asker->result = *result;
	snprintf(asker->token, sizeof(asker->token), "%s",
	    result->status == MT_OK ? secret_expose(account_token(account))
				    : "");
}

void
bench_get(struct account_bench *bench, struct bench_asker *asker)
{
	*asker = (struct bench_asker){.waiter.answer = take_answer};
	account_get(bench->account, &asker->waiter, 0, 20000);
}

void
bench_refresh(struct account_bench *bench, struct bench_asker *asker)
{
	*asker = (struct bench_asker){.waiter.answer = take_answer};
	account_refresh(bench->account, &asker->waiter, 20000);
}

static void
set(struct secret *secret, const char *text)
{
	secret_add(secret, text, strlen(text));
}

void
bench_login(struct account_bench *bench, const char *token)
{
	struct oauth_tokens tokens;

	oauth_tokens_init(&tokens, NULL);
	set(&tokens.access_token, "login-access");
	set(&tokens.refresh_token, token);
	tokens.expires_in_s = 3600;
	OK(account_take_login(bench->account, &tokens, "", &err));
	oauth_tokens_done(&tokens);
}

void
bench_seed(struct account_bench *bench, const char *token)
{
	struct secret seed;

	secret_init(&seed, NULL);
	set(&seed, token);
	OK(account_seed(bench->account, &seed, false, &err));
	secret_done(&seed);
}

static void
stop(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

void
bench_run(struct account_bench *bench, uint64_t ms)
{
	uv_timer_t timer;

	uv_timer_init(&bench->loop, &timer);
	uv_update_time(&bench->loop); /* the disk took its time */
	uv_timer_start(&timer, stop, ms, 0);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&bench->loop, UV_RUN_NOWAIT);
}
