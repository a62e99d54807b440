/* SPDX-License-Identifier: ISC */
#include "mail/imap_uid_fetch.h"

#include <stdlib.h>
#include <string.h>

#define ANY_BYTES 262144   /* what a server may tell of its own accord */
#define BYTES_PER_LINE 200 /* of an answer without a body, at most */
#define RANGES_PER_COMMAND 300

/* libetpan calls the handlers only if there is a progress callback as well. */
static void
ignore_progress(size_t current, size_t maximum, void *context)
{
	(void)current;
	(void)maximum;
	(void)context;
}

void
imap_uid_fetch_handlers(struct imap_conn *conn,
    mailimap_msg_att_handler *on_message, mailimap_msg_body_handler *on_body,
    void *context)
{
	mailimap_set_progress_callback(
	    conn->imap, on_message ? ignore_progress : NULL, NULL, NULL);
	mailimap_set_msg_att_handler(conn->imap, on_message, context);
	mailimap_set_msg_body_handler(conn->imap, on_body, context);
}

static time_t
to_time(const struct mailimap_date_time *date)
{
	struct tm tm = {
	    .tm_year = date->dt_year - 1900,
	    .tm_mon = date->dt_month - 1,
	    .tm_mday = date->dt_day,
	    .tm_hour = date->dt_hour,
	    .tm_min = date->dt_min,
	    .tm_sec = date->dt_sec,
	};
	int zone = date->dt_zone; /* +hhmm as a decimal number */

	return timegm(&tm) - (zone / 100 * 3600 + zone % 100 * 60);
}

static void
read_item(
    struct imap_answer *message, const struct mailimap_msg_att_static *item)
{
	switch (item->att_type) {
	case MAILIMAP_MSG_ATT_UID:
		message->uid = item->att_data.att_uid;
		break;
	case MAILIMAP_MSG_ATT_RFC822_SIZE:
		message->size = item->att_data.att_rfc822_size;
		message->has_size = true;
		break;
	case MAILIMAP_MSG_ATT_INTERNALDATE:
		if (item->att_data.att_internal_date)
			message->internal_date =
			    to_time(item->att_data.att_internal_date);
		break;
	case MAILIMAP_MSG_ATT_BODY_SECTION:
		message->body = item->att_data.att_body_section;
		break;
	default:
		break;
	}
}

struct imap_answer
imap_answer_read(const struct mailimap_msg_att *att)
{
	struct imap_answer message = {0};

	for (const clistiter *i = clist_begin(att->att_list); i;
	     i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
			read_item(&message, item->att_data.att_static);
	}
	return message;
}

/* Takes the ownership of each `att`; NULL is "no memory". */
static bool
add_att(struct mailimap_fetch_type *type, struct mailimap_fetch_att *att)
{
	if (att && mailimap_fetch_type_new_fetch_att_list_add(type, att) ==
		       MAILIMAP_NO_ERROR)
		return true;
	if (att)
		mailimap_fetch_att_free(att);
	return false;
}

static struct mailimap_fetch_att *
whole_body(void)
{
	struct mailimap_section *section = mailimap_section_new(NULL);

	return section ? mailimap_fetch_att_new_body_peek_section(section)
		       : NULL;
}

/* `names` are separated by spaces. */
static bool
add_names(clist *list, const char *names)
{
	size_t len;

	for (; *names; names += len, names += strspn(names, " ")) {
		len = strcspn(names, " ");
		char *name = strndup(names, len);
		if (!name || clist_append(list, name) != 0) {
			free(name);
			return false;
		}
	}
	return true;
}

static struct mailimap_section *
fields_section(const char *names)
{
	clist *list = clist_new();
	struct mailimap_header_list *header;

	if (list && add_names(list, names) &&
	    (header = mailimap_header_list_new(list)))
		return mailimap_section_new_header_fields(header);
	for (clistiter *i = list ? clist_begin(list) : NULL; i;
	     i = clist_next(i))
		free(clist_content(i));
	if (list)
		clist_free(list);
	return NULL;
}

static struct mailimap_fetch_att *
message_id_field(void)
{
	struct mailimap_section *section = fields_section("MESSAGE-ID");

	return section ? mailimap_fetch_att_new_body_peek_section(section)
		       : NULL;
}

static struct mailimap_fetch_att *
header_fields(void)
{
	struct mailimap_section *section = fields_section(IMAP_HEADER_FIELDS);

	return section ? mailimap_fetch_att_new_body_peek_section_partial(
			     section, 0, IMAP_HEADER_MAX)
		       : NULL;
}

static bool
add_items(struct mailimap_fetch_type *type, enum imap_items items)
{
	if (!add_att(type, mailimap_fetch_att_new_uid()))
		return false;
	switch (items) {
	case IMAP_ITEMS_UID:
		return true;
	case IMAP_ITEMS_DATE:
		return add_att(type, mailimap_fetch_att_new_internaldate());
	case IMAP_ITEMS_SIZE:
		return add_att(type, mailimap_fetch_att_new_rfc822_size());
	case IMAP_ITEMS_DESCRIPTION:
		return add_att(type, mailimap_fetch_att_new_rfc822_size()) &&
		       add_att(type, mailimap_fetch_att_new_internaldate()) &&
		       add_att(type, message_id_field());
	case IMAP_ITEMS_HEADER:
		return add_att(type, header_fields());
	case IMAP_ITEMS_WHOLE:
		return add_att(type, mailimap_fetch_att_new_internaldate()) &&
		       add_att(type, whole_body());
	}
	return false;
}

