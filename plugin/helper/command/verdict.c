/* SPDX-License-Identifier: ISC */
#include "verdict.h"

#include <stdio.h>
#include <string.h>

/* What a refusal means, first hit.  {user} and {account} are filled in. */
struct rule {
	const char *service; /* NULL: any */
	const char *words;   /* in the server's line, NULL: any */
	enum {
		FOR_ALL,
		FOR_MICROSOFT,
		FOR_MICROSOFT_APP,
		FOR_APP,
	} whose;
	enum mt_status status;
	bool token_is_good;
	const char *remedy;
};

static const struct rule rules[] = {
    {"smtp", "5.7.139", FOR_ALL, MT_NEEDS_ADMIN, true,
	"SMTP AUTH is switched off; an administrator switches it on in "
	"Exchange "
	"Online PowerShell: Set-CASMailbox -Identity {user} "
	"-SmtpClientAuthenticationDisabled $false; if that is not enough, the "
	"tenant forbids it: Set-TransportConfig "
	"-SmtpClientAuthenticationDisabled $false, and the security defaults"},
    {"smtp", "4.2.0", FOR_APP, MT_NEEDS_ADMIN, true,
	"the application may not open the mailbox; an administrator runs in "
	"Exchange Online PowerShell: Add-MailboxPermission -Identity {user} "
	"-User OBJECT-ID -AccessRights FullAccess, with the object id of the "
	"enterprise application"},
    {"imap", "[UNAVAILABLE]", FOR_ALL, MT_RETRY_LATER, true,
	"the server has trouble of its own; try again later"},
    {NULL, NULL, FOR_MICROSOFT_APP, MT_NEEDS_ADMIN, false,
	"the token is new, so Exchange does not know the application; an "
	"administrator runs in Exchange Online PowerShell: "
	"New-ServicePrincipal -AppId CLIENT-ID -ObjectId OBJECT-ID, then "
	"Add-MailboxPermission -Identity {user} -User OBJECT-ID -AccessRights "
	"FullAccess, with the object id of the enterprise application, not "
	"that of the app registration"},
    {NULL, NULL, FOR_APP, MT_NEEDS_ADMIN, false,
	"the token is new, so the application may not use the mailbox of "
	"{user}"},
    {NULL, NULL, FOR_MICROSOFT, MT_NEEDS_LOGIN, false,
	"the token is new, so whoever logged in is not {user} and may not use "
	"that mailbox; run 'mailtoken login {account}' as {user}, or an "
	"administrator runs in Exchange Online PowerShell: "
	"Add-MailboxPermission -Identity {user} -User WHO -AccessRights "
	"FullAccess"},
    {NULL, NULL, FOR_ALL, MT_NEEDS_LOGIN, false,
	"the token is new, so whoever logged in is not {user} and may not use "
	"that mailbox, or the scope is not the one for mail; run 'mailtoken "
	"login {account}' as {user}"},
};

static bool
is_microsoft(const struct verdict_facts *facts)
{
	return strncmp(facts->provider, "microsoft", 9) == 0 ||
	       strcmp(facts->provider, "outlook") == 0;
}

static bool
fits(const struct rule *rule, const struct verdict_facts *facts)
{
	bool app = rule->whose == FOR_APP || rule->whose == FOR_MICROSOFT_APP;
	bool microsoft =
	    rule->whose == FOR_MICROSOFT || rule->whose == FOR_MICROSOFT_APP;

	return (!rule->service || strcmp(rule->service, facts->service) == 0) &&
	       (!rule->words || strstr(facts->refusal, rule->words)) &&
	       (!app || facts->app_only) && (!microsoft || is_microsoft(facts));
}

static const struct rule *
find_rule(const struct verdict_facts *facts)
{
	/* an SMTP reply of the 400s is for now only, RFC 5321 s4.2.1 */
	static const struct rule for_now = {NULL, NULL, FOR_ALL, MT_RETRY_LATER,
	    true, "the server has trouble of its own; try again later"};
	const struct rule *rule = rules;

	while (!fits(rule, facts))
		rule++;
	if (!rule->words && *facts->refusal == '4' &&
	    strcmp(facts->service, "smtp") == 0)
		return &for_now;
	return rule;
}

bool
verdict_blames_token(const struct verdict_facts *facts)
{
	return strcmp(facts->end, "refused") == 0 &&
	       !find_rule(facts)->token_is_good;
}

static void
add_remedy(
    struct buf *out, const char *remedy, const struct verdict_facts *facts)
{
	const char *mark;

	while ((mark = strchr(remedy, '{'))) {
		buf_add(out, remedy, (size_t)(mark - remedy));
		buf_add_text(
		    out, mark[1] == 'u' ? facts->user : facts->account);
		remedy = strchr(mark, '}') + 1;
	}
	buf_add_text(out, remedy);
}

static void
add_circumstances(struct buf *out, const struct verdict_facts *facts)
{
	buf_add_format(out, " (%s; offers %s)",
	    *facts->tls ? facts->tls : "TLS",
	    *facts->mechanisms ? facts->mechanisms : "no mechanism");
}

static enum mt_status
write_refusal(
    struct buf *out, struct buf *remedy, const struct verdict_facts *facts)
{
	const struct rule *rule = find_rule(facts);

	buf_add_format(out, "refused the token of %s by %s: \"%s\"",
	    facts->user, facts->used, facts->refusal);
	add_circumstances(out, facts);
	add_remedy(remedy, rule->remedy, facts);
	return rule->status;
}

static enum mt_status
write_end(
    struct buf *out, struct buf *remedy, const struct verdict_facts *facts)
{
	if (strcmp(facts->end, "done") == 0) {
		buf_add_format(
		    out, "logged in as %s by %s", facts->user, facts->used);
		add_circumstances(out, facts);
		return MT_OK;
	}
	if (strcmp(facts->end, "refused") == 0)
		return write_refusal(out, remedy, facts);
	if (strcmp(facts->end, "no-mechanism") == 0) {
		buf_add_text(out, "takes no token: neither XOAUTH2 nor "
				  "OAUTHBEARER is offered");
		add_circumstances(out, facts);
		return MT_REFUSED;
	}
	if (strcmp(facts->end, "untrusted") == 0) {
		buf_add_format(out,
		    "its certificate is not good: %s; the "
		    "token was not sent",
		    facts->why);
		return MT_BAD_CONFIG;
	}
	if (strcmp(facts->end, "no-tls") == 0) {
		buf_add_text(out, "offers no STARTTLS on this port; the token "
				  "was not sent");
		return MT_BAD_CONFIG;
	}
	buf_add_format(out, "cannot be reached: %s", facts->why);
	if (*facts->refusal)
		buf_add_format(out, "; it says \"%s\"", facts->refusal);
	return MT_RETRY_LATER;
}

enum mt_status
verdict_write(
    struct buf *out, struct buf *remedy, const struct verdict_facts *facts)
{
	buf_add_format(
	    out, "%s %s:%ld: ", facts->service, facts->host, facts->port);
	return write_end(out, remedy, facts);
}
