/* SPDX-License-Identifier: ISC */
/* struct mime_message as a value; mime_client.h describes it. */
#include "mime_client.h"

#include <stdlib.h>

static void
attachment_done(struct mime_attachment *attachment)
{
	free(attachment->file_name);
	free(attachment->original_filename);
	free(attachment->content_type);
	free(attachment->content_id);
}

void
mime_message_done(struct mime_message *message)
{
	char *const texts[] = {message->message_id, message->from,
	    message->from_address, message->to, message->cc, message->subject,
	    message->date, message->date_raw, message->reply_to,
	    message->in_reply_to, message->references, message->body_text,
	    message->body_html};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < message->attachment_count; i++)
		attachment_done(&message->attachments[i]);
	free(message->attachments);
	for (size_t i = 0; i < MIME_SUMMARIES; i++)
		mime_summary_done(&message->summaries[i]);
	for (size_t i = 0; i < message->defect_count; i++)
		free(message->defects[i]);
	free(message->defects);
	*message = (struct mime_message){0};
}
