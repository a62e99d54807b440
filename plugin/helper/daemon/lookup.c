/* SPDX-License-Identifier: ISC */
#include "lookup.h"

#include "base/settings_files.h"

#include <string.h>
#include <strings.h>

enum mt_status
lookup_no_account(struct mt_error *err)
{
	return mt_fail(err, MT_NO_ACCOUNT,
	    "the token helper has no account for this here");
}

enum mt_status
lookup_check_permit(const struct account_settings *settings, enum permit permit,
    struct mt_error *err)
{
	static const char *const how[PERMIT_COUNT] = {
	    [PERMIT_GET] = "by the account's name",
	    [PERMIT_GIT_CREDENTIAL] = "to git",
	    [PERMIT_SOCKETMAP] = "as a password in a table",
	};

	if (settings->permit[permit])
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "account %s: its token is not handed out %s; if it should be, add "
	    "'permit = %s'",
	    settings->name, how[permit], permit_word(permit));
}

static bool
is_withheld(const struct lookup *lookup, const struct account_settings *s)
{
	return lookup->permit && !s->permit[*lookup->permit];
}

enum mt_status
lookup_named(const struct lookup *lookup, const char *name,
    bool (*may)(const struct peer *, const struct account_settings *),
    struct account **ret_account, struct mt_error *err)
{
	struct account *account = accounts_find(lookup->accounts, name);

	if (!account)
		return lookup_no_account(err);
	if (!may(lookup->peer, account_settings_of(account))) {
		access_log_refusal(lookup->refusals, lookup->peer,
		    account_settings_of(account), lookup->request);
		return lookup_no_account(err);
	}
	if (is_withheld(lookup, account_settings_of(account)))
		return lookup_check_permit(
		    account_settings_of(account), *lookup->permit, err);
	*ret_account = account;
	return MT_OK;
}

static bool
is_user(const char *own, const char *user)
{
	return own && strcasecmp(own, user) == 0;
}

/* Whether it names the host, NULL: any, for the service. */
static bool
is_at(const struct account_settings *settings, enum mail_service service,
    const char *host)
{
	const char *own = settings->provider.host[service];

	return own && (!host || strcasecmp(own, host) == 0);
}

/* How well an account fits a login. */
enum fit {
	FIT_NOT,
	FIT_NAME,         /* the login name is the account's name */
	FIT_SERVICE_USER, /* ... its user for the service */
	FIT_USER          /* ... its user, or nothing tells accounts apart */
};

static enum fit
fit_of(const struct account_settings *settings, const struct mail_login *login)
{
	if (!is_at(settings, login->service, login->host))
		return FIT_NOT;
	if (login->account)
		return strcmp(settings->name, login->account) == 0 ? FIT_USER
								   : FIT_NOT;
	if (!login->user || is_user(settings->user, login->user))
		return FIT_USER;
	if (is_user(settings->service_user[login->service], login->user))
		return FIT_SERVICE_USER;
	return strcmp(settings->name, login->user) == 0 ? FIT_NAME : FIT_NOT;
}

/* Whose account serves whom first: what the administrator or the peer set up
 * itself comes before what another user opened to it, and might have made to
 * look like that. */
static bool
is_own(const struct peer *peer, const struct account_settings *settings)
{
	return settings->owner == peer->uid ||
	       settings_owner_is_trusted(settings->owner);
}

enum mail_service
lookup_service(const char *name)
{
	int service = 0;

	while (service < SERVICE_OTHER &&
	       strcmp(mail_service_name((enum mail_service)service), name))
		service++;
	return (enum mail_service)service;
}

/* Who may be meant: all, or those that go by the login name. */
static struct account *
candidate(
    const struct lookup *lookup, const struct mail_login *login, size_t index)
{
	const char *name = login->account ? login->account : login->user;

	return name ? accounts_known_as(lookup->accounts, name, index)
		    : accounts_at(lookup->accounts, index);
}

static enum mt_status
fail_several(const struct account *one, const struct account *other,
    const struct mail_login *login, struct mt_error *err)
{
	const struct account_settings *s = account_settings_of(other);

	return mt_fail(err, MT_BAD_CONFIG,
	    "accounts %s and %s both fit %s at %s; the login name must tell "
	    "which, or '@%s' as password",
	    account_settings_of(one)->name, s->name,
	    mail_service_name(login->service), s->provider.host[login->service],
	    s->name);
}

static enum mt_status
search(const struct lookup *lookup, const struct mail_login *login,
    struct account **ret_account, struct mt_error *err)
{
	const struct account_settings *refused = NULL, *withheld = NULL;
	struct account *account, *found = NULL, *rival = NULL;
	int best = FIT_NOT;

	for (size_t i = 0; (account = candidate(lookup, login, i)); i++) {
		const struct account_settings *s = account_settings_of(account);
		int fit = (int)fit_of(s, login);

		if (fit != FIT_NOT && is_own(lookup->peer, s))
			fit += FIT_USER;
		if (fit == FIT_NOT || fit < best)
			continue;
		if (!access_may_use(lookup->peer, s)) {
			refused = s;
		} else if (is_withheld(lookup, s)) {
			withheld = s;
		} else {
			rival = fit == best ? account : NULL;
			found = rival ? found : account;
			best = fit;
		}
	}
	if (rival)
		return fail_several(found, rival, login, err);
	if (!found && withheld)
		return lookup_check_permit(withheld, *lookup->permit, err);
	if (!found && refused)
		access_log_refusal(
		    lookup->refusals, lookup->peer, refused, lookup->request);
	*ret_account = found;
	return found ? MT_OK : lookup_no_account(err);
}

enum mt_status
lookup_login(const struct lookup *lookup, const struct mail_login *login,
    struct account **ret_account, struct mt_error *err)
{
	struct mail_login as_authzid = *login;
	enum mt_status status;

	status = search(lookup, login, ret_account, err);
	if (status != MT_NO_ACCOUNT || login->account || !login->authzid)
		return status;
	as_authzid.user = login->authzid;
	return search(lookup, &as_authzid, ret_account, err);
}

enum mt_status
lookup_confirm(const struct lookup *lookup, const struct account *account,
    enum mail_service service, const char *host, struct mt_error *err)
{
	const struct account_settings *s = account_settings_of(account);

	if (accounts_find(lookup->accounts, s->name) != account ||
	    (service != SERVICE_COUNT &&
		!is_at(s, service, *host ? host : NULL)))
		return lookup_no_account(err);
	if (!access_may_use(lookup->peer, s)) {
		access_log_refusal(
		    lookup->refusals, lookup->peer, s, lookup->request);
		return lookup_no_account(err);
	}
	return is_withheld(lookup, s)
		   ? lookup_check_permit(s, *lookup->permit, err)
		   : MT_OK;
}

const char *
lookup_told_user(const struct account_settings *settings,
    enum mail_service service, const char *authzid)
{
	if (service == SERVICE_COUNT)
		return settings->user;
	if (settings->service_user[service])
		return settings->service_user[service];
	return authzid && strcmp(authzid, settings->name) != 0 ? authzid
							       : settings->user;
}
