/* SPDX-License-Identifier: ISC */
/* What an operator reads about entries of the outbox. */
#include "submit.h"

#include "state/outbox_copy.h"

#define SHOWN_MAX 300 /* bytes of the recipients in a line */

static void
add_recipients(struct buf *out, const struct outbox_entry *entry)
{
	size_t before = out->len;

	for (char **r = entry->rcpt_to; *r; r++) {
		if (out->len - before > SHOWN_MAX) {
			buf_add_text(out, ", ...");
			return;
		}
		buf_add_format(
		    out, "%s%s", r == entry->rcpt_to ? "" : ", ", *r);
	}
}

static long long
seconds_until(time_t when, time_t now)
{
	return when > now ? (long long)(when - now) : 0;
}

static void
add_future(struct buf *out, const struct outbox_entry *entry,
    const struct outbox_rules *rules, time_t now)
{
	if (entry->state == OUTBOX_FAILED)
		return;
	if (!outbox_is_open(entry, rules))
		buf_add_text(out, "; kept, and not sent again");
	else if (entry->state == OUTBOX_UNCERTAIN && entry->next_look &&
		 rules->filing == OUTBOX_FILED_BY_SERVER)
		buf_add_format(out, "; it is looked for in Sent in %lld s",
		    seconds_until(entry->next_look, now));
	else
		buf_add_format(out, "; next attempt in %lld s",
		    seconds_until(entry->next_attempt, now));
}

void
submit_describe(struct buf *out, const struct outbox_entry *entry,
    const struct outbox_rules *rules, time_t now)
{
	static const char *const words[] = {
	    [OUTBOX_QUEUED] = "not sent yet",
	    [OUTBOX_ATTEMPTING] = "being sent",
	    [OUTBOX_SENT] = "sent",
	    [OUTBOX_UNCERTAIN] = "perhaps sent",
	    [OUTBOX_FAILED] = "not sent",
	};

	if (entry->state == OUTBOX_SENT) {
		buf_add_text(out, "Email sent to ");
		add_recipients(out, entry);
		buf_add_format(out, " (message_id=%s)", entry->message_id);
		return;
	}
	buf_add_text(out, "Email to ");
	add_recipients(out, entry);
	buf_add_format(out, " %s (message_id=%s): %s", words[entry->state],
	    entry->message_id, entry->reply);
	if (entry->state != OUTBOX_ATTEMPTING)
		add_future(out, entry, rules, now);
}

void
submit_describe_copy(
    struct buf *out, const struct outbox_entry *entry, time_t now)
{
	if (entry->copy == OUTBOX_COPY_DONE) {
		buf_add_format(out, "Email filed in Sent (message_id=%s)",
		    entry->message_id);
		return;
	}
	buf_add_format(out,
	    "Email sent, and not filed in Sent (message_id=%s)"
	    ": %s",
	    entry->message_id, entry->copy_reply);
	if (entry->copy == OUTBOX_COPY_PENDING)
		buf_add_format(out, "; next attempt in %lld s",
		    seconds_until(entry->next_copy, now));
	else
		buf_add_format(out, "; given up after %d days",
		    OUTBOX_COPY_GIVE_UP_S / 86400);
}
