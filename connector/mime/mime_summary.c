/* SPDX-License-Identifier: ISC */
#include "mime_summary.h"

#include <stdlib.h>

const struct mime_summary_shape mime_summary_shapes[MIME_SUMMARIES] = {
    [MIME_BOUNCE] = {MIME_BOUNCE_TEXTS, MIME_RECIPIENT_TEXTS},
    [MIME_CALENDAR] = {MIME_CALENDAR_TEXTS, MIME_ATTENDEE_TEXTS},
};

const char *const mime_bounce_kinds[] = {
    "failed", "delayed", "delivered", "relayed", "expanded", "unknown", NULL};

void
mime_summary_row_done(struct mime_summary_row *row)
{
	for (size_t i = 0; i < MIME_SUMMARY_TEXTS_MAX; i++)
		free(row->texts[i]);
	*row = (struct mime_summary_row){0};
}

void
mime_summary_done(struct mime_summary *summary)
{
	if (summary->head)
		mime_summary_row_done(summary->head);
	for (size_t i = 0; i < summary->row_count; i++)
		mime_summary_row_done(&summary->rows[i]);
	free(summary->head);
	free(summary->rows);
	*summary = (struct mime_summary){0};
}
