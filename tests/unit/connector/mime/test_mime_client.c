/* SPDX-License-Identifier: ISC */
#include "mime/mime_client.h"

#include "base/fs.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 60000

static int
message_fd(const char *raw, size_t len)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, raw, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static enum mt_status
parse_within(struct mime_client *client, const char *dir, const char *raw,
    size_t len, int64_t ms, struct mime_message *ret_message,
    struct mt_error *err)
{
	int raw_fd = message_fd(raw, len);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum mt_status status = mime_client_parse(client, raw_fd, dir_fd,
	    &mime_limits_default, ret_message, deadline_in_ms(ms), err);

	close(raw_fd);
	close(dir_fd);
	return status;
}

static struct mime_message
parse(struct mime_client *client, const char *dir, const char *raw)
{
	struct mime_message m;

	OK(parse_within(client, dir, raw, strlen(raw), LONG_MS, &m, &err));
	return m;
}

/* The only child of this process. */
static pid_t
worker_pid(void)
{
	char path[64], line[64] = "";
	int fd;

	snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	return (pid_t)strtol(line, NULL, 10);
}

static void
assert_works(struct mime_client *client, const char *dir)
{
	struct mime_message m = parse(client, dir, "Subject: fine\n\nbody");

	assert_true(m.parsed);
	assert_string_equal(m.subject, "fine");
	assert_string_equal(m.body_text, "body");
	assert_int_equal(m.defect_count, 0);
	mime_message_done(&m);
}

static void
one_worker_serves_many_messages(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	pid_t first;

	assert_works(client, *state);
	first = worker_pid();
	assert_works(client, *state);
	assert_int_equal(worker_pid(), first);
	mime_client_free(&client);
	assert_null(client);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	mime_client_free(&client);
}

static void
worker_is_replaced_after_a_thousand_messages(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	pid_t first;

	assert_works(client, *state);
	first = worker_pid();
	for (int i = 1; i < 1000; i++)
		assert_works(client, *state);
	assert_int_equal(worker_pid(), first);
	assert_works(client, *state);
	assert_int_not_equal(worker_pid(), first);
	mime_client_free(&client);
}

static void
message_is_read_from_its_start(void **state)
{
	static const char raw[] = "Subject: x\n\n";
	struct mime_client *client = mime_client_new(MIME_WORKER);
	int raw_fd = message_fd(raw, strlen(raw));
	int dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct mime_message m;

	assert_int_equal(lseek(raw_fd, 5, SEEK_SET), 5);
	OK(mime_client_parse(client, raw_fd, dir_fd, &mime_limits_default, &m,
	    deadline_in_ms(LONG_MS), &err));
	assert_string_equal(m.subject, "x");
	mime_message_done(&m);
	close(raw_fd);
	close(dir_fd);
	mime_client_free(&client);
}

/* The bad worker dies at the first attempt on this message: had the idle one's
 * death counted as that, there would be none left. */
static void
worker_that_died_idle_costs_no_attempt(void **state)
{
	struct mime_client *client = mime_client_new(BAD_WORKER);
	struct mime_message m = parse(client, *state, "whole");
	siginfo_t info;

	scratch_remove(*state, m.attachments[0].file_name);
	mime_message_done(&m);
	kill(worker_pid(), SIGKILL);
	/* until it has ended; the client still has to see to its body */
	assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
	m = parse(client, *state, "kill once");
	assert_true(m.parsed);
	mime_message_done(&m);
	mime_client_free(&client);
}

static void
stopped_worker_costs_one_retry(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	struct mime_message m;
	pid_t first;

	assert_works(client, *state);
	first = worker_pid();
	kill(first, SIGSTOP);
	OK(parse_within(client, *state, "Subject: x\n\n", 12, 4000, &m, &err));
	assert_true(m.parsed);
	assert_string_equal(m.subject, "x");
	mime_message_done(&m);
	assert_int_not_equal(worker_pid(), first);
	mime_client_free(&client);
}

