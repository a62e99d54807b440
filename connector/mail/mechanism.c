/* SPDX-License-Identifier: ISC */
#include "mail/mechanism.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define LIST_MAX 160 /* bytes of a list in an error text */

/* Is `name` one of the words in `words`? */
static bool
has_word(const char *words, const char *name)
{
	size_t len = strlen(name);

	while (*words) {
		size_t word = strcspn(words, " ");
		if (word == len && strncasecmp(words, name, len) == 0)
			return true;
		words += word;
		words += strspn(words, " ");
	}
	return false;
}

static void
list_ours(struct buf *list, const char *const *mechanisms)
{
	for (; *mechanisms; mechanisms++) {
		if (list->len)
			buf_add_char(list, ' ');
		buf_add_text(list, *mechanisms);
	}
}

static enum mt_status
none_fits(const struct mail_server *server, const char *offered,
    const char *peer, struct mt_error *err)
{
	struct buf ours = BUF_INIT(1024), theirs = BUF_INIT(1024);

	list_ours(&ours, server->mechanisms);
	buf_add_printable(&theirs, offered, strlen(offered), LIST_MAX);
	if (*offered)
		mt_fail(err, MT_BAD_CONFIG,
		    "%s offers no usable way to log in: it can do %s, this "
		    "account %s",
		    peer, buf_text(&theirs), buf_text(&ours));
	else
		mt_fail(err, MT_BAD_CONFIG,
		    "%s offers no way to log in at all%s; this account could "
		    "do %s",
		    peer, server->tls == MAIL_TLS_NONE ? " without TLS" : "",
		    buf_text(&ours));
	buf_done(&ours);
	buf_done(&theirs);
	return MT_BAD_CONFIG;
}

enum mt_status
mechanism_choose(const char **ret_mechanism, const struct mail_server *server,
    const char *offered, const char *peer, struct mt_error *err)
{
	for (const char *const *m = server->mechanisms; *m; m++)
		if (has_word(offered, *m)) {
			*ret_mechanism = *m;
			return MT_OK;
		}
	return none_fits(server, offered, peer, err);
}

bool
mechanism_is_oauth(const char *mechanism)
{
	return strcasecmp(mechanism, "XOAUTH2") == 0 ||
	       strcasecmp(mechanism, "OAUTHBEARER") == 0;
}

const char *
mechanism_package(const char *mechanism)
{
	if (mechanism_is_oauth(mechanism))
		return "libsasl2-modules-mailtoken";
	if (strcasecmp(mechanism, "GSSAPI") == 0)
		return "libsasl2-modules-gssapi-mit";
	return "libsasl2-modules";
}
