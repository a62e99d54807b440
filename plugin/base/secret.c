/* SPDX-License-Identifier: ISC */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * The arena is a list of chunks that blocks are cut from.  Secrets have sizes of
 * a few classes only, so a block that comes back serves the next secret of its
 * class, and neither takes a search, however many there are.
 */
#define CLASS_MIN                                                              \
	256 /* bytes in a block of class 0; each next has twice that */
#define CLASSES 10

_Static_assert(CLASS_MIN << (CLASSES - 1) > SECRET_MAX, "the largest fits");

struct block {
	struct block *next; /* while it is free */
	size_t class;
	max_align_t data[];
};

struct chunk {
	struct chunk *next;
	max_align_t data[];
};

struct secret_arena {
	pthread_mutex_t lock;
	struct chunk *chunks; /* the newest first */
	size_t size;          /* of each */
	size_t left;          /* in the newest */
	struct block *free[CLASSES];
};

/* False also in *ret_locked if it could not be locked. */
static bool
add_chunk(struct secret_arena *arena, bool *ret_locked)
{
	struct chunk *chunk = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (chunk == MAP_FAILED)
		return false;
	madvise(chunk, arena->size, MADV_DONTDUMP);
	*ret_locked = mlock(chunk, arena->size) == 0;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->left = arena->size - sizeof(*chunk);
	return true;
}

struct secret_arena *
secret_arena_new(size_t size, bool *ret_locked)
{
	struct secret_arena *arena = calloc(1, sizeof(*arena));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t least = sizeof(struct chunk) + sizeof(struct block) +
		       (CLASS_MIN << (CLASSES - 1));

	if (!arena)
		return NULL;
	if (size < least)
		size = least;
	arena->size = (size + page - 1) / page * page;
	if (!add_chunk(arena, ret_locked)) {
		free(arena);
		return NULL;
	}
	pthread_mutex_init(&arena->lock, NULL);
	return arena;
}

void
secret_arena_free(struct secret_arena **arena)
{
	struct chunk *chunk;

	if (!*arena)
		return;
	while ((chunk = (*arena)->chunks)) {
		(*arena)->chunks = chunk->next;
		explicit_bzero(chunk, (*arena)->size);
		munmap(chunk, (*arena)->size);
	}
	pthread_mutex_destroy(&(*arena)->lock);
	free(*arena);
	*arena = NULL;
}

/* A block that was never used. */
static struct block *
cut_block(struct secret_arena *arena, size_t class)
{
	size_t size = sizeof(struct block) + ((size_t)CLASS_MIN << class);
	struct block *block;
	bool ignored;

	if (arena->left < size && !add_chunk(arena, &ignored))
		return NULL;
	block = (struct block *)(void *)((char *)arena->chunks + arena->size -
					 arena->left);
	arena->left -= size;
	block->class = class;
	return block;
}

static void *
arena_alloc(struct secret_arena *arena, size_t size)
{
	struct block *block;
	size_t class = 0;

	while (class < CLASSES && ((size_t)CLASS_MIN << class) < size)
		class ++;
	if (class == CLASSES)
		return NULL;
	pthread_mutex_lock(&arena->lock);
	block = arena->free[class];
	if (block)
		arena->free[class] = block->next;
	else
		block = cut_block(arena, class);
	pthread_mutex_unlock(&arena->lock);
	return block ? block->data : NULL;
}

static void
arena_release(struct secret_arena *arena, char *data)
{
	struct block *block =
	    (struct block *)(void *)(data - offsetof(struct block, data));

	pthread_mutex_lock(&arena->lock);
	block->next = arena->free[block->class];
	arena->free[block->class] = block;
	pthread_mutex_unlock(&arena->lock);
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
		arena_release(s->arena, data);
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