/* GMime copies the charset of an RFC 2231 parameter to the stack. */
static void
message_that_crashes_gmime_is_unparsed(void **state)
{
	static const char before[] =
	    "Subject: x\nContent-Disposition: attachment; filename*=";
	const size_t len = 1200000; /* more than the worker has stack */
	struct rlimit usual, small;
	struct mime_client *client;
	struct mime_message m;
	char *raw = malloc(len);

	/* with the usual stack GMime takes its time to get there */
	assert_int_equal(getrlimit(RLIMIT_STACK, &usual), 0);
	small = (struct rlimit){1 << 20, usual.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_STACK, &small), 0);
	client = mime_client_new(MIME_WORKER);
	assert_non_null(raw);
	memset(raw, 'x', len);
	memcpy(raw, before, strlen(before));
	memcpy(raw + len - 6, "''x\n\nx", 6);
	OK(parse_within(client, *state, raw, len, LONG_MS, &m, &err));
	free(raw);
	assert_false(m.parsed);
	assert_int_equal(m.defect_count, 1);
	assert_non_null(strstr(m.defects[0], "crashed twice"));
	assert_string_equal(m.subject, "");
	assert_int_equal(m.attachment_count, 0);
	mime_message_done(&m);
	assert_int_equal(scratch_count(*state, "."), 0);
	assert_works(client, *state);
	mime_client_free(&client);
	assert_int_equal(setrlimit(RLIMIT_STACK, &usual), 0);
}

/* What the lock-down refuses is an unknown charset, not the worker's end. */
static void
charset_from_a_file_is_unknown(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	struct mime_message m = parse(client, *state,
	    "Content-Type: text/plain; charset=EBCDIC-US\n\n\xc1");

	assert_true(m.parsed);
	assert_string_equal(m.body_text, "\xef\xbf\xbd");
	assert_string_equal(
	    m.defects[0], "part 1 is in the unknown charset EBCDIC-US");
	mime_message_done(&m);
	mime_client_free(&client);
}

static void
charsets_of_mail_are_known_in_the_worker(void **state)
{
	static const char *const names[] = {"iso-8859-1", "windows-1251",
	    "koi8-r", "gb2312", "gbk", "gb18030", "big5", "shift_jis",
	    "iso-2022-jp", "euc-jp", "euc-kr", "ks_c_5601-1987", "iso-2022-kr",
	    "windows-1255", "utf-7", "utf-16", "tis-620", "macintosh"};
	struct mime_client *client = mime_client_new(MIME_WORKER);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char raw[100];
		struct mime_message m;

		snprintf(raw, sizeof(raw),
		    "Content-Type: text/plain; charset=%s\n\n", names[i]);
		m = parse(client, *state, raw);
		if (m.defect_count)
			fail_msg("%s: %s", names[i], m.defects[0]);
		mime_message_done(&m);
	}
	mime_client_free(&client);
}

/* 0 to 2 are /dev/null, 3 is the socket, the fifth is the message. */
static void
worker_inherits_nothing(void **state)
{
	struct mime_client *client = mime_client_new(BAD_WORKER);
	int leaked = fcntl(STDERR_FILENO, F_DUPFD, 50); /* not close-on-exec */
	struct mime_message m;

	setenv("SECRET_OF_THE_TEST", "1", 1);
	m = parse(client, *state, "describe");
	assert_string_equal(m.subject, "0 variables, 5 descriptors");
	mime_message_done(&m);
	close(leaked);
	unsetenv("SECRET_OF_THE_TEST");
	mime_client_free(&client);
}

static void
worker_is_locked_down(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	char path[64], status[8192] = "";
	int fd;

	assert_works(client, *state);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)worker_pid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, status, sizeof(status) - 1) > 0);
	close(fd);
	assert_non_null(strstr(status, "NoNewPrivs:\t1"));
	assert_non_null(strstr(status, "Seccomp:\t2"));
	mime_client_free(&client);
}

static void
missing_or_wrong_worker_is_tried_again_later(void **state)
{
	static const char *const paths[] = {
	    "/nonexistent/worker", "/bin/true", "/"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct mime_client *client = mime_client_new(paths[i]);
		struct mime_message m;
		struct mt_error err;

		assert_int_equal(parse_within(client, *state, "A: b\n\n", 6,
				     LONG_MS, &m, &err),
		    MT_RETRY_LATER);
		assert_non_null(strstr(err.text, paths[i]));
		assert_int_equal(parse_within(client, *state, "A: b\n\n", 6,
				     LONG_MS, &m, NULL),
		    MT_RETRY_LATER);
		mime_client_free(&client);
	}
}

