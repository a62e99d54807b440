/* SPDX-License-Identifier: ISC */
#include "failure.h"

#include <stddef.h>
#include <string.h>

struct word_rule {
	const char *word;
	enum failure_class class;
	const char *meaning;
};

#define LOG_IN "the server ended the login"
#define PERSON "the server wants the person to act"

/* RFC 6749 s5.2, and what servers add to it. */
static const struct word_rule error_rules[] = {
    {"invalid_grant", FAILURE_LOGIN, LOG_IN},
    {"interaction_required", FAILURE_LOGIN, PERSON},
    {"consent_required", FAILURE_LOGIN, PERSON},
    {"login_required", FAILURE_LOGIN, PERSON},
    {"account_selection_required", FAILURE_LOGIN, PERSON},
    {"bad_token", FAILURE_LOGIN, LOG_IN},
    {"invalid_token", FAILURE_LOGIN, LOG_IN},
    {"access_denied", FAILURE_ADMIN, "the server's policy refuses access"},
    {"temporarily_unavailable", FAILURE_TRANSIENT, NULL},
    {"server_error", FAILURE_TRANSIENT, NULL},
    {"slow_down", FAILURE_TRANSIENT, NULL},
    {"timeout", FAILURE_TRANSIENT, NULL},
    {"request_timeout", FAILURE_TRANSIENT, NULL},
    {"too_many_requests", FAILURE_TRANSIENT, NULL},
    {"invalid_client", FAILURE_CONFIG,
	"client_id or client_secret_file is not what the server expects"},
    {"unauthorized_client", FAILURE_CONFIG,
	"this client_id may not be used in this way"},
    {"unsupported_grant_type", FAILURE_CONFIG,
	"token_endpoint is not the right one, or the client may not refresh"},
    {"invalid_scope", FAILURE_CONFIG, "the server does not take `scope`"},
    {"invalid_resource", FAILURE_CONFIG, "the server does not take `scope`"},
    {"invalid_target", FAILURE_CONFIG, "the server does not take `scope`"},
    {"invalid_request", FAILURE_CONFIG, "the server does not take the request"},
    {NULL, FAILURE_TRANSIENT, NULL},
};

/* Microsoft's `suberror`, which says more than `error` does. */
static const struct word_rule suberror_rules[] = {
    {"message_only", FAILURE_ADMIN, "the tenant's policy refuses access"},
    {"protection_policy_required", FAILURE_ADMIN,
	"the tenant's policy wants a managed application"},
    {"device_authentication_failed", FAILURE_ADMIN,
	"the tenant's policy wants a registered device"},
    {NULL, FAILURE_TRANSIENT, NULL},
};

/* RFC 8628 s3.5, and Microsoft's own words. */
static const struct device_rule {
	const char *word;
	enum failure_device meaning;
} device_rules[] = {
    {"authorization_pending", FAILURE_DEVICE_PENDING},
    {"slow_down", FAILURE_DEVICE_SLOWER},
    {"access_denied", FAILURE_DEVICE_DENIED},
    {"authorization_declined", FAILURE_DEVICE_DENIED},
    {"expired_token", FAILURE_DEVICE_EXPIRED},
    {"bad_verification_code", FAILURE_DEVICE_EXPIRED},
    {NULL, FAILURE_DEVICE_OTHER},
};

struct number_rule {
	long number;
	enum failure_class class;
	long retry_after_s;
	const char *meaning;
};

