/* SPDX-License-Identifier: ISC */
#include "mail/envelope.h"

#include <ctype.h>
#include <libetpan/libetpan.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "mail/encoded_word.h"

#define FIELD_MAX 262144 /* bytes */
#define NESTED_MAX 100   /* comments, for which libetpan takes stack */

void
envelope_done(struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++)
		free(envelope->recipients[i]);
	free(envelope->recipients);
	free(envelope->subject);
	free(envelope->message_id);
	*envelope = (struct envelope)ENVELOPE_INIT;
}

/* What has been read so far. */
struct reading {
	struct envelope envelope;
	size_t capacity;
	bool no_memory;
	bool bad_recipients; /* some could not be read: none is known */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Are there comments in comments beyond measure?  Parentheses that are none
 * count, too, but for the closing ones that a backslash may stand for. */
static bool
is_nested(const char *value, size_t len)
{
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (value[i] == '(' && ++depth > NESTED_MAX)
			return true;
		if (value[i] == ')' && depth && value[i - 1] != '\\')
			depth--;
	}
	return false;
}

/* ---- fields ---- */

static void
read_date(struct reading *r, const char *value, size_t len)
{
	struct mailimf_date_time *date = NULL;
	struct tm tm = {0};
	size_t at = 0;
	int zone;

	if (r->envelope.has_date || is_nested(value, len) ||
	    mailimf_date_time_parse(value, len, &at, &date) != MAILIMF_NO_ERROR)
		return;
	zone = date->dt_zone; /* +hhmm as a decimal number */
	tm.tm_mday = date->dt_day;
	tm.tm_mon = date->dt_month - 1;
	tm.tm_year = date->dt_year - 1900;
	tm.tm_hour = date->dt_hour;
	tm.tm_min = date->dt_min;
	tm.tm_sec = date->dt_sec;
	mailimf_date_time_free(date);
	if (tm.tm_year < 70 || tm.tm_year > 8099 || zone < -9999 || zone > 9999)
		return;
	r->envelope.date = timegm(&tm) - (zone / 100 * 3600 + zone % 100 * 60);
	r->envelope.has_date = true;
}

/* White space at the ends does not count, inside it is one space. */
static char *
collapse(struct buf *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < text->len; i++) {
		if (!is_space(text->data[i]))
			text->data[kept++] = text->data[i];
		else if (kept && text->data[kept - 1] != ' ')
			text->data[kept++] = ' ';
	}
	if (kept && text->data[kept - 1] == ' ')
		kept--;
	if (text->data)
		text->data[kept] = '\0';
	text->len = kept;
	return strdup(buf_text(text));
}

static void
read_subject(struct reading *r, const char *value, size_t len)
{
	struct buf text = BUF_INIT(4 * FIELD_MAX);

	if (r->envelope.subject)
		return;
	encoded_word_decode(&text, value, len);
	r->envelope.subject = buf_ok(&text) ? collapse(&text) : NULL;
	r->no_memory = r->no_memory || !r->envelope.subject;
	buf_done(&text);
}

static void
read_message_id(struct reading *r, const char *value, size_t len)
{
	struct buf text = BUF_INIT(FIELD_MAX);

	if (r->envelope.message_id)
		return;
	buf_add(&text, value, len);
	r->envelope.message_id = buf_ok(&text) ? collapse(&text) : NULL;
	r->no_memory = r->no_memory || !r->envelope.message_id;
	buf_done(&text);
}

/* ---- recipients ---- */

static bool
grow(struct reading *r)
{
	size_t capacity = r->capacity ? r->capacity * 2 : 16;
	char **grown;

	if (r->envelope.recipient_count < r->capacity)
		return true;
	grown = reallocarray(r->envelope.recipients, capacity, sizeof(*grown));
	if (!grown)
		return false;
	r->envelope.recipients = grown;
	r->capacity = capacity;
	return true;
}

