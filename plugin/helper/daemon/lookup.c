/* SPDX-License-Identifier: ISC */
#include "lookup.h"

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
		access_log_refusal(lookup->peer, account_settings_of(account),
		    lookup->request);
		return lookup_no_account(err);
	}
	if (is_withheld(lookup, account_settings_of(account)))
		return lookup_check_permit(
		    account_settings_of(account), *lookup->permit, err);
	*ret_account = account;
	return MT_OK;
}

static bool
serves(const struct account_settings *settings, enum mail_service service,
    const char *host, const char *user)
{
	const char *own = settings->provider.host[service];

	return own && strcasecmp(own, host) == 0 &&
	       (!user || strcasecmp(settings->user, user) == 0 ||
		   strcmp(settings->name, user) == 0);
}

enum mail_service
lookup_service(const char *name)
{
	int service = 0;

	while (service < SERVICE_COUNT &&
	       strcmp(mail_service_name((enum mail_service)service), name))
		service++;
	return (enum mail_service)service;
}

enum mt_status
lookup_by_host(const struct lookup *lookup, enum mail_service service,
    const char *host, const char *user, struct account **ret_account,
    struct mt_error *err)
{
	const struct account_settings *refused = NULL, *withheld = NULL;
	struct account *account, *found = NULL;

	if (service == SERVICE_COUNT)
		return lookup_no_account(err);
	for (size_t i = 0; (account = accounts_at(lookup->accounts, i)); i++) {
		const struct account_settings *s = account_settings_of(account);
		if (!serves(s, service, host, user))
			continue;
		if (!access_may_use(lookup->peer, s))
			refused = s;
		else if (is_withheld(lookup, s))
			withheld = s;
		else if (found)
			return mt_fail(err, MT_BAD_CONFIG,
			    "accounts %s and %s both fit %s at %s; the login "
			    "name must tell which",
			    account_settings_of(found)->name, s->name,
			    mail_service_name(service),
			    s->provider.host[service]);
		else
			found = account;
	}
	if (!found && withheld)
		return lookup_check_permit(withheld, *lookup->permit, err);
	if (!found && refused)
		access_log_refusal(lookup->peer, refused, lookup->request);
	*ret_account = found;
	return found ? MT_OK : lookup_no_account(err);
}
