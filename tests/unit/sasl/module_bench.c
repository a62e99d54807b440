/* SPDX-License-Identifier: ISC */
#include "module_bench.h"

#include "unit/cmocka_headers.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct helper_rule good_helper[] = {
    {"exists", HELPER_REPLY, FOUND},
    {"get", HELPER_REPLY, GOT},
    {"reject", HELPER_REPLY, "1\tok\n"},
    {0},
};

static size_t
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

size_t
module_bench_descriptors(void)
{
	return count_entries("/proc/self/fd");
}

size_t
module_bench_threads(void)
{
	return count_entries("/proc/self/task");
}

bool
module_bench_is_mapped(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, name) != NULL;
	fclose(f);
	return found;
}

#ifdef __SANITIZE_THREAD__
static void *
end_at_once(void *nothing)
{
	return nothing;
}

/* The sanitizer starts a thread of its own beside the first. */
static void
start_first_thread(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, end_at_once, NULL), 0);
	pthread_join(thread, NULL);
}
#else
static void
start_first_thread(void)
{
}
#endif

struct module_bench *
module_bench_new(const char *module_dir, const char *settings)
{
	static const char template[] = "/tmp/mt-module-XXXXXX";
	struct module_bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->descriptors = module_bench_descriptors();
	start_first_thread();
	b->threads = module_bench_threads();
	b->settings = settings;
	unlink(settings);
	memcpy(b->dir, template, sizeof(template));
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->socket, sizeof(b->socket), "%s/socket", b->dir);
	b->program = (struct mail_program){
	    .module_dir = module_dir,
	    .service = "imap",
	    .host = "mail.example",
	    .authname = "joe@example.org",
	};
	mail_program_syslog_lines();
	return b;
}

void
module_bench_free(struct module_bench **bench)
{
	struct module_bench *b = *bench;

	mail_program_done(&b->program);
	assert_null(strstr(b->program.log, "SECRET"));
	assert_false(module_bench_is_mapped("libmailtoken.so"));
	assert_int_equal(mail_program_syslog_lines(), 0);
	scripted_helper_stop(&b->helper);
	unsetenv("MAILTOKEN_SOCKET");
	unlink(b->settings);
	rmdir(b->dir);
	assert_int_equal(module_bench_descriptors(), b->descriptors);
	/* one that was joined may be listed for a moment; one that stays ends
	 * in ctest's limit of time */
	while (module_bench_threads() > b->threads)
		sched_yield();
	free(b);
	*bench = NULL;
}

void
module_bench_write_settings(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void
module_bench_replace_helper(
    struct module_bench *b, const struct helper_rule *rules, uid_t uid)
{
	scripted_helper_stop(&b->helper);
	if (rules)
		b->helper = scripted_helper_start(b->socket, rules, uid);
}

struct mail_program *
module_bench_begin(struct module_bench *b, const struct helper_rule *rules)
{
	setenv("MAILTOKEN_SOCKET", b->socket, 1);
	module_bench_replace_helper(b, rules, NOBODY);
	assert_true(mail_program_init(&b->program));
	mail_program_connect(&b->program);
	return &b->program;
}