static const struct number_rule number_rules[] = {
    /* the server's own troubles */
    {40010, FAILURE_TRANSIENT, 0, NULL},
    {50033, FAILURE_TRANSIENT, 0, NULL},
    {50087, FAILURE_TRANSIENT, 0, NULL},
    {50088, FAILURE_TRANSIENT, 0, NULL},
    {50196, FAILURE_TRANSIENT, 600, "the server sees a loop of requests"},
    {51005, FAILURE_TRANSIENT, 0, NULL},
    {70012, FAILURE_TRANSIENT, 0, NULL},
    {80002, FAILURE_TRANSIENT, 0, NULL},
    {80005, FAILURE_TRANSIENT, 0, NULL},
    {90006, FAILURE_TRANSIENT, 0, NULL},
    {90012, FAILURE_TRANSIENT, 0, NULL},
    {90024, FAILURE_TRANSIENT, 0, NULL},
    {90033, FAILURE_TRANSIENT, 0, NULL},
    {90055, FAILURE_TRANSIENT, 0, NULL},
    {90090, FAILURE_TRANSIENT, 0, NULL},
    {90091, FAILURE_TRANSIENT, 0, NULL},
    /* administrator and policy */
    {50020, FAILURE_ADMIN, 0, "the user is not in this tenant; check `tenant`"},
    {50034, FAILURE_ADMIN, 0, "the user does not exist in this tenant"},
    {50053, FAILURE_ADMIN, 0, "the user is locked after too many attempts"},
    {50055, FAILURE_ADMIN, 0, "the user's password has expired"},
    {50057, FAILURE_ADMIN, 0, "the user is disabled"},
    {50105, FAILURE_ADMIN, 0, "the user is not assigned to the application"},
    {53000, FAILURE_ADMIN, 0, "Conditional Access wants a compliant device"},
    {53001, FAILURE_ADMIN, 0, "Conditional Access wants a joined device"},
    {53002, FAILURE_ADMIN, 0, "Conditional Access wants an approved app"},
    {53003, FAILURE_ADMIN, 0, "Conditional Access blocks this access"},
    {65002, FAILURE_ADMIN, 0, "the application must be authorized first"},
    {90094, FAILURE_ADMIN, 0, "an administrator must consent"},
    {530032, FAILURE_ADMIN, 0, "the tenant's security policy blocks this"},
    {530035, FAILURE_ADMIN, 0, "security defaults block this"},
    /* a person logs in again */
    {50072, FAILURE_LOGIN, 0, "the user must enrol for a second factor"},
    {50074, FAILURE_LOGIN, 0, "a second factor is needed"},
    {50076, FAILURE_LOGIN, 0, "a second factor is needed"},
    {50078, FAILURE_LOGIN, 0, "the second factor has expired"},
    {50079, FAILURE_LOGIN, 0, "the user must enrol for a second factor"},
    {50089, FAILURE_LOGIN, 0, "the login has expired"},
    {50132, FAILURE_LOGIN, 0, "the password was changed or the login revoked"},
    {50133, FAILURE_LOGIN, 0, "the password was changed or has expired"},
    {50173, FAILURE_LOGIN, 0, "the password was changed or the login revoked"},
    {65001, FAILURE_LOGIN, 0, "the user or an administrator must consent"},
    {70000, FAILURE_LOGIN, 0, "the refresh token is not valid"},
    {70008, FAILURE_LOGIN, 0, "the refresh token has expired"},
    {70043, FAILURE_LOGIN, 0, "the tenant wants a new login at this interval"},
    {700082, FAILURE_LOGIN, 0, "the login was not used for too long"},
    {700084, FAILURE_LOGIN, 0,
	"the login ends after 24 hours, because the application is registered "
	"as a single-page application; register it as a desktop application"},
    {7000012, FAILURE_LOGIN, 0, "the login was made in another tenant"},
    /* settings */
    {50011, FAILURE_CONFIG, 0,
	"the redirect address is not registered; add http://localhost as a "
	"mobile and desktop redirect"},
    {50194, FAILURE_CONFIG, 0,
	"the application is registered for one tenant; set `tenant` to it"},
    {70001, FAILURE_CONFIG, 0, "client_id is not known in this tenant"},
    {70011, FAILURE_CONFIG, 0, "`scope` is not valid"},
    {90002, FAILURE_CONFIG, 0, "there is no such tenant; check `tenant`"},
    {90038, FAILURE_CONFIG, 0, "the tenant is in another national cloud"},
    {650052, FAILURE_CONFIG, 0, "the tenant has no service for `scope`"},
    {650056, FAILURE_CONFIG, 0, "the application lacks the permission"},
    {650057, FAILURE_CONFIG, 0, "the application lacks the permission"},
    {700016, FAILURE_CONFIG, 0, "client_id is not known in this tenant"},
    {700025, FAILURE_CONFIG, 0,
	"the client is public; remove client_secret_file"},
    {900144, FAILURE_CONFIG, 0, "the request lacks a parameter"},
    {7000112, FAILURE_CONFIG, 0, "the application is disabled"},
    {7000215, FAILURE_CONFIG, 0,
	"the client secret is wrong; the file must hold the secret's value, "
	"not its id"},
    {7000218, FAILURE_CONFIG, 0,
	"the client is confidential; set client_secret_file, or allow public "
	"client flows in its registration"},
    {7000222, FAILURE_CONFIG, 0, "the client secret has expired"},
    {9001023, FAILURE_CONFIG, 0, "this `tenant` does not serve the request"},
    {9002332, FAILURE_CONFIG, 0,
	"the application is for work and school accounts only; check `tenant`"},
    {0, FAILURE_TRANSIENT, 0, NULL},
};

