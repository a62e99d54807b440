/* SPDX-License-Identifier: ISC */
/*
 * `mailtoken doctor`: tables of what can be wrong with a set-up, each row a name
 * and a function that looks for it and says, in plain words, what it found and
 * what to do.  Nothing is changed.
 */
#ifndef MT_COMMAND_DOCTOR_H
#define MT_COMMAND_DOCTOR_H

#include "command.h"

#include "base/buf.h"
#include "tokensock/module_settings.h"

#include <stdbool.h>
#include <sys/types.h>

struct doctor_user {
	char name[64]; /* "": not known by one */
	uid_t uid;
	gid_t gid;
};

/* An account, as its helper describes it; the strings are its own. */
struct doctor_account {
	char *name;
	char *state;
	char *text;
	char *alarm;
	char *allow; /* words uid:N and gid:N */
};

struct examination {
	struct invocation *in;
	struct buf out;
	int findings;
	const struct doctor_user *user;  /* --user, or NULL */
	const char *jail;                /* --chroot, or NULL */
	struct module_settings settings; /* the defaults if they are not good */
	/* --socket, or where mail programs ask that helper; "": not given */
	char named[TOKEN_SOCKET_PATH_MAX];
	char helper[TOKEN_SOCKET_PATH_MAX]; /* the first that listens, or "" */
	struct doctor_account *accounts;
	size_t account_count;
};

struct doctor_row {
	const char *name;
	void (*look)(struct examination *x);
};

/* Each ends with a row without a name; in the order in which they are looked
 * at. */
extern const struct doctor_row doctor_module_rows[];
extern const struct doctor_row doctor_socket_rows[];
extern const struct doctor_row doctor_postfix_rows[];
extern const struct doctor_row doctor_account_rows[];

/* Says what is wrong, in one sentence without a full stop; what to do has to
 * follow. */
void doctor_find(struct examination *x, const char *format, ...)
    MT_PRINTF(2, 3);
void doctor_advise(struct examination *x, const char *format, ...)
    MT_PRINTF(2, 3);

/* Sets x->named. */
void doctor_name_socket(struct examination *x);

/* True if that user could connect to a socket of a helper, inside the directory
 * `jail` (NULL: none).  If not, *ret_why is about the last one that is there,
 * and *ret_advice what to do.  Only root can look for others. */
bool doctor_reaches_helper(const struct examination *x,
    const struct doctor_user *user, const char *jail, struct mt_error *ret_why,
    struct mt_error *ret_advice);

/* True if a helper listens at one of its places inside `jail`. */
bool doctor_jail_has_helper(const struct examination *x, const char *jail);

/* By name, or NULL and by uid.  False if there is no such user; by uid the
 * result is good all the same. */
bool doctor_find_user(
    const char *name, uid_t uid, struct doctor_user *ret_user);

/* The first account whose `allow` names this uid, or NULL. */
const struct doctor_account *doctor_allowed(
    const struct examination *x, uid_t uid);

#endif
