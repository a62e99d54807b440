/* SPDX-License-Identifier: ISC */
#include "mail/imap_reply.h"

#include <stdio.h>
#include <stdlib.h>
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

/* Does the line end in "{n}"?  More than 9 digits are more than anybody has. */
static bool
announces_literal(const char *line, size_t *ret_bytes)
{
	const char *brace = strrchr(line, '{');
	size_t digits = brace ? strspn(brace + 1, "0123456789") : 0;

	if (!digits || digits > 9 || strcmp(brace + 1 + digits, "}") != 0)
		return false;
	*ret_bytes = strtoul(brace + 1, NULL, 10);
	return true;
}

bool
imap_literal_follow(struct imap_literal *literal, const char *line)
{
	struct imap_reply reply;
	bool begins = !literal->open;

	if (!begins && strlen(line) < literal->bytes)
		return false;
	if (!begins)
		line += literal->bytes;
	literal->open = false;
	/* text for people may end in anything */
	if (begins && (line[0] != '*' || imap_reply_parse(line, "*", &reply)))
		return true;
	literal->open = announces_literal(line, &literal->bytes);
	return true;
}

/* Adds a word to a list of `size` bytes. */
static void
add_word(char *list, size_t size, const char *word, size_t len)
{
	size_t used = strlen(list);

	if (used + len + 2 > size)
		return; /* more than anybody has */
	if (used)
		list[used++] = ' ';
	memcpy(list + used, word, len);
	list[used + len] = '\0';
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
			add_word(c.mechanisms, sizeof(c.mechanisms), words + 5,
			    len - 5);
		else if (is_word(words, len, "STARTTLS"))
			c.starttls = true;
		else if (is_word(words, len, "SASL-IR"))
			c.sasl_ir = true;
		else if (is_word(words, len, "LOGINDISABLED"))
			c.login_disabled = true;
		add_word(c.words, sizeof(c.words), words, len);
		words += len;
		words += strspn(words, " ");
	}
	*ret_capabilities = c;
}

bool
imap_capabilities_have(const char *words, const char *name)
{
	size_t len;

	for (words += strspn(words, " "); *words && *words != ']';
	     words += len, words += strspn(words, " ")) {
		len = strcspn(words, " ]");
		if (is_word(words, len, name))
			return true;
	}
	return false;
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

bool
imap_reply_is_temporary(const struct imap_reply *reply)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (strcasecmp(reply->code, refusals[i].code) == 0)
			return refusals[i].status == MT_RETRY_LATER;
	return strcasecmp(reply->code, "NONEXISTENT") != 0 &&
	       strcasecmp(reply->code, "NOPERM") != 0 &&
	       sounds_temporary(reply->text);
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
