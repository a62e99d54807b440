/* SPDX-License-Identifier: ISC */
/* Looks for what is wrong with a set-up, and says what to do. */
#include "account_walk.h"
#include "doctor.h"

#include "base/log.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX (1024 * 1024)
#define SENTENCE_MAX 1024

static void MT_PRINTF(3, 0) add_sentence(
    struct buf *out, const char *before, const char *format, va_list args)
{
	char text[SENTENCE_MAX];
	int len = vsnprintf(text, sizeof(text), format, args);
	size_t used = len > 0 ? strlen(text) : 0;

	buf_add_text(out, before);
	buf_add_printable(out, text, used, used);
	buf_add_char(out, '\n');
}

void
doctor_find(struct examination *x, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_sentence(&x->out, "- ", format, args);
	va_end(args);
	x->findings++;
}

void
doctor_advise(struct examination *x, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_sentence(&x->out, "  To do: ", format, args);
	va_end(args);
}

static char *
copy(const struct token_wire_message *reply, const char *name)
{
	const char *value = token_wire_get(reply, name);

	return strdup(value ? value : "");
}

static void
account_done(struct doctor_account *account)
{
	free(account->name);
	free(account->state);
	free(account->text);
	free(account->alarm);
	free(account->allow);
}

static enum mt_status
take_account(struct invocation *in, const char *name, void *context,
    struct mt_error *err)
{
	struct examination *x = context;
	struct token_wire_message reply;
	struct doctor_account *grown, *account;
	enum mt_status status;

	if (in->account && strcmp(in->account, name) != 0)
		return MT_OK;
	status = command_ask_status(in, name, false, &reply, err);
	if (status != MT_OK)
		return status;
	grown = reallocarray(x->accounts, x->account_count + 1, sizeof(*grown));
	if (!grown)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a status");
	x->accounts = grown;
	account = &grown[x->account_count];
	*account = (struct doctor_account){strdup(name), copy(&reply, "state"),
	    copy(&reply, "text"), copy(&reply, "alarm"), copy(&reply, "allow")};
	if (account->name && account->state && account->text &&
	    account->alarm && account->allow) {
		x->account_count++;
		return MT_OK;
	}
	account_done(account);
	return mt_fail(err, MT_NO_MEMORY, "no memory for a status");
}

/* Helpers that cannot be asked are a finding, not a failure. */
static enum mt_status
collect_accounts(struct examination *x, struct mt_error *err)
{
	struct mt_error why = {0};

	x->in->helper.only_running = true;
	if (account_walk(x->in, take_account, x, &why) != MT_OK)
		log_debug("%s", why.text);
	if (x->in->account && !x->account_count)
		return why.status != MT_OK
			   ? (*err = why).status
			   : mt_fail(err, MT_NO_ACCOUNT, "no such account");
	return MT_OK;
}

static void
examine(struct examination *x)
{
	static const struct doctor_row *const tables[] = {doctor_module_rows,
	    doctor_socket_rows, doctor_postfix_rows, doctor_account_rows};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct doctor_row *row = tables[i]; row->name;
		     row++) {
			int before = x->findings;

			row->look(x);
			log_debug(
			    "%s: %d found", row->name, x->findings - before);
		}
}

static enum mt_status
read_options(
    struct examination *x, struct doctor_user *user, struct mt_error *err)
{
	static const struct option known[] = {
	    {"user", required_argument, NULL, 'u'},
	    {"chroot", required_argument, NULL, 'c'},
	    {NULL, 0, NULL, 0},
	};
	struct invocation *in = x->in;
	int c;

	while ((c = getopt_long(in->argc, in->argv, "", known, NULL)) != -1) {
		if (c == 'c') {
			x->jail = optarg;
			continue;
		}
		if (c != 'u')
			return command_bad_option(in, err);
		if (!doctor_find_user(optarg, 0, user))
			return mt_fail(
			    err, MT_USAGE, "there is no user '%s'", optarg);
		x->user = user;
	}
	if (x->user && geteuid() != 0 && user->uid != geteuid())
		return mt_fail(err, MT_USAGE,
		    "only root can look with the eyes of another user");
	return optind == in->argc ? MT_OK : command_take_account(in, err);
}

static enum mt_status
print(struct examination *x, struct mt_error *err)
{
	if (!buf_ok(&x->out))
		return mt_fail(err, MT_NO_MEMORY, "too many findings");
	if (!x->findings) {
		printf("nothing is wrong: %zu account%s, token helper at %s\n",
		    x->account_count, x->account_count == 1 ? "" : "s",
		    x->helper);
		return MT_OK;
	}
	fputs(buf_text(&x->out), stdout);
	fflush(stdout);
	return mt_fail(err, MT_REFUSED, "%d thing%s to mend", x->findings,
	    x->findings == 1 ? "" : "s");
}

static enum mt_status
run(struct invocation *in, struct mt_error *err)
{
	struct examination x = {.in = in, .out = BUF_INIT(OUTPUT_MAX)};
	struct doctor_user user;
	enum mt_status status = read_options(&x, &user, err);

	if (status == MT_OK)
		doctor_name_socket(&x);
	if (status == MT_OK)
		status = collect_accounts(&x, err);
	if (status == MT_OK) {
		examine(&x);
		status = print(&x, err);
	}
	for (size_t i = 0; i < x.account_count; i++)
		account_done(&x.accounts[i]);
	free(x.accounts);
	buf_done(&x.out);
	return status;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .arguments = "[ACCOUNT] [--user NAME] [--chroot DIR]",
    .help = "look for what is wrong, and say what to do",
    .run = run,
};
