/* SPDX-License-Identifier: ISC */
/* The accounts, as their helper sees them: each state has its remedy. */
#include "doctor.h"

#include <stdlib.h>
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

static const struct {
	const char *words; /* the alarm begins with; NULL: any */
	const char *advice;
	const char *command; /* for this account */
} alarms[] = {
    {"the new refresh token is in memory only",
	"free the disk, or mend the state directory; what became of it shows",
	"status"},
    {"the refresh token that was given",
	"look into the log for the reason; with a better one, run",
	"login --refresh-token-file FILE"},
    {"a refresh ",
	"it may heal by itself; if it does not, somebody must log in again by",
	"login"},
    {NULL, "do what it says; more is shown by", "status"},
};

static void
look_at_alarm(struct examination *x, const struct doctor_account *account)
{
	size_t i = 0;

	while (alarms[i].words && strncmp(account->alarm, alarms[i].words,
				      strlen(alarms[i].words)) != 0)
		i++;
	doctor_find(
	    x, "account %s raises an alarm: %s", account->name, account->alarm);
	doctor_advise(x, "%s 'mailtoken %s %s'", alarms[i].advice,
	    alarms[i].command, account->name);
}

/* The clock's is a finding of its own, once for all accounts. */
static bool
is_about_clock(const struct doctor_account *account)
{
	return account->skew_s &&
	       strncmp(account->alarm, "the clock ", 10) == 0;
}

static void
look_at_alarms(struct examination *x)
{
	for (size_t i = 0; i < x->account_count; i++) {
		const struct doctor_account *account = &x->accounts[i];

		if (*account->alarm && !is_about_clock(account))
			look_at_alarm(x, account);
	}
}

/* The first whose server's clock is another is enough: ours is the one that all
 * share. */
static void
look_at_clock(struct examination *x)
{
	for (size_t i = 0; i < x->account_count; i++) {
		const struct doctor_account *account = &x->accounts[i];

		if (!account->skew_s)
			continue;
		doctor_find(x,
		    "the clock of this machine is wrong: by that of account "
		    "%s's server it is %ld min %s",
		    account->name, labs(account->skew_s) / 60,
		    account->skew_s > 0 ? "behind" : "ahead");
		doctor_advise(x,
		    "set the clock and have it kept right ('timedatectl "
		    "set-ntp true'), then run 'mailtoken refresh %s'",
		    account->name);
		return;
	}
}

const struct doctor_row doctor_account_rows[] = {
    {"account-state", look_at_states},
    {"account-alarm", look_at_alarms},
    {"clock", look_at_clock},
    {NULL, NULL},
};
