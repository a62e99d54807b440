/* SPDX-License-Identifier: ISC */
/*
 * A token helper that does what a table says, on a real Unix socket: what the
 * real one cannot do on demand (hang, lie, end in the middle).  One thread.
 */
#ifndef MT_TESTS_SCRIPTED_HELPER_H
#define MT_TESTS_SCRIPTED_HELPER_H

#include <stddef.h>
#include <sys/types.h>

enum helper_way {
	HELPER_REPLY, /* sends `reply` as it is */
	HELPER_NAMED, /* sends `reply`, each '@' replaced by the user asked for */
	HELPER_CLOSE, /* sends `reply`, if any, and closes */
	HELPER_HANG,  /* sends nothing, ever */
	HELPER_DRIP,  /* sends `reply` byte by byte, and never its last byte */
	HELPER_FLOOD, /* sends 'x' without end */
	HELPER_DIE,   /* sends `reply` and kills its process */
};

/* The first rule whose verb is asked serves; it is used up unless it is the
 * last for its verb.  A table ends with a NULL verb. */
struct helper_rule {
	const char *verb;
	enum helper_way way;
	const char *reply;
};

struct scripted_helper;

/* Listens on `path`, with the effective uid `uid` ((uid_t)-1: as it is). */
struct scripted_helper *scripted_helper_start(
    const char *path, const struct helper_rule *rules, uid_t uid);

/* Closes everything and removes the socket. */
void scripted_helper_stop(struct scripted_helper **helper);

/* Connections accepted up to now. */
size_t scripted_helper_connections(struct scripted_helper *helper);

/* Connections that are open now. */
size_t scripted_helper_open(struct scripted_helper *helper);

/* All frames received up to now, one after the other.  Caller: free(). */
char *scripted_helper_log(struct scripted_helper *helper);

#endif