static void
deadline_that_is_over_condemns_no_message(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	struct mime_message m;

	assert_works(client, *state);
	assert_int_equal(
	    parse_within(client, *state, "A: b\n\n", 6, -1, &m, NULL),
	    MT_RETRY_LATER);
	mime_client_free(&client);
}

static void
full_disk_is_tried_again_later(void **state)
{
	struct rlimit old, small = {3, 3};
	struct mime_client *client = mime_client_new(MIME_WORKER);
	struct mime_message m;
	struct mt_error err;
	enum mt_status status;

	/* a limit on file sizes fails a write as a full disk does */
	assert_works(client, *state);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	{
		int raw_fd = message_fd("Content-Type: a/b\n\n0123456789", 29);
		int dir_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		status = mime_client_parse(client, raw_fd, dir_fd,
		    &mime_limits_default, &m, deadline_in_ms(LONG_MS), &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		close(raw_fd);
		close(dir_fd);
	}
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(status, MT_RETRY_LATER);
	assert_non_null(strstr(err.text, "attachment-1-unnamed"));
	assert_int_equal(scratch_count(*state, "."), 0);
	assert_works(client, *state);
	mime_client_free(&client);
}

static void
existing_file_is_not_overwritten(void **state)
{
	struct mime_client *client = mime_client_new(MIME_WORKER);
	struct mime_message m;
	char path[512];

	snprintf(path, sizeof(path), "%s/attachment-1-unnamed",
	    (const char *)*state);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(parse_within(client, *state, "Content-Type: a/b\n\nx",
			     20, LONG_MS, &m, NULL),
	    MT_RETRY_LATER);
	mime_client_free(&client);
}

/* What a worker of somebody else's making answers, and what comes of it. */
static const struct {
	const char *behaviour;
	const char *defect; /* NULL: it is taken */
	int64_t ms;
} wrongs[] = {
    {"whole", NULL, LONG_MS},
    {"kill once", NULL, LONG_MS},
    {"stall once", NULL, 1000},
    {"segv", "crashed twice (signal 11)", LONG_MS},
    {"exit", "crashed twice", LONG_MS},
    {"stall", "did not finish in time twice", 600},
    {"endless empty text", "did not finish in time twice", 600},
    {"endless text", "answered nonsense twice", LONG_MS},
    {"endless body", "answered nonsense twice", LONG_MS},
    {"endless defects", "answered nonsense twice", LONG_MS},
    {"endless data", "answered nonsense twice", LONG_MS},
    {"endless attachments", "answered nonsense twice", LONG_MS},
    {"empty packet", "crashed twice", LONG_MS},
    {"big packet", "answered nonsense twice", LONG_MS},
    {"unknown kind", "answered nonsense twice", LONG_MS},
    {"request", "answered nonsense twice", LONG_MS},
    {"ready again", "answered nonsense twice", LONG_MS},
    {"gap in kinds", "answered nonsense twice", LONG_MS},
    {"data without attachment", "answered nonsense twice", LONG_MS},
    {"text that is no UTF-8", "answered nonsense twice", LONG_MS},
    {"text with a line end", "answered nonsense twice", LONG_MS},
    {"text with a C1 control", "answered nonsense twice", LONG_MS},
    {"text with a NUL", "answered nonsense twice", LONG_MS},
    {"body that is no UTF-8", "answered nonsense twice", LONG_MS},
    {"defect with a line end", "answered nonsense twice", LONG_MS},
    {"empty defect", "answered nonsense twice", LONG_MS},
    {"empty attachment frame", "answered nonsense twice", LONG_MS},
    {"attachment frame without end", "answered nonsense twice", LONG_MS},
    {"attachment frame with more", "answered nonsense twice", LONG_MS},
    {"attachment flag", "answered nonsense twice", LONG_MS},
    {"type with capitals", "answered nonsense twice", LONG_MS},
    {"type without slash", "answered nonsense twice", LONG_MS},
    {"type with two slashes", "answered nonsense twice", LONG_MS},
    {"type with a space", "answered nonsense twice", LONG_MS},
    {"type without subtype", "answered nonsense twice", LONG_MS},
    {"id with a line end", "answered nonsense twice", LONG_MS},
    {"name that is no UTF-8", "answered nonsense twice", LONG_MS},
    {"empty data", "answered nonsense twice", LONG_MS},
    {"unpacked from nothing", "answered nonsense twice", LONG_MS},
    {"unknown summary", "answered nonsense twice", LONG_MS},
    {"negative summary", "answered nonsense twice", LONG_MS},
    {"empty summary", "answered nonsense twice", LONG_MS},
    {"summary without end", "answered nonsense twice", LONG_MS},
    {"summary with more", "answered nonsense twice", LONG_MS},
    {"two summaries", "answered nonsense twice", LONG_MS},
    {"kind of bounce", "answered nonsense twice", LONG_MS},
    {"summary with a line end", "answered nonsense twice", LONG_MS},
    {"row without summary", "answered nonsense twice", LONG_MS},
    {"row of another summary", "answered nonsense twice", LONG_MS},
    {"row that is no UTF-8", "answered nonsense twice", LONG_MS},
    {"endless rows", "answered nonsense twice", LONG_MS},
    {"sequence with a sign", "answered nonsense twice", LONG_MS},
    {"sequence without digits", "answered nonsense twice", LONG_MS},
    {"sequence that is too long", "answered nonsense twice", LONG_MS},
    {"flags", "answered nonsense twice", LONG_MS},
    {"no flags", "answered nonsense twice", LONG_MS},
};

static void
check_wrong(struct mime_client *client, const char *dir, size_t i)
{
	struct mime_limits limits = mime_limits_default;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int raw_fd =
	    message_fd(wrongs[i].behaviour, strlen(wrongs[i].behaviour));
	struct mime_message m;

	limits.max_attachments = 10;
	limits.max_attachment_bytes = 100000;
	limits.max_body_bytes = 100000;
	OK(mime_client_parse(client, raw_fd, dir_fd, &limits, &m,
	    deadline_in_ms(wrongs[i].ms), &err));
	if (wrongs[i].defect) {
		if (m.parsed || m.defect_count != 1 ||
		    !strstr(m.defects[0], wrongs[i].defect))
			fail_msg("%s: %s", wrongs[i].behaviour,
			    m.defect_count ? m.defects[0] : "was taken");
		assert_string_equal(m.subject, "");
		assert_int_equal(scratch_count(dir, "."), 0);
	} else {
		assert_true(m.parsed);
		assert_string_equal(m.subject, "half");
		assert_int_equal(m.attachment_count, 1);
		assert_int_equal(scratch_count(dir, "."), 1);
		scratch_remove(dir, m.attachments[0].file_name);
	}
	mime_message_done(&m);
	close(raw_fd);
	close(dir_fd);
}

static void
nothing_a_worker_says_is_trusted(void **state)
{
	struct mime_client *client = mime_client_new(BAD_WORKER);

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++)
		check_wrong(client, *state, i);
	mime_client_free(&client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	    TEST(one_worker_serves_many_messages),
	    TEST(worker_is_replaced_after_a_thousand_messages),
	    TEST(message_is_read_from_its_start),
	    TEST(worker_that_died_idle_costs_no_attempt),
	    TEST(stopped_worker_costs_one_retry),
	    TEST(message_that_crashes_gmime_is_unparsed),
	    TEST(charset_from_a_file_is_unknown),
	    TEST(charsets_of_mail_are_known_in_the_worker),
	    TEST(worker_inherits_nothing),
	    TEST(worker_is_locked_down),
	    TEST(missing_or_wrong_worker_is_tried_again_later),
	    TEST(deadline_that_is_over_condemns_no_message),
	    TEST(full_disk_is_tried_again_later),
	    TEST(existing_file_is_not_overwritten),
	    TEST(nothing_a_worker_says_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