static void
add_mailbox(struct reading *r, const struct mailimf_mailbox *mailbox)
{
	char *address = grow(r) ? strdup(mailbox->mb_addr_spec) : NULL;

	if (!address) {
		r->no_memory = true;
		return;
	}
	for (char *p = address; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	r->envelope.recipients[r->envelope.recipient_count++] = address;
}

static void
add_address(struct reading *r, const struct mailimf_address *address)
{
	const struct mailimf_mailbox_list *members;

	if (address->ad_type == MAILIMF_ADDRESS_MAILBOX) {
		add_mailbox(r, address->ad_data.ad_mailbox);
		return;
	}
	members = address->ad_data.ad_group->grp_mb_list;
	if (!members)
		return;
	for (const clistiter *i = clist_begin(members->mb_list); i;
	     i = clist_next(i))
		add_mailbox(r, clist_content(i));
}

static void
read_recipients(struct reading *r, const char *value, size_t len)
{
	struct mailimf_address_list *list = NULL;
	size_t at = 0;

	if (is_nested(value, len) || mailimf_address_list_parse(value, len, &at,
					 &list) != MAILIMF_NO_ERROR) {
		r->bad_recipients = true;
		return;
	}
	for (const clistiter *i = clist_begin(list->ad_list); i;
	     i = clist_next(i))
		add_address(r, clist_content(i));
	mailimf_address_list_free(list);
	/* it stops at what it does not understand */
	while (at < len && (is_space(value[at]) || value[at] == ','))
		at++;
	if (at < len)
		r->bad_recipients = true;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ascending, each once. */
static void
sort_recipients(struct envelope *envelope)
{
	char **list = envelope->recipients;
	size_t kept = 0;

	if (!envelope->recipient_count)
		return;
	qsort(list, envelope->recipient_count, sizeof(*list), compare);
	for (size_t i = 1; i < envelope->recipient_count; i++)
		if (strcmp(list[i], list[kept]) == 0)
			free(list[i]);
		else
			list[++kept] = list[i];
	envelope->recipient_count = kept + 1;
}

/* ---- the header ---- */

static const struct {
	const char *name;
	void (*read)(struct reading *r, const char *value, size_t len);
} fields[] = {
    {"Date", read_date},
    {"Subject", read_subject},
    {"To", read_recipients},
    {"Cc", read_recipients},
    {"Message-ID", read_message_id},
};

/* One field, without its line end; `unfolded` is its value on one line, with a
 * NUL that libetpan may look at. */
static void
read_field(struct reading *r, const char *field, size_t len)
{
	const char *colon = memchr(field, ':', len);
	size_t name_len = colon ? (size_t)(colon - field) : 0;
	struct buf unfolded = BUF_INIT(FIELD_MAX);

	while (name_len && is_space(field[name_len - 1]))
		name_len--;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strlen(fields[i].name) != name_len ||
		    strncasecmp(field, fields[i].name, name_len) != 0)
			continue;
		for (const char *p = colon + 1; p < field + len; p++)
			if (*p != '\r' && *p != '\n' && *p)
				buf_add_char(&unfolded, *p);
		if (buf_ok(&unfolded))
			fields[i].read(r, buf_text(&unfolded), unfolded.len);
		else
			r->bad_recipients = true; /* of no use */
	}
	buf_done(&unfolded);
}

/* The length of the field at the front, with the lines that it is folded to. */
static size_t
field_len(const char *header, size_t len)
{
	const char *end = header;

	do {
		end = memchr(end, '\n', len - (size_t)(end - header));
		if (!end)
			return len;
		end++;
	} while (end < header + len && (*end == ' ' || *end == '\t'));
	return (size_t)(end - header);
}

static bool
is_empty_line(const char *header, size_t len)
{
	return header[0] == '\n' ||
	       (len > 1 && header[0] == '\r' && header[1] == '\n');
}

static void
read_header(struct reading *r, const char *header, size_t len)
{
	size_t n;

	for (; len && !is_empty_line(header, len); header += n, len -= n) {
		n = field_len(header, len);
		read_field(r, header, n);
	}
}

static void
drop_recipients(struct envelope *envelope)
{
	while (envelope->recipient_count)
		free(envelope->recipients[--envelope->recipient_count]);
}

bool
envelope_parse(struct envelope *ret_envelope, const char *header, size_t len)
{
	struct reading r = {.envelope = ENVELOPE_INIT};

	read_header(&r, header, len);
	if (!r.envelope.subject)
		r.envelope.subject = strdup("");
	if (!r.envelope.message_id)
		r.envelope.message_id = strdup("");
	if (r.bad_recipients)
		drop_recipients(&r.envelope);
	sort_recipients(&r.envelope);
	if (r.no_memory || !r.envelope.subject || !r.envelope.message_id) {
		envelope_done(&r.envelope);
		return false;
	}
	*ret_envelope = r.envelope;
	return true;
}

bool
envelope_same(const struct envelope *a, const struct envelope *b)
{
	if (!a->has_date || !b->has_date || a->date != b->date)
		return false;
	if (!a->recipient_count || a->recipient_count != b->recipient_count)
		return false;
	for (size_t i = 0; i < a->recipient_count; i++)
		if (strcmp(a->recipients[i], b->recipients[i]) != 0)
			return false;
	return strcmp(a->subject, b->subject) == 0;
}
