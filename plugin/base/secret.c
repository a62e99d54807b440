/* SPDX-License-Identifier: ISC */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * The arena is a row of blocks, each behind a header; a free block is found by
 * first fit and joined with free blocks that follow.  Few secrets live at a
 * time, so the walk is short.
 */
struct block {
	size_t size; /* bytes behind the header */
	bool used;
	max_align_t data[];
};

struct secret_arena {
	char *memory;
	size_t size;
};

static struct block *
first_block(const struct secret_arena *arena)
{
	return (struct block *)(void *)arena->memory;
}

static struct block *
next_block(const struct secret_arena *arena, struct block *b)
{
	char *next = (char *)b->data + b->size;

	return next < arena->memory + arena->size ? (struct block *)(void *)next
						  : NULL;
}

struct secret_arena *
secret_arena_new(size_t size, bool *ret_locked)
{
	struct secret_arena *arena = malloc(sizeof(*arena));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory;

	if (!arena)
		return NULL;
	arena->size = (size + page - 1) / page * page;
	memory = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(arena);
		return NULL;
	}
	madvise(memory, arena->size, MADV_DONTDUMP);
	*ret_locked = mlock(memory, arena->size) == 0;
	arena->memory = memory;
	first_block(arena)->size = arena->size - sizeof(struct block);
	first_block(arena)->used = false;
	return arena;
}

void
secret_arena_free(struct secret_arena **arena)
{
	if (!*arena)
		return;
	explicit_bzero((*arena)->memory, (*arena)->size);
	munmap((*arena)->memory, (*arena)->size);
	free(*arena);
	*arena = NULL;
}

static void
join_following(const struct secret_arena *arena, struct block *b)
{
	struct block *next;

	while ((next = next_block(arena, b)) && !next->used)
		b->size += sizeof(*next) + next->size;
}

/* Cuts what `b` has beyond `size` off as a free block, if it is worth it. */
static void
split(struct block *b, size_t size)
{
	struct block *rest = (struct block *)(void *)((char *)b->data + size);

	if (b->size < size + sizeof(*rest) + sizeof(max_align_t))
		return;
	rest->size = b->size - size - sizeof(*rest);
	rest->used = false;
	b->size = size;
}

static void *
arena_alloc(const struct secret_arena *arena, size_t size)
{
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) *
	       sizeof(max_align_t);
	for (struct block *b = first_block(arena); b;
	     b = next_block(arena, b)) {
		if (b->used)
			continue;
		join_following(arena, b);
		if (b->size < size)
			continue;
		split(b, size);
		b->used = true;
		return b->data;
	}
	return NULL;
}

static void
arena_release(char *data)
{
	struct block *b =
	    (struct block *)(void *)(data - offsetof(struct block, data));

	b->used = false;
}

void
secret_protect_process(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
secret_init(struct secret *s, struct secret_arena *arena)
{
	*s = (struct secret){.arena = arena};
}

static void
release(const struct secret *s, char *data, size_t cap)
{
	if (!data)
		return;
	explicit_bzero(data, cap);
	if (s->arena)
		arena_release(data);
	else
		free(data);
}

void
secret_done(struct secret *s)
{
	release(s, s->data, s->cap);
	secret_init(s, s->arena);
}

void
secret_reset(struct secret *s)
{
	if (s->data)
		explicit_bzero(s->data, s->cap);
	s->len = 0;
	s->failed = s->no_memory = false;
}

/* Never realloc: it would leave a copy behind. */
static bool
grow(struct secret *s, size_t need)
{
	size_t cap = s->cap ? s->cap : 256;
	char *data;

	while (cap < need)
		cap *= 2;
	data = s->arena ? arena_alloc(s->arena, cap) : malloc(cap);
	if (!data)
		return false;
	if (s->len)
		memcpy(data, s->data, s->len);
	release(s, s->data, s->cap);
	s->data = data;
	s->cap = cap;
	return true;
}

static void
fail(struct secret *s, bool no_memory)
{
	secret_reset(s);
	s->failed = true;
	s->no_memory = no_memory;
}

void
secret_add(struct secret *s, const void *data, size_t len)
{
	if (s->failed)
		return;
	if (len > SECRET_MAX || s->len > SECRET_MAX - len) {
		fail(s, false);
		return;
	}
	if (s->len + len + 1 > s->cap && !grow(s, s->len + len + 1)) {
		fail(s, true);
		return;
	}
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void
secret_move(struct secret *to, struct secret *from)
{
	if (to == from)
		return;
	secret_done(to);
	*to = *from;
	secret_init(from, to->arena);
}

void
secret_copy(struct secret *to, const struct secret *from)
{
	if (to == from)
		return;
	secret_reset(to);
	secret_add(to, secret_expose(from), from->len);
	to->failed = to->failed || from->failed;
	to->no_memory = to->no_memory || from->no_memory;
}

bool
secret_equal(const struct secret *a, const struct secret *b)
{
	unsigned char differ = 0;

	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		differ |= (unsigned char)(a->data[i] ^ b->data[i]);
	return differ == 0;
}

const char *
secret_expose(const struct secret *s)
{
	return s->len ? s->data : "";
}

static void
drop_line_end(struct secret *s)
{
	if (s->len && s->data[s->len - 1] == '\n')
		s->data[--s->len] = '\0';
	if (s->len && s->data[s->len - 1] == '\r')
		s->data[--s->len] = '\0';
}

enum mt_status
secret_read_fd(struct secret *s, int fd, const char *name, struct mt_error *err)
{
	char chunk[1024];
	ssize_t n;
	int error;

	secret_reset(s);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			secret_add(s, chunk, (size_t)n);
	error = errno;
	explicit_bzero(chunk, sizeof(chunk));
	if (n < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, error, "cannot read %s", name);
	drop_line_end(s);
	if (!secret_ok(s))
		return mt_fail(err, MT_BAD_CONFIG, "%s is longer than %d bytes",
		    name, SECRET_MAX);
	if (!s->len)
		return mt_fail(err, MT_BAD_CONFIG, "%s is empty", name);
	if (memchr(s->data, '\0', s->len)) {
		secret_reset(s);
		return mt_fail(err, MT_BAD_CONFIG, "%s holds a NUL byte", name);
	}
	return MT_OK;
}

enum mt_status
secret_read_file(struct secret *s, const char *path, struct mt_error *err)
{
	enum mt_status status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	status = secret_read_fd(s, fd, path, err);
	close(fd);
	return status;
}

bool
secret_take_env(struct secret *s, const char *name)
{
	char *value = getenv(name);

	secret_reset(s);
	if (!value)
		return false;
	secret_add(s, value, strlen(value));
	explicit_bzero(value, strlen(value));
	unsetenv(name);
	return s->len > 0;
}
