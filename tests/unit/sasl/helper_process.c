/* SPDX-License-Identifier: ISC */
#include "helper_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE 40  /* bytes: more than registers that are saved hold */
#define STRIDE 16 /* between the starts of pieces that are looked for */
#define PIECES ((HELPER_TOKEN_LEN - PIECE) / STRIDE + 1)
#define CHUNK 65536                   /* bytes that are looked at together */
#define MAPPING_MAX ((size_t)1 << 28) /* larger ones are a sanitizer's */

static char
token_char(uint64_t key, size_t i)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	uint64_t z = key + (i + 1) * 0x9e3779b97f4a7c15U; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return alphabet[(z ^ (z >> 31)) % 64];
}

/* -- the child ------------------------------------------------------------- */

static void
serve(const char *path, const struct helper_rule *rules, uint64_t key)
{
	char token[HELPER_TOKEN_LEN + 1] = "", got[HELPER_TOKEN_LEN + 128];
	const struct helper_rule good[] = {
	    {"exists", HELPER_REPLY, "1\tok\taccount=work\n"},
	    {"get", HELPER_REPLY, got},
	    {"reject", HELPER_REPLY, "1\tok\n"},
	    {0},
	};

	for (size_t i = 0; i < HELPER_TOKEN_LEN; i++)
		token[i] = token_char(key, i);
	snprintf(got, sizeof(got),
	    "1\tok\taccount=work\tuser=joe@example.org\tserial=7\t"
	    "expires_in=900\ttoken=%s\n",
	    token);
	scripted_helper_start(path, rules ? rules : good, (uid_t)-1);
}

pid_t
helper_process_start(
    const char *path, const struct helper_rule *rules, uint64_t key)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		abort();
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(path, rules, key);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

void
helper_process_stop(pid_t pid, const char *path)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
}

/* -- the search ------------------------------------------------------------ */

static char window[CHUNK + PIECE];

static bool
is_piece(const char *text, uint64_t key, size_t start)
{
	for (size_t i = 0; i < PIECE; i++)
		if (text[i] != token_char(key, start + i))
			return false;
	return true;
}

/* Pages that were never touched hold nothing, and there are many. */
static bool
is_used(int pagemap, size_t start, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t entries[sizeof(window) / 4096 + 1];
	size_t count = (len + page - 1) / page;
	ssize_t n = pread(pagemap, entries, count * sizeof(*entries),
	    (off_t)(start / page * sizeof(*entries)));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*entries); i++)
		if (entries[i] >> 62) /* present or swapped out */
			return true;
	return false;
}

/* The pieces of the token whose first byte a byte is, as bits.  These bytes lie
 * STRIDE apart in the token, so they are no copy of it. */
struct pieces {
	uint32_t starting_with[256];
};

static struct pieces
pieces_of(uint64_t key)
{
	struct pieces pieces = {{0}};

	for (size_t i = 0; i < PIECES; i++)
		pieces.starting_with[(unsigned char)token_char(
		    key, i * STRIDE)] |= UINT32_C(1) << i;
	return pieces;
}

/* Of the sanitizers only the speed would be felt: the window is all it reads. */
__attribute__((optimize("O2"),
    no_sanitize("address", "undefined", "thread"))) static size_t
count_in_window(const struct pieces *pieces, size_t len, uint64_t key)
{
	size_t found = 0;

	for (size_t i = 0; i + PIECE <= len; i++) {
		uint32_t starting =
		    pieces->starting_with[(unsigned char)window[i]];

		for (size_t s = 0; starting >> s; s++)
			found += (starting >> s & 1) &&
				 is_piece(window + i, key, s * STRIDE);
	}
	return found;
}

static size_t
count_in_mapping(
    int memory, int pagemap, size_t start, size_t end, uint64_t key)
{
	const struct pieces pieces = pieces_of(key);
	size_t found = 0;

	for (; start < end; start += CHUNK) {
		size_t len =
		    end - start < sizeof(window) ? end - start : sizeof(window);
		ssize_t n;

		if (!is_used(pagemap, start, len))
			continue;
		explicit_bzero(window, sizeof(window));
		n = pread(memory, window, len, (off_t)start);
		if (n > 0)
			found += count_in_window(&pieces, (size_t)n, key);
	}
	explicit_bzero(window, sizeof(window));
	return found;
}

size_t
helper_process_copies_of_token(uint64_t key)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t start, end, found = 0;
	char rights[8], line[512];

	if (!maps || memory < 0 || pagemap < 0)
		abort();
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%zx-%zx %7s", &start, &end, rights) == 3 &&
		    strncmp(rights, "rw", 2) == 0 && end - start <= MAPPING_MAX)
			found +=
			    count_in_mapping(memory, pagemap, start, end, key);
	fclose(maps);
	close(memory);
	close(pagemap);
	return found;
}
