/* SPDX-License-Identifier: ISC */
#include "mail/imap_reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

static const struct {
	const char *word;
	enum imap_condition condition;
} conditions[] = {
    {"OK", IMAP_OK},
    {"NO", IMAP_NO},
    {"BAD", IMAP_BAD},
    {"PREAUTH", IMAP_PREAUTH},
    {"BYE", IMAP_BYE},
};

/* Is the word at `text` this one, in any case? */
static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool
read_condition(const char **text, enum imap_condition *ret_condition)
{
	size_t len = strcspn(*text, " ");

	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++)
		if (is_word(*text, len, conditions[i].word)) {
			*ret_condition = conditions[i].condition;
			*text += len;
			*text += strspn(*text, " ");
			return true;
		}
	return false;
}

/* "[CODE detail] text" */
static void
read_code(struct imap_reply *reply)
{
	const char *text = reply->text, *end = strchr(text, ']');
	size_t len;

	reply->code[0] = '\0';
	reply->detail = "";
	if (text[0] != '[' || !end)
		return;
	text++;
	len = strcspn(text, " ]");
	if (len < sizeof(reply->code)) {
		memcpy(reply->code, text, len);
		reply->code[len] = '\0';
	}
	reply->detail = text + len + strspn(text + len, " ");
	reply->text = end + 1;
	reply->text += strspn(reply->text, " ");
}

bool
imap_reply_parse(
    const char *line, const char *tag, struct imap_reply *ret_reply)
{
	size_t len = strlen(tag);
	struct imap_reply reply;
	const char *text;

	if (strncmp(line, tag, len) != 0 || line[len] != ' ')
		return false;
	text = line + len + 1;
	if (!read_condition(&text, &reply.condition))
		return false;
	reply.text = text;
	read_code(&reply);
	*ret_reply = reply;
	return true;
}

static void
add_mechanism(struct imap_capabilities *c, const char *name, size_t len)
{
	size_t used = strlen(c->mechanisms);

	if (used + len + 2 > sizeof(c->mechanisms))
		return; /* more than anybody has */
	if (used)
		c->mechanisms[used++] = ' ';
	memcpy(c->mechanisms + used, name, len);
	c->mechanisms[used + len] = '\0';
}

void
imap_capabilities_parse(
    const char *words, struct imap_capabilities *ret_capabilities)
{
	struct imap_capabilities c = {0};

	words += strspn(words, " ");
	while (*words && *words != ']') {
		size_t len = strcspn(words, " ]");
		if (len > 5 && strncasecmp(words, "AUTH=", 5) == 0)
			add_mechanism(&c, words + 5, len - 5);
		else if (is_word(words, len, "STARTTLS"))
			c.starttls = true;
		else if (is_word(words, len, "SASL-IR"))
			c.sasl_ir = true;
		else if (is_word(words, len, "LOGINDISABLED"))
			c.login_disabled = true;
		words += len;
		words += strspn(words, " ");
	}
	*ret_capabilities = c;
}

static const struct {
	const char *code;
	enum mt_status status;
	bool rejected;
} refusals[] = {
    {"AUTHENTICATIONFAILED", MT_NEEDS_LOGIN, true},
    {"EXPIRED", MT_NEEDS_LOGIN, true},
    {"AUTHORIZATIONFAILED", MT_NEEDS_ADMIN, false},
    {"CONTACTADMIN", MT_NEEDS_ADMIN, false},
    {"PRIVACYREQUIRED", MT_BAD_CONFIG, false},
    {"UNAVAILABLE", MT_RETRY_LATER, false},
    {"INUSE", MT_RETRY_LATER, false},
    {"LIMIT", MT_RETRY_LATER, false},
    {"SERVERBUG", MT_RETRY_LATER, false},
    {"THROTTLED", MT_RETRY_LATER, false},
};

/* What servers say that have no code for "later". */
static const char *const later[] = {
    "too many",
    "temporar",
    "try again",
    "unavailable",
    "exceeded",
    "not connected",
};

static bool
sounds_temporary(const char *text)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
		if (strcasestr(text, later[i]))
			return true;
	return false;
}

static void
classify(const struct imap_reply *reply, struct auth_reply *refusal)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (strcasecmp(reply->code, refusals[i].code) == 0) {
			refusal->status = refusals[i].status;
			refusal->rejected = refusals[i].rejected;
			return;
		}
	/* A command that was not understood says nothing of credentials. */
	if (reply->condition != IMAP_NO || sounds_temporary(reply->text)) {
		refusal->status = MT_RETRY_LATER;
		refusal->rejected = false;
		return;
	}
	refusal->status = MT_NEEDS_LOGIN;
	refusal->rejected = true;
}

const char *
imap_reply_explanation(const char *text)
{
	/* Exchange Online took the credentials and cannot open the mailbox. */
	return strcasestr(text, "authenticated but not connected")
		   ? " (the mailbox cannot be reached now, or IMAP is switched "
		     "off for it)"
		   : "";
}

void
imap_reply_refusal(
    const struct imap_reply *reply, struct auth_reply *ret_refusal)
{
	struct buf text = BUF_INIT(AUTH_TEXT_MAX - 1);

	buf_add_printable(&text, reply->text, strlen(reply->text), 180);
	buf_add_text(&text, imap_reply_explanation(reply->text));
	if (reply->condition == IMAP_BYE)
		buf_add_text(&text, " (and closed the connection)");
	ret_refusal->kind = AUTH_REFUSED;
	snprintf(ret_refusal->text, sizeof(ret_refusal->text), "%s",
	    text.len ? buf_text(&text) : "no reason given");
	buf_done(&text);
	classify(reply, ret_refusal);
}
