/* SPDX-License-Identifier: ISC */
/*
 * What a failed token request means, by what has to happen next.  The rules are
 * tables in failure.c.  HTTP status, `error` (RFC 6749 s5.2) and `suberror`
 * decide; the numbers that Microsoft adds (AADSTS) may only explain, or turn a
 * verdict into a milder one.
 */
#ifndef MT_DAEMON_FAILURE_H
#define MT_DAEMON_FAILURE_H

#include "base/status.h"

#include <stdbool.h>

/* From mild to grave; a number never makes it graver. */
enum failure_class {
	FAILURE_TRANSIENT, /* try again after a pause */
	FAILURE_ADMIN,     /* an administrator must act; try again rarely */
	FAILURE_LOGIN,     /* the refresh token is dead: a person logs in */
	FAILURE_CONFIG,    /* wrong settings: no retry until they change */
};

/* What the server said, as far as it could be read. */
struct failure_facts {
	long http_status;   /* 0: no whole reply */
	bool sent;          /* the request may have reached the server */
	bool misconfigured; /* our settings kept it from being sent */
	bool body_is_empty;
	const char *error;    /* NULL: the body was no OAuth error */
	const char *suberror; /* or NULL */
	long number;          /* AADSTS, or 0 */
	long retry_after_s;   /* -1: the server did not say */
};

/* What an error means to one who waits for a person with a device code. */
enum failure_device {
	FAILURE_DEVICE_OTHER, /* as its class says */
	FAILURE_DEVICE_PENDING,
	FAILURE_DEVICE_SLOWER, /* pending, and we ask too often */
	FAILURE_DEVICE_DENIED,
	FAILURE_DEVICE_EXPIRED,
};

struct failure {
	enum failure_class class;
	enum failure_device device;
	long retry_after_s; /* at least this long, 0: nothing asked */
	bool ambiguous; /* the server may have acted and its answer is lost */
	const char *meaning; /* a sentence, static, or NULL */
};

struct failure failure_classify(const struct failure_facts *facts);

/* By the word of RFC 8628 s3.5, or a server's own for it; NULL: none. */
enum failure_device failure_of_device(const char *error);

/* The status to answer with. */
enum mt_status failure_status(enum failure_class class);

/* The class of a failure of our own, that no server had a part in. */
enum failure_class failure_class_of(enum mt_status status);

#endif
