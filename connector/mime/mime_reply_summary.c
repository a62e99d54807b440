/* SPDX-License-Identifier: ISC */
#include "mime_reply_summary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define SEQUENCE_DIGITS_MAX 9

static bool
is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words) != 0)
		words++;
	return *words;
}

static bool
is_number(const char *text)
{
	return *text && strlen(text) <= SEQUENCE_DIGITS_MAX &&
	       !text[strspn(text, "0123456789")];
}

/* More is promised of some texts than that they are lines. */
static bool
is_head(const struct mime_wire_row *head)
{
	if (head->kind == MIME_BOUNCE)
		return is_one_of(
		    head->texts[MIME_BOUNCE_KIND], mime_bounce_kinds);
	return is_number(head->texts[MIME_CALENDAR_SEQUENCE]);
}

static bool
is_row(const struct mime_wire_row *row)
{
	for (size_t i = 0; i < MIME_SUMMARY_TEXTS_MAX && row->texts[i]; i++)
		if (!utf8_is_line(row->texts[i], strlen(row->texts[i])))
			return false;
	return true;
}

static enum mt_status
copy_row(struct mime_summary_row *row, const struct mime_wire_row *said)
{
	for (size_t i = 0; i < MIME_SUMMARY_TEXTS_MAX && said->texts[i]; i++) {
		row->texts[i] = strdup(said->texts[i]);
		if (!row->texts[i])
			return MT_NO_MEMORY;
	}
	return MT_OK;
}

static enum mt_status
take_head(struct mime_summary *summary, const struct mime_wire_row *said,
    size_t attachment)
{
	if (summary->head || !is_head(said))
		return MT_BAD_INPUT;
	summary->head = calloc(1, sizeof(*summary->head));
	summary->attachment = attachment;
	return summary->head ? copy_row(summary->head, said) : MT_NO_MEMORY;
}

static enum mt_status
take_row(struct mime_summary *summary, const struct mime_wire_row *said)
{
	struct mime_summary_row *grown;

	if (!summary->head || summary->row_count == MIME_SUMMARY_ROWS_MAX)
		return MT_BAD_INPUT;
	grown =
	    reallocarray(summary->rows, summary->row_count + 1, sizeof(*grown));
	if (!grown)
		return MT_NO_MEMORY;
	summary->rows = grown;
	grown += summary->row_count++;
	*grown = (struct mime_summary_row){0};
	return copy_row(grown, said);
}

enum mt_status
mime_reply_summary_take(struct mime_summary summaries[MIME_SUMMARIES],
    const struct mime_frame *frame, size_t attachment)
{
	struct mime_wire_row said;

	if (!mime_wire_get_row(frame, &said) || !is_row(&said))
		return MT_BAD_INPUT;
	if (frame->kind == MIME_FRAME_SUMMARY)
		return take_head(&summaries[said.kind], &said, attachment);
	return take_row(&summaries[said.kind], &said);
}
