/* SPDX-License-Identifier: ISC */
/*
 * A mail program on the real libsasl2, measured.
 *
 *   sasl_bench init DIRECTORY
 *       one sasl_client_init() with the modules of DIRECTORY, as an
 *       unprivileged user: prints nanoseconds, and by how many KiB of private
 *       dirty memory and how many mapped files the process has grown
 *   sasl_bench login DIRECTORY MECHANISM called|prompted [SOCKET]
 *       logins up to the server's success, as rounds.h says; the program hands
 *       out the login name by a procedure, or waits to be asked; with SOCKET,
 *       it asks for a token there itself, too (trip.h)
 */
#include "rounds.h"
#include "trip.h"

#include <sasl/sasl.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY 65534
#define NAME "alice@example.test"

struct program {
	const char *directory;
	const char *mechanism;
	bool is_prompted;
	struct trip trip; /* no requests: none is made */
	sasl_secret_t *password;
	sasl_callback_t global[2];
	sasl_callback_t callbacks[4];
};

static int
get_path(void *context, const char **path)
{
	const struct program *p = context;

	*path = p->directory;
	return SASL_OK;
}

static int
get_name(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)id;
	*result = NAME;
	if (len)
		*len = strlen(NAME);
	return SASL_OK;
}

static int
get_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	const struct program *p = context;

	(void)conn;
	(void)id;
	*secret = p->password;
	return SASL_OK;
}

typedef int (*procedure)(void);
#define PROCEDURE(f) ((procedure)(void (*)(void))(f))

static void
fill_callbacks(struct program *p)
{
	static const char password[] = "alice-pw";
	bool asks = p->is_prompted;

	p->password = malloc(sizeof(*p->password) + sizeof(password));
	if (!p->password)
		rounds_die("malloc");
	p->password->len = strlen(password);
	memcpy(p->password->data, password, sizeof(password));
	p->global[0] =
	    (sasl_callback_t){SASL_CB_GETPATH, PROCEDURE(get_path), p};
	p->global[1] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	p->callbacks[0] = (sasl_callback_t){
	    SASL_CB_AUTHNAME, asks ? NULL : PROCEDURE(get_name), p};
	p->callbacks[1] = (sasl_callback_t){
	    SASL_CB_USER, asks ? NULL : PROCEDURE(get_name), p};
	p->callbacks[2] = (sasl_callback_t){
	    SASL_CB_PASS, asks ? NULL : PROCEDURE(get_password), p};
	p->callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

static void
fail(sasl_conn_t *conn)
{
	fprintf(stderr, "%s\n", sasl_errdetail(conn));
	exit(1);
}

static void
answer_prompts(const struct program *p, sasl_interact_t *prompt)
{
	for (; prompt->id != SASL_CB_LIST_END; prompt++) {
		if (prompt->id == SASL_CB_PASS) {
			prompt->result = p->password->data;
			prompt->len = (unsigned)p->password->len;
		} else {
			prompt->result = NAME;
			prompt->len = strlen(NAME);
		}
	}
}

/* A server that is content at once. */
static void
log_in(void *context)
{
	struct program *p = context;
	sasl_interact_t *prompts = NULL;
	sasl_conn_t *conn;
	const char *out, *used;
	unsigned len;
	int code;

	if (sasl_client_new("imap", "localhost", NULL, NULL, p->callbacks, 0,
		&conn) != SASL_OK)
		rounds_die("sasl_client_new");
	do {
		code = sasl_client_start(
		    conn, p->mechanism, &prompts, &out, &len, &used);
		if (code == SASL_INTERACT)
			answer_prompts(p, prompts);
	} while (code == SASL_INTERACT);
	if (code == SASL_CONTINUE)
		code = sasl_client_step(conn, "", 0, &prompts, &out, &len);
	if (code != SASL_OK)
		fail(conn);
	sasl_dispose(&conn);
	if (p->trip.requests)
		trip_make(&p->trip);
}

struct size {
	long dirty_kib;
	long files;
};

/* Without a heap, which would be part of what is measured. */
static size_t
read_proc(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		rounds_die(path);
	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	return len;
}

/* Each mapped file has one mapping that begins with its own beginning. */
static struct size
measure(void)
{
	static char text[65536];
	struct size size = {0};
	const char *line, *path;

	read_proc("/proc/self/smaps_rollup", text, sizeof(text));
	line = strstr(text, "Private_Dirty:");
	if (!line)
		rounds_die("smaps_rollup");
	size.dirty_kib = strtol(line + strlen("Private_Dirty:"), NULL, 10);
	read_proc("/proc/self/maps", text, sizeof(text));
	for (line = text; (path = strchr(line, ' ')); line++) {
		size_t len = strcspn(line, "\n");
		if (strncmp(path + 6, "00000000 ", 9) == 0 &&
		    memchr(line, '/', len))
			size.files++;
		line += len;
		if (!*line)
			break;
	}
	return size;
}

static void
measure_init(struct program *p)
{
	struct size before, after;
	long start, end;

	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
		rounds_die("setresuid");
	before = measure(); /* once for nothing: it touches its own pages */
	before = measure();
	start = rounds_now_ns();
	if (sasl_client_init(p->global) != SASL_OK)
		rounds_die("sasl_client_init");
	end = rounds_now_ns();
	after = measure();
	printf("%ld %ld %ld\n", end - start, after.dirty_kib - before.dirty_kib,
	    after.files - before.files);
}

int
main(int argc, char **argv)
{
	struct program p = {0};
	const char *what = argc > 2 ? argv[1] : "";

	if (argc > 2)
		p.directory = argv[2];
	if (argc == 3 && strcmp(what, "init") == 0) {
		fill_callbacks(&p);
		measure_init(&p);
	} else if (argc >= 5 && strcmp(what, "login") == 0) {
		p.mechanism = argv[3];
		p.is_prompted = strcmp(argv[4], "prompted") == 0;
		if (argc > 5)
			p.trip = (struct trip){trip_address(argv[5]), 1};
		fill_callbacks(&p);
		if (sasl_client_init(p.global) != SASL_OK)
			rounds_die("sasl_client_init");
		rounds_serve(log_in, &p);
	} else {
		fputs("usage: see the source\n", stderr);
		return 64;
	}
	free(p.password);
	return 0;
}
