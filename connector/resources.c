/* SPDX-License-Identifier: ISC */
#include "resources.h"

#include "base/child.h"
#include "mail/sasl_session.h"
#include "mime/mime_client.h"
#include "net/net.h"
#include "state/state.h"

#include <stdlib.h>
#include <string.h>

struct resources_trust {
	struct resources_trust *next;
	char *ca_file; /* NULL: the system's */
	struct net_trust *trust;
};

static enum mt_status
open_mime(struct resources *r, struct mt_error *err)
{
	char path[PATH_MAX];

	r->mime = mime_client_new(child_find_program("mailtoken-mime-worker",
	    MT_LIBEXEC_DIR "/mailtoken-mime-worker", path));
	return r->mime ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

/* The module is to offer its mechanisms whether a helper is up or not: any path
 * tells it so.  Each login names the one that it means. */
static enum mt_status
open_sasl(
    struct resources *r, const struct config *config, struct mt_error *err)
{
	enum mt_status status = token_helper_new(&r->helper, NULL, err);

	if (status == MT_OK && config_wants_private_helper(config))
		status = token_helper_new(&r->private_helper, config, err);
	if (status != MT_OK)
		return status;
	return sasl_library_open(&r->sasl, token_helper_socket(r->helper), err);
}

enum mt_status
resources_open(
    struct resources *r, const struct config *config, struct mt_error *err)
{
	enum mt_status status;

	*r = (struct resources){0};
	status = open_sasl(r, config, err);
	if (status == MT_OK)
		status = state_open(&r->state, config->state_dir, err);
	if (status == MT_OK)
		status = open_mime(r, err);
	if (status != MT_OK)
		resources_close(r);
	return status;
}

void
resources_close(struct resources *r)
{
	struct resources_trust *t;

	mime_client_free(&r->mime);
	state_close(&r->state);
	sasl_library_close(&r->sasl);
	token_helper_free(&r->private_helper);
	token_helper_free(&r->helper);
	while ((t = r->trusts)) {
		r->trusts = t->next;
		net_trust_free(&t->trust);
		free(t->ca_file);
		free(t);
	}
}

static bool
same_file(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

enum mt_status
resources_trust(struct resources *r, const char *ca_file,
    const struct net_trust **ret_trust, struct mt_error *err)
{
	struct resources_trust *t;
	enum mt_status status;

	for (t = r->trusts; t; t = t->next) {
		if (same_file(t->ca_file, ca_file)) {
			*ret_trust = t->trust;
			return MT_OK;
		}
	}
	t = calloc(1, sizeof(*t));
	if (!t || (ca_file && !(t->ca_file = strdup(ca_file)))) {
		free(t);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	status = net_trust_new(&t->trust, ca_file, err);
	if (status != MT_OK) {
		free(t->ca_file);
		free(t);
		return status;
	}
	t->next = r->trusts;
	r->trusts = t;
	*ret_trust = t->trust;
	return MT_OK;
}

struct token_helper *
resources_token_helper(const struct resources *r, const struct config *config)
{
	if (config->auth != CONFIG_AUTH_OAUTH2)
		return NULL;
	return config_wants_private_helper(config) ? r->private_helper
						   : r->helper;
}
