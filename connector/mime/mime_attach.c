/* SPDX-License-Identifier: ISC */
#include "mime_attach.h"

#include <glib.h>
#include <string.h>

#include "mime_header.h"

#include "base/utf8.h"

/* The text as one line, cut to what its frame allows. */
static GString *
fit(struct mime_report *report, const char *text, size_t max, const char *name)
{
	unsigned issues = 0;
	char *line = mime_header_plain(text, &issues);
	GString *fitted = g_string_new(line);

	g_free(line);
	mime_report_limit(report, fitted, max, name);
	return fitted;
}

/* U+202A to U+202E and U+2066 to U+2069 (UAX #9 section 2): a name that is
 * shown with them is not what it seems to be. */
static bool
turns_text(const char *p)
{
	const unsigned char *c = (const unsigned char *)p;

	if (c[0] != 0xe2)
		return false;
	return (c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
	       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

static void
replace_turns(struct mime_report *report, GString *name)
{
	bool found = false;

	for (size_t i = 0; i < name->len; i++)
		if (turns_text(name->str + i)) {
			memcpy(name->str + i, UTF8_REPLACEMENT, 3);
			found = true;
		}
	if (found)
		mime_report_defect(report,
		    "a file name has characters that change the direction of "
		    "text");
}

bool
mime_attach_begin(
    struct mime_attach *attach, const struct mime_wire_attachment *said)
{
	struct mime_report *report = attach->report;
	struct mime_wire_attachment a = *said;
	uint8_t frame[MIME_WIRE_ATTACHMENT_MAX];
	GString *id, *name;

	if (attach->count == report->limits->max_attachments) {
		attach->left_out++;
		return false;
	}
	attach->count++;
	id = fit(report, said->content_id, MIME_WIRE_ID_MAX, "a Content-ID");
	name = fit(
	    report, said->original_filename, MIME_WIRE_NAME_MAX, "a file name");
	replace_turns(report, name);
	a.content_id = id->str;
	a.original_filename = name->str;
	mime_report_bytes(report, MIME_FRAME_ATTACHMENT, frame,
	    mime_wire_put_attachment(frame, &a));
	g_string_free(id, TRUE);
	g_string_free(name, TRUE);
	return !report->stopped;
}

bool
mime_attach_data(struct mime_attach *attach, const void *data, size_t len)
{
	struct mime_report *report = attach->report;
	uint64_t max = report->limits->max_attachment_bytes;
	uint64_t left = max - attach->bytes;
	size_t fits = len < left ? len : (size_t)left;

	mime_report_bytes(report, MIME_FRAME_DATA, data, fits);
	attach->bytes += fits;
	if (fits == len)
		return !report->stopped;
	report->truncated = true;
	mime_report_defect(report,
	    "attachment %zu was cut: all together have more than %ju bytes",
	    attach->count, (uintmax_t)max);
	return false;
}

void
mime_attach_end(struct mime_attach *attach)
{
	if (!attach->left_out)
		return;
	attach->report->truncated = true;
	mime_report_defect(attach->report,
	    "%zu attachments beyond the first %zu were left out",
	    attach->left_out, attach->report->limits->max_attachments);
}