/* NULL: no memory. */
static struct mailimap_fetch_type *
new_items(enum imap_items items)
{
	struct mailimap_fetch_type *type =
	    mailimap_fetch_type_new_fetch_att_list_empty();

	if (!type || add_items(type, items))
		return type;
	mailimap_fetch_type_free(type);
	return NULL;
}

/* What the server said when it closed the connection, or NULL. */
static const char *
last_words(const struct imap_conn *conn)
{
	static const char bye[] = "* BYE ";
	const char *text = conn->imap->imap_stream_buffer->str;
	const char *found = NULL;

	while (text) {
		if (strncasecmp(text, bye, sizeof(bye) - 1) == 0)
			found = text + sizeof(bye) - 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return found;
}

void
imap_uid_fetch_begin(struct imap_conn *conn, struct deadline deadline,
    size_t count, uint64_t max_message)
{
	net_begin(conn->net, deadline, SIZE_MAX);
	imap_gate_begin_fetch(
	    &conn->gate, ANY_BYTES + count * BYTES_PER_LINE, max_message);
}

static enum mt_status
fail_with_text(struct imap_conn *conn, struct mt_error *err)
{
	const char *text = conn->imap->imap_response;

	if (!text || !*text)
		text = "no reason given";
	return mt_fail(err, MT_RETRY_LATER,
	    "cannot read the mailbox: %s answered: %.200s%s",
	    net_name(conn->net), text, imap_reply_explanation(text));
}

static enum mt_status
fail_broken(struct imap_conn *conn, struct mt_error *err)
{
	const struct mt_error *failure = net_error(conn->net);
	const char *bye = last_words(conn);

	conn->broken = true;
	return mt_fail(err, failure->status,
	    "cannot read the mailbox: %s%s%.*s", failure->text,
	    bye ? " and said: " : "", bye ? (int)strcspn(bye, "\r\n") : 0,
	    bye ? bye : "");
}

/* What came of a libetpan call. */
static enum mt_status
outcome_of(struct imap_conn *conn, int code, struct mt_error *err)
{
	if (code == MAILIMAP_NO_ERROR)
		return MT_OK;
	if (net_error(conn->net)->status != MT_OK)
		return fail_broken(conn, err);
	if (code == MAILIMAP_ERROR_UID_FETCH || code == MAILIMAP_ERROR_FETCH)
		/* a tagged NO */
		return fail_with_text(conn, err);
	conn->broken = true;
	if (code == MAILIMAP_ERROR_PROTOCOL) /* BAD, or an unknown tag */
		return fail_with_text(conn, err);
	return mt_fail(err, MT_RETRY_LATER,
	    "cannot read the mailbox: %s answered with something that is not "
	    "understood",
	    net_name(conn->net));
}

typedef int (*fetch_function)(mailimap *session, struct mailimap_set *set,
    struct mailimap_fetch_type *type, clist **result);

static enum mt_status
fetch(struct imap_conn *conn, fetch_function function, struct mailimap_set *set,
    enum imap_items items, struct mt_error *err)
{
	struct mailimap_fetch_type *type = new_items(items);
	enum mt_status status;
	clist *result = NULL;
	int code;

	if (set && type) {
		code = function(conn->imap, set, type, &result);
		if (code == MAILIMAP_NO_ERROR)
			mailimap_fetch_list_free(result);
		status = outcome_of(conn, code, err);
	} else {
		status = mt_fail(err, MT_NO_MEMORY, "out of memory");
	}
	if (type)
		mailimap_fetch_type_free(type);
	if (set)
		mailimap_set_free(set);
	return status;
}

enum mt_status
imap_uid_fetch(struct imap_conn *conn, struct mailimap_set *set,
    enum imap_items items, struct mt_error *err)
{
	return fetch(conn, mailimap_uid_fetch, set, items, err);
}

enum mt_status
imap_fetch_numbers(
    struct imap_conn *conn, struct mailimap_set *set, struct mt_error *err)
{
	return fetch(conn, mailimap_fetch, set, IMAP_ITEMS_UID, err);
}

struct mailimap_set *
imap_uid_set(const uint32_t *uids, size_t count, size_t *next)
{
	struct mailimap_set *set = mailimap_set_new_empty();

	for (int ranges = 0;
	     set && *next < count && ranges < RANGES_PER_COMMAND; ranges++) {
		size_t first = *next, last = first;
		while (last + 1 < count && uids[last + 1] == uids[last] + 1)
			last++;
		*next = last + 1;
		if (mailimap_set_add_interval(set, uids[first], uids[last]) !=
		    MAILIMAP_NO_ERROR) {
			mailimap_set_free(set);
			set = NULL;
		}
	}
	return set;
}
