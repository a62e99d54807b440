/* SPDX-License-Identifier: ISC */
#include "status_report.h"

#include "clock.h"

#include "tokensock/token_wire.h"

#include <json-c/json.h>
#include <stdio.h>

/* One field; a NULL text stands for the number. */
struct item {
	const char *name;
	const char *text;
	long number;
};

#define ITEMS 23
#define ALLOW_MAX 4096

/* What the items point to. */
struct texts {
	char refreshed_at[CLOCK_TEXT_SIZE];
	char login_at[CLOCK_TEXT_SIZE];
	char allow[ALLOW_MAX];
};

/* By number, as many as fit. */
static void
write_allow(const struct account_settings *settings, char ret[ALLOW_MAX])
{
	int used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < settings->allow_count && used < ALLOW_MAX - 32;
	     i++)
		used += snprintf(ret + used, ALLOW_MAX - (size_t)used,
		    "%s%s:%lu", used ? " " : "",
		    settings->allow[i].is_group ? "gid" : "uid",
		    (unsigned long)settings->allow[i].id);
}

static void
fill(const struct account *account, struct account_view *view,
    struct texts *texts, struct item items[ITEMS])
{
	const struct account_settings *settings = account_settings_of(account);
	const char *provider =
	    settings->provider_name ? settings->provider_name : "generic";
	const char *host = settings->provider.redirect_host;
	const char *port = settings->provider.redirect_port;
	const char *imap = settings->provider.host[SERVICE_IMAP];
	const char *smtp = settings->provider.host[SERVICE_SMTP];

	account_view(account, view);
	clock_format(view->refreshed_at, texts->refreshed_at);
	write_allow(settings, texts->allow);
	clock_format(view->login_at, texts->login_at);
	const struct item filled[ITEMS] = {
	    {"account", settings->name, 0},
	    {"state", account_state_word(view->state), 0},
	    {"user", settings->user, 0},
	    {"provider", provider, 0},
	    {"grant", settings->grant ? settings->grant : "", 0},
	    {"imap_host", imap ? imap : "", 0},
	    {"smtp_host", smtp ? smtp : "", 0},
	    {"allow", texts->allow, 0},
	    {"redirect_host", host ? host : "", 0},
	    {"redirect_port", port ? port : "", 0},
	    {"serial", NULL, (long)view->serial},
	    {"expires_in", NULL, view->expires_in_s},
	    {"login_at", texts->login_at, 0},
	    {"identity", view->identity, 0},
	    {"refreshed_at", texts->refreshed_at, 0},
	    {"next_attempt_s", NULL, view->next_attempt_s},
	    {"in_use", NULL, view->in_use},
	    {"next_refresh_s", NULL, view->next_refresh_s},
	    {"skew_s", NULL, view->skew_s},
	    {"server_failures", NULL, view->issuer.failures},
	    {"server_trial_s", NULL, view->issuer.next_trial_s},
	    {"text", view->text, 0},
	    {"alarm", view->alarm, 0},
	};
	for (size_t i = 0; i < ITEMS; i++)
		items[i] = filled[i];
}

void
status_report_add(struct secret *frame, const struct account *account)
{
	struct texts texts;
	struct account_view view;
	struct item items[ITEMS];

	fill(account, &view, &texts, items);
	for (size_t i = 0; i < ITEMS; i++) {
		if (items[i].text)
			token_wire_add(frame, items[i].name, items[i].text);
		else
			token_wire_add_number(
			    frame, items[i].name, items[i].number);
	}
}

void
status_report_add_json(struct secret *frame, const struct account *account)
{
	struct json_object *object = json_object_new_object();
	struct texts texts;
	struct account_view view;
	struct item items[ITEMS];

	fill(account, &view, &texts, items);
	for (size_t i = 0; i < ITEMS; i++)
		json_object_object_add(object, items[i].name,
		    items[i].text ? json_object_new_string(items[i].text)
				  : json_object_new_int64(items[i].number));
	token_wire_add(frame, "json",
	    json_object_to_json_string_ext(object,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
