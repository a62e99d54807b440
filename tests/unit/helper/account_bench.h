/* SPDX-License-Identifier: ISC */
/* An account on a store of its own, without a server: see scripted_http.h. */
#ifndef MT_TEST_ACCOUNT_BENCH_H
#define MT_TEST_ACCOUNT_BENCH_H

#include "account.h"
#include "store_key.h"

struct account_bench {
	char *dir;
	uv_loop_t loop;
	struct account_env env;
	struct store_key *key;
	struct account *account;
	int changes; /* notified */
};

/* cmocka's setup and teardown: *state is the bench. */
int account_bench_setup(void **state);
int account_bench_teardown(void **state);

/* Ends the account and its store as a crash would, and begins them again. */
void account_bench_restart(struct account_bench *bench);

/* Settings with `more` lines behind the usual ones. */
struct account_settings *account_bench_settings(
    struct account_bench *bench, const char *more);

struct account_view account_bench_view(const struct account_bench *bench);

/* Somebody who asks, and what they were told. */
struct bench_asker {
	struct account_waiter waiter;
	bool answered;
	struct mt_error result;
	char token[64];
};

void bench_get(struct account_bench *bench, struct bench_asker *asker);
void bench_refresh(struct account_bench *bench, struct bench_asker *asker);

/* Gives a login to the account; the refresh token is `token`. */
void bench_login(struct account_bench *bench, const char *token);

void bench_seed(struct account_bench *bench, const char *token);

/* Lets the loop run until its timers before `ms` are done. */
void bench_run(struct account_bench *bench, uint64_t ms);

#define TOKENS(access, refresh)                                                \
	"{\"access_token\":\"" access "\",\"refresh_token\":\"" refresh        \
	"\",\"expires_in\":3600}"
#define INVALID_GRANT "{\"error\":\"invalid_grant\"}"

#endif
