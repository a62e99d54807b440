/* SPDX-License-Identifier: ISC */
/*
 * The mail servers of the account that was named, each by a login: what only
 * they can tell, such as SMTP AUTH that is switched off.
 */
#include "doctor.h"

#include <string.h>

static void
report(struct examination *x, enum mail_test_server which,
    enum mt_status status, const struct buf *line, const struct buf *remedy,
    const struct mt_error *why)
{
	const struct mail_server *server = &x->mail->servers[which];

	if (status == MT_OK)
		return;
	if (line->len)
		doctor_find(x, "%s", buf_text(line));
	else
		doctor_find(x, "%s %s:%ld cannot be tried: %s", server->service,
		    server->host, server->port, why->text);
	if (remedy->len)
		doctor_advise(x, "%s", buf_text(remedy));
	else
		doctor_advise(x,
		    "look at the way to the server, its name and its port; "
		    "then run 'mailtoken test %s'",
		    x->in->account);
}

static void
look_at_server(struct examination *x, enum mail_test_server which)
{
	struct buf line = BUF_INIT(MAIL_TEST_TEXT_MAX);
	struct buf remedy = BUF_INIT(MAIL_TEST_TEXT_MAX);
	struct mt_error why = {0};

	report(x, which, mail_test_try(x->mail, which, &line, &remedy, &why),
	    &line, &remedy, &why);
	buf_done(&line);
	buf_done(&remedy);
}

/* Whether there is a token to log in with; if not, that is said already. */
static bool
has_token(const struct examination *x)
{
	return x->in->account && x->account_count &&
	       strcmp(x->accounts[0].state, "ok") == 0;
}

static void
look_at_servers(struct examination *x)
{
	struct helper *helper = &x->in->helper;
	struct mt_error err = {0};

	if (!has_token(x))
		return;
	/* from the first again: all have been asked for their accounts */
	helper->next = 0;
	if (helper_find(helper, x->in->account, deadline_in_ms(HELPER_CALL_MS),
		&err) != MT_OK ||
	    mail_test_find_servers(x->mail, &err) != MT_OK)
		return;
	for (int i = 0; i < MAIL_TEST_SERVERS; i++)
		if (*x->mail->servers[i].host)
			look_at_server(x, (enum mail_test_server)i);
}

const struct doctor_row doctor_server_rows[] = {
    {"mail-server", look_at_servers},
    {NULL, NULL},
};
