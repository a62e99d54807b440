/* SPDX-License-Identifier: ISC */
#include "compose.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "compose_body.h"
#include "header.h"

enum mt_status
compose_message_id(char ret_id[COMPOSE_MESSAGE_ID_MAX],
    const struct address *from, struct mt_error *err)
{
	unsigned char random[16];
	char hex[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "no random numbers");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(hex + 2 * i, 3, "%02x", random[i]);
	snprintf(ret_id, COMPOSE_MESSAGE_ID_MAX, "<%s@%s>", hex,
	    address_domain(from));
	return MT_OK;
}

static void
add_line(struct buf *out, const char *name, const char *value)
{
	buf_add_format(out, "%s: %s\r\n", name, value);
}

/* RFC 5322 3.3, in UTC.  strftime(3) would write in the user's language. */
static void
add_date(struct buf *out, time_t date)
{
	static const char days[][4] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = {0};

	gmtime_r(&date, &tm);
	buf_add_format(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
add_address(struct header_writer *w, const struct address *address, bool last)
{
	char word[260];
	int len;

	if (*address->name)
		header_add_name(w, address->name);
	len = snprintf(word, sizeof(word), *address->name ? "<%s>%s" : "%s%s",
	    address->mailbox, last ? "" : ",");
	header_add_word(w, word, (size_t)len);
}

static void
add_addresses(
    struct buf *out, const char *name, const struct address_list *list)
{
	struct header_writer w;

	if (!list->count)
		return;
	header_begin(&w, out, name);
	for (size_t i = 0; i < list->count; i++)
		add_address(&w, &list->items[i], i + 1 == list->count);
	header_end(&w);
}

static void
add_words(struct header_writer *w, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		header_add_word(w, text, len);
		text += len + (text[len] == ' ');
	}
}

static void
add_subject(struct buf *out, const char *subject)
{
	struct header_writer w;

	header_begin(&w, out, "Subject");
	header_add_text(&w, subject);
	header_end(&w);
}

/* Whether the list of message ids `all` ends with the list `tail`. */
static bool
ends_with(const char *all, const char *tail)
{
	size_t all_len = strlen(all), len = strlen(tail);

	return len <= all_len && !strcmp(all + all_len - len, tail);
}

static void
add_threading(struct buf *out, const struct draft *draft)
{
	struct header_writer w;

	if (*draft->in_reply_to) {
		header_begin(&w, out, "In-Reply-To");
		add_words(&w, draft->in_reply_to);
		header_end(&w);
	}
	if (!*draft->in_reply_to && !*draft->references)
		return;
	header_begin(&w, out, "References");
	add_words(&w, draft->references);
	if (!ends_with(draft->references, draft->in_reply_to))
		add_words(&w, draft->in_reply_to);
	header_end(&w);
}

enum mt_status
compose_message(struct buf *ret_message, const struct draft *draft,
    const struct address *from, const char *message_id, time_t date,
    struct mt_error *err)
{
	struct address sender = *from;
	struct address_list author = {.items = &sender, .count = 1};
	struct compose_body body;
	enum mt_status status =
	    compose_body_plan(&body, draft, message_id, err);

	if (status != MT_OK)
		return status;
	add_addresses(ret_message, "From", &author);
	add_addresses(ret_message, "To", &draft->to);
	add_subject(ret_message, draft->subject);
	add_line(ret_message, "Message-ID", message_id);
	add_date(ret_message, date);
	add_line(ret_message, "MIME-Version", "1.0");
	compose_body_add_type(ret_message, &body);
	add_addresses(ret_message, "Cc", &draft->cc);
	add_threading(ret_message, draft);
	add_addresses(ret_message, "Reply-To", &draft->reply_to);
	return compose_body_add(ret_message, &body, err);
}

static bool
any_needs_smtputf8(const struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (address_needs_smtputf8(&list->items[i]))
			return true;
	return false;
}

bool
compose_needs_smtputf8(const struct draft *draft, const struct address *from)
{
	return address_needs_smtputf8(from) || any_needs_smtputf8(&draft->to) ||
	       any_needs_smtputf8(&draft->cc) ||
	       any_needs_smtputf8(&draft->bcc) ||
	       any_needs_smtputf8(&draft->reply_to);
}

/* Domains have no case; what a local part means is for its host to say. */
static bool
same_mailbox(const char *a, const char *b)
{
	size_t local = (size_t)(strchr(a, '@') - a) + 1;

	return !strncmp(a, b, local) && !strcasecmp(a + local, b + local);
}

static size_t
add_recipients(
    const char **recipients, size_t count, const struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		bool known = false;

		for (size_t k = 0; k < count && !known; k++)
			known =
			    same_mailbox(recipients[k], list->items[i].mailbox);
		if (!known)
			recipients[count++] = list->items[i].mailbox;
	}
	return count;
}

const char **
compose_recipients(const struct draft *draft)
{
	size_t max = draft->to.count + draft->cc.count + draft->bcc.count;
	const char **recipients = calloc(max + 1, sizeof(*recipients));
	size_t count = 0;

	if (!recipients)
		return NULL;
	count = add_recipients(recipients, count, &draft->to);
	count = add_recipients(recipients, count, &draft->cc);
	add_recipients(recipients, count, &draft->bcc);
	return recipients;
}
