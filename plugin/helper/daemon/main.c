/* SPDX-License-Identifier: ISC */
/*
 * mailtokend: the only holder of refresh tokens and client secrets.  Answers
 * docs/protocol.md on Unix sockets, speaks OAuth with the servers.
 */
#include "options.h"
#include "service.h"

#include "base/log.h"
#include "base/secret.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ARENA_BYTES (8UL * 1024 * 1024)

/* Before anything secret is read. */
static void
lock_down(void)
{
	struct rlimit files;

	secret_protect_process();
	umask(S_IWGRP | S_IWOTH);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full disk is an error to handle */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static enum mt_status
check_config(const struct options *options, const struct places *places,
    struct secret_arena *arena, struct mt_error *err)
{
	struct config_source source =
	    service_config_source(options, places, arena);
	struct config *config = NULL;
	enum mt_status status = config_read(&source, &config, err);

	if (status == MT_OK && config->left_out)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "accounts: %zu; files that are left out: %zu",
		    config->account_count, config->left_out);
	else if (status == MT_OK)
		printf("accounts: %zu, settings are good\n",
		    config->account_count);
	config_free(&config);
	return status;
}

static enum mt_status
serve(const struct options *options, const struct places *places,
    struct secret_arena *arena, struct mt_error *err)
{
	struct service *service = NULL;
	enum mt_status status =
	    service_new(options, places, arena, &service, err);

	if (status == MT_OK)
		service_run(service);
	service_free(&service);
	return status;
}

static enum mt_status
run(const struct options *options, struct mt_error *err)
{
	bool locked = false;
	struct secret_arena *arena = secret_arena_new(ARENA_BYTES, &locked);
	struct places places;
	enum mt_status status;

	if (!arena)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	if (!locked)
		log_warning("secrets are kept out of dumps, but could not be "
			    "locked in memory: RLIMIT_MEMLOCK is below 8 MiB");
	status = places_find(&places, err);
	if (status == MT_OK && options->check)
		status = check_config(options, &places, arena, err);
	else if (status == MT_OK)
		status = serve(options, &places, arena, err);
	secret_arena_free(&arena);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	struct mt_error err = {0};
	enum mt_status status = options_parse(&options, argc, argv, &err);

	log_init("mailtokend", options.verbose);
	if (options.once && !options.verbose)
		log_errors_only();
	if (status == MT_OK && options.help) {
		fputs(options_usage, stdout);
		return mt_exit_code(MT_OK);
	}
	if (status == MT_OK && options.version) {
		puts("mailtokend " MT_VERSION);
		return mt_exit_code(MT_OK);
	}
	if (status == MT_OK) {
		lock_down();
		status = run(&options, &err);
	}
	if (status != MT_OK)
		log_error("%s", err.text);
	if (status == MT_USAGE)
		fputs(options_usage, stderr);
	return mt_exit_code(status);
}
