/* SPDX-License-Identifier: ISC */
/*
 * Wipes every block of the heap when it is released, for the whole program:
 * what libcurl, GnuTLS and json-c copied of a token goes with their memory.
 * mallopt(M_PERTURB) is not enough, it leaves out blocks of up to 1032 bytes
 * (glibc's per-thread cache).  Has no header: it takes the place of free(3)
 * and realloc(3).
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The libraries must find these, too. */
#define EVERYBODYS __attribute__((visibility("default")))

void __libc_free(void *block);

EVERYBODYS void
free(void *block)
{
	if (block)
		explicit_bzero(block, malloc_usable_size(block));
	__libc_free(block);
}

/* The C library's own would leave a copy behind when it moves a block. */
EVERYBODYS void *
realloc(void *block, size_t size)
{
	size_t old = block ? malloc_usable_size(block) : 0;
	void *grown;

	if (block && size <= old)
		return block;
	grown = malloc(size);
	if (grown && block) {
		memcpy(grown, block, old);
		free(block);
	}
	return grown;
}