/* Replies without an OAuth error in them: often a proxy or portal between us
 * and the server speaks, which must not end a login. */
struct status_rule {
	long from, to;
	bool empty_only;
	enum failure_class class;
	bool ambiguous;
	const char *meaning;
};

static const struct status_rule status_rules[] = {
    {200, 299, false, FAILURE_TRANSIENT, true,
	"the reply is not a token; something between us and the server may "
	"have answered"},
    {300, 399, false, FAILURE_TRANSIENT, false,
	"the server redirects; check token_endpoint"},
    {400, 400, true, FAILURE_LOGIN, false, LOG_IN " without saying why"},
    {401, 401, true, FAILURE_CONFIG, false, "the server refuses the client"},
    {408, 408, false, FAILURE_TRANSIENT, true, NULL},
    {404, 405, false, FAILURE_TRANSIENT, false,
	"nothing there takes token requests; check token_endpoint"},
    {500, 599, false, FAILURE_TRANSIENT, true, NULL},
    {0, 999, false, FAILURE_TRANSIENT, false, NULL},
};

static const struct word_rule *
find_word(const struct word_rule *rules, const char *word)
{
	for (; word && rules->word; rules++)
		if (strcmp(rules->word, word) == 0)
			return rules;
	return NULL;
}

static const struct number_rule *
find_number(long number)
{
	for (const struct number_rule *r = number_rules; r->number; r++)
		if (r->number == number)
			return r;
	return NULL;
}

static void
judge_by_http(struct failure *failure, const struct failure_facts *facts)
{
	const struct status_rule *r = status_rules;

	while (facts->http_status < r->from || facts->http_status > r->to ||
	       (r->empty_only && !facts->body_is_empty))
		r++;
	failure->class = r->class;
	failure->ambiguous = r->ambiguous;
	failure->meaning = r->meaning;
}

/* An unknown error of a 4xx may be cured by nothing that we could do, or by
 * time: a pause does no harm, a verdict could. */
static void
judge_by_words(struct failure *failure, const struct failure_facts *facts)
{
	const struct word_rule *rule =
	    find_word(suberror_rules, facts->suberror);

	if (!rule)
		rule = find_word(error_rules, facts->error);
	failure->class = rule ? rule->class : FAILURE_TRANSIENT;
	failure->meaning = rule ? rule->meaning : NULL;
	failure->ambiguous = facts->http_status >= 500;
}

static void
judge_by_number(struct failure *failure, long number)
{
	const struct number_rule *rule = find_number(number);

	if (!rule)
		return;
	if (rule->class < failure->class)
		failure->class = rule->class;
	if (rule->meaning)
		failure->meaning = rule->meaning;
	failure->retry_after_s = rule->retry_after_s;
}

static bool
is_servers_trouble(long http_status)
{
	return http_status == 408 || http_status == 425 || http_status == 429 ||
	       http_status >= 500;
}

struct failure
failure_classify(const struct failure_facts *facts)
{
	struct failure failure = {0};

	if (facts->misconfigured) {
		failure.class = FAILURE_CONFIG;
		return failure;
	}
	if (!facts->http_status) {
		failure.ambiguous = facts->sent;
		return failure;
	}
	if (facts->error)
		judge_by_words(&failure, facts);
	else
		judge_by_http(&failure, facts);
	if (facts->number)
		judge_by_number(&failure, facts->number);
	if (is_servers_trouble(facts->http_status))
		failure.class = FAILURE_TRANSIENT;
	if (facts->retry_after_s > failure.retry_after_s)
		failure.retry_after_s = facts->retry_after_s;
	return failure;
}

enum failure_device
failure_of_device(const char *error)
{
	const struct device_rule *rule = device_rules;

	while (rule->word && (!error || strcmp(rule->word, error) != 0))
		rule++;
	return rule->meaning;
}

enum mt_status failure_status(enum failure_class class)
{
	switch (class) {
	case FAILURE_TRANSIENT:
		return MT_RETRY_LATER;
	case FAILURE_ADMIN:
		return MT_NEEDS_ADMIN;
	case FAILURE_LOGIN:
		return MT_NEEDS_LOGIN;
	case FAILURE_CONFIG:
		return MT_BAD_CONFIG;
	}
	return MT_RETRY_LATER;
}

enum failure_class
failure_class_of(enum mt_status status)
{
	if (status == MT_BAD_CONFIG)
		return FAILURE_CONFIG;
	return status == MT_NEEDS_ADMIN ? FAILURE_ADMIN : FAILURE_TRANSIENT;
}
