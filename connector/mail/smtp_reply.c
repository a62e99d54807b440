/* SPDX-License-Identifier: ISC */
#include "mail/smtp_reply.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void
smtp_reply_done(struct smtp_reply *reply)
{
	buf_done(&reply->text);
	reply->code = 0;
}

void
smtp_reply_reset(struct smtp_reply *reply)
{
	buf_reset(&reply->text);
	reply->code = 0;
}

/* Three digits, the first 2 to 5; 0 if the line does not start with them. */
static int
read_code(const char *line)
{
	if (line[0] < '2' || line[0] > '5')
		return 0;
	for (int i = 1; i < 3; i++)
		if (!isdigit((unsigned char)line[i]))
			return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

bool
smtp_reply_add(struct smtp_reply *reply, const char *line, bool *ret_more)
{
	int code = read_code(line);
	char separator = code ? line[3] : '\0';

	if (!code || (reply->code && reply->code != code) ||
	    (separator != ' ' && separator != '-' && separator != '\0'))
		return false;
	if (reply->code)
		buf_add_char(&reply->text, '\n');
	reply->code = code;
	if (separator)
		buf_add_text(&reply->text, line + 4);
	*ret_more = separator == '-';
	return buf_ok(&reply->text);
}

void
smtp_flatten(const char *text, char *ret_text, size_t size)
{
	size_t used = 0;

	for (; *text && used + 1 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '\n' && !text[1])
			break;
		ret_text[used++] = c == '\n' ? ' ' : *text;
		if (c != '\n' && (c < 0x20 || c == 0x7f))
			ret_text[used - 1] = '?';
	}
	ret_text[used] = '\0';
}

static void
add_mechanisms(struct smtp_extensions *e, const char *names, size_t len)
{
	size_t used = strlen(e->mechanisms);

	if (used + len + 2 > sizeof(e->mechanisms))
		return; /* more than anybody has */
	if (used)
		e->mechanisms[used++] = ' ';
	memcpy(e->mechanisms + used, names, len);
	e->mechanisms[used + len] = '\0';
}

/* No number, or one that is none, tells no limit. */
static void
read_size(struct smtp_extensions *e, const char *text, size_t len)
{
	size_t size = 0;

	e->size = true;
	for (size_t i = 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return;
		if (size > (SIZE_MAX - 9) / 10)
			return;
		size = size * 10 + (size_t)(text[i] - '0');
	}
	e->size_max = size;
}

/* One line: a keyword and its parameters. */
static void
read_extension(struct smtp_extensions *e, const char *line, size_t len)
{
	size_t word = strcspn(line, " =\n");

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\r'))
		len--;
	if (word > len)
		return;
	if (word == 8 && strncasecmp(line, "STARTTLS", word) == 0)
		e->starttls = true;
	else if (word == 8 && strncasecmp(line, "SMTPUTF8", word) == 0)
		e->smtputf8 = true;
	else if (word == 3 && strncasecmp(line, "DSN", word) == 0)
		e->dsn = true;
	else if (word == 4 && strncasecmp(line, "SIZE", word) == 0)
		read_size(e, line + word, len - word);
	else if (word == 4 && strncasecmp(line, "AUTH", word) == 0 &&
		 len > word + 1)
		/* "AUTH=" is how some old servers say it */
		add_mechanisms(e, line + word + 1, len - word - 1);
}

void
smtp_extensions_parse(const char *text, struct smtp_extensions *ret_extensions)
{
	struct smtp_extensions e = {0};
	const char *line = strchr(text, '\n'); /* the first is a greeting */

	while (line) {
		line++;
		read_extension(&e, line, strcspn(line, "\n"));
		line = strchr(line, '\n');
	}
	*ret_extensions = e;
}

static const struct {
	int code;
	enum mt_status status;
	bool rejected;
} refusals[] = {
    {535, MT_NEEDS_LOGIN, true},
    {534, MT_NEEDS_LOGIN, true}, /* a password will not do, says Google */
    {550, MT_NEEDS_LOGIN, true}, {553, MT_NEEDS_LOGIN, true},
    {554, MT_NEEDS_LOGIN, true},
    {432, MT_NEEDS_LOGIN, false}, /* a password must be changed first */
    {538, MT_BAD_CONFIG, false},  /* wants TLS */
};

/* Exchange Online's own codes within the text. */
static const struct {
	const char *text, *unless;
	enum mt_status status;
	bool rejected;
	const char *remedy;
} special[] = {
    {"5.7.139", "credentials were incorrect", MT_NEEDS_ADMIN, false,
	" (an administrator must allow authenticated SMTP for this mailbox or "
	"tenant: Set-CASMailbox -SmtpClientAuthenticationDisabled $false)"},
    {"5.5.127", NULL, MT_NEEDS_LOGIN, true,
	" (the token must be valid for longer)"},
};

/* Sets what the text tells, and returns what to add to it. */
static const char *
classify(const struct smtp_reply *reply, struct auth_reply *refusal)
{
	const char *text = buf_text(&reply->text);

	refusal->status = reply->code < 500 ? MT_RETRY_LATER : MT_BAD_CONFIG;
	refusal->rejected = false;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (refusals[i].code == reply->code) {
			refusal->status = refusals[i].status;
			refusal->rejected = refusals[i].rejected;
		}
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
		if (reply->code >= 500 && strstr(text, special[i].text) &&
		    !(special[i].unless &&
			strcasestr(text, special[i].unless))) {
			refusal->status = special[i].status;
			refusal->rejected = special[i].rejected;
			return special[i].remedy;
		}
	return "";
}

void
smtp_reply_refusal(
    const struct smtp_reply *reply, struct auth_reply *ret_refusal)
{
	const char *remedy = classify(reply, ret_refusal);
	char text[150];

	smtp_flatten(buf_text(&reply->text), text, sizeof(text));
	ret_refusal->kind = AUTH_REFUSED;
	snprintf(ret_refusal->text, sizeof(ret_refusal->text), "%d %s%s",
	    reply->code, text, remedy);
}
