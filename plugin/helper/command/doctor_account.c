/* SPDX-License-Identifier: ISC */
/* The accounts, as their helper sees them: each state has its remedy. */
#include "doctor.h"

#include <string.h>

static const struct {
	const char *state;
	const char *what;
	const char *advice;
	const char *command; /* that ends it, for this account */
} states[] = {
    {"degraded", "cannot be refreshed just now",
	"wait, it is tried again; if it lasts, look at the way to the server; "
	"at once it is tried by",
	"refresh"},
    {"needs-login", "needs a person to log in", "run", "login"},
    {"needs-admin", "needs an administrator of the provider",
	"show the administrator this error, and afterwards run", "refresh"},
    {"broken-config", "has wrong settings or a wrong registration",
	"mend what the error names, run 'mailtoken reload' and then",
	"refresh"},
};

/* The helper's texts begin with what to do, or with the account: both are said
 * already. */
static const char *
reason(const struct doctor_account *account)
{
	const char *text = account->text, *rest;

	if (strncmp(text, "run '", 5) == 0 && (rest = strstr(text, "': ")))
		return rest + 3;
	if (strncmp(text, "account ", 8) == 0 && (rest = strstr(text, ": ")))
		return rest + 2;
	return *text ? text : "no reason is known";
}

static void
look_at_state(struct examination *x, const struct doctor_account *account)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (strcmp(account->state, states[i].state) != 0)
			continue;
		doctor_find(x, "account %s %s: %s", account->name,
		    states[i].what, reason(account));
		doctor_advise(x, "%s 'mailtoken %s %s'", states[i].advice,
		    states[i].command, account->name);
	}
}

static void
look_at_states(struct examination *x)
{
	for (size_t i = 0; i < x->account_count; i++)
		look_at_state(x, &x->accounts[i]);
}

static void
look_at_alarms(struct examination *x)
{
	for (size_t i = 0; i < x->account_count; i++) {
		const struct doctor_account *account = &x->accounts[i];

		if (!*account->alarm)
			continue;
		doctor_find(x, "account %s raises an alarm: %s", account->name,
		    account->alarm);
		doctor_advise(x,
		    "free the disk if it is full; when it says "
		    "that somebody must, run 'mailtoken login %s'",
		    account->name);
	}
}

const struct doctor_row doctor_account_rows[] = {
    {"account-state", look_at_states},
    {"account-alarm", look_at_alarms},
    {NULL, NULL},
};
