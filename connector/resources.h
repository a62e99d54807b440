/* SPDX-License-Identifier: ISC */
/*
 * What all accounts of the process share, opened once, before the first thread:
 * the state, the MIME workers, libsasl2, trusted certificates, the token helper
 * of the machine.
 */
#ifndef MT_CONNECTOR_RESOURCES_H
#define MT_CONNECTOR_RESOURCES_H

#include "base/status.h"
#include "config.h"
#include "token_helper.h"

struct announcer;
struct mime_pool;
struct net_trust;
struct sasl_library;
struct state;

struct resources {
	struct state *state;
	struct mime_pool *mime;
	struct sasl_library *sasl;
	struct token_helper *helper;         /* of the machine */
	struct token_helper *private_helper; /* of the environment; or NULL */
	struct resources_trust *trusts;
	struct announcer *announcer; /* of the deliverer; else NULL */
};

/* `config` is the environment's and must outlive it. */
enum mt_status resources_open(struct resources *resources,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;
void resources_close(struct resources *resources);

/* The certificates to trust, each set read once; it lives as long as the
 * resources.  `ca_file` NULL: the system's.  Not for several threads at once. */
enum mt_status resources_trust(struct resources *resources, const char *ca_file,
    const struct net_trust **ret_trust, struct mt_error *err) MT_MUST_CHECK;

/* The helper for an account; NULL if it has a password. */
struct token_helper *resources_token_helper(
    const struct resources *resources, const struct config *config);

#endif
