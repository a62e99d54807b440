/* SPDX-License-Identifier: ISC */
#include "mime_report.h"

#include <stdarg.h>
#include <string.h>

#include "mime_header.h"

#include "base/utf8.h"

void
mime_report_bytes(struct mime_report *report, enum mime_frame_kind kind,
    const void *data, size_t len)
{
	const char *p = data;

	while (len && !report->stopped) {
		size_t part = len < MIME_WIRE_MAX ? len : MIME_WIRE_MAX;

		report->stopped = !report->emit(report->context, kind, p, part);
		p += part;
		len -= part;
	}
}

void
mime_report_limit(
    struct mime_report *report, GString *text, size_t max, const char *name)
{
	if (text->len <= max)
		return;
	g_string_truncate(text, utf8_cut_len(text->str, text->len, max));
	report->truncated = true;
	mime_report_defect(report,
	    "%s has more than %zu bytes; the rest was left out", name, max);
}

/* One text of a summary as its frame may carry it. */
static char *
fit_text(const char *text)
{
	unsigned issues = 0; /* what is wrong with it shows in it */
	char *line = mime_header_plain(text ? text : "", &issues);

	line[utf8_cut_len(line, strlen(line), MIME_SUMMARY_TEXT_LEN)] = '\0';
	return line;
}

void
mime_report_row(struct mime_report *report, enum mime_frame_kind frame,
    enum mime_summary_kind kind, const char *const *texts)
{
	const struct mime_summary_shape *shape = &mime_summary_shapes[kind];
	size_t count =
	    frame == MIME_FRAME_SUMMARY ? shape->texts : shape->row_texts;
	struct mime_wire_row row = {.kind = kind};
	char *lines[MIME_SUMMARY_TEXTS_MAX];
	uint8_t bytes[MIME_WIRE_ROW_MAX];

	for (size_t i = 0; i < count; i++)
		row.texts[i] = lines[i] = fit_text(texts[i]);
	mime_report_bytes(
	    report, frame, bytes, mime_wire_put_row(bytes, &row, count));
	for (size_t i = 0; i < count; i++)
		g_free(lines[i]);
}

static bool
is_known(const struct mime_report *report, const char *sentence)
{
	for (size_t i = 0; i < report->defect_count; i++)
		if (strcmp(report->defects[i], sentence) == 0)
			return true;
	return false;
}

/* One line of printable ASCII: what a sender wrote stays recognisable. */
static void
make_printable(char *sentence)
{
	for (; *sentence; sentence++)
		if (!g_ascii_isprint(*sentence))
			*sentence = '?';
}

void
mime_report_defect(struct mime_report *report, const char *format, ...)
{
	char sentence[MIME_WIRE_DEFECT_MAX + 1];
	va_list args;

	if (report->defect_count == MIME_WIRE_DEFECTS)
		return;
	va_start(args, format);
	g_vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	make_printable(sentence);
	if (is_known(report, sentence))
		return;
	if (report->defect_count == MIME_WIRE_DEFECTS - 1)
		g_strlcpy(
		    sentence, "there is more that is wrong", sizeof(sentence));
	report->defects[report->defect_count++] = g_strdup(sentence);
}

void
mime_report_issues(
    struct mime_report *report, const char *field, unsigned issues)
{
	static const struct {
		unsigned issue;
		const char *what;
	} sentences[] = {
	    {MIME_HEADER_BROKEN, "has bytes that its charset does not know"},
	    {MIME_HEADER_UNKNOWN, "is in an unknown charset"},
	    {MIME_HEADER_GUESSED,
		"has raw bytes that are no UTF-8; they were read as "
		"windows-1252"},
	    {MIME_HEADER_CONTROL, "has control characters"},
	    {MIME_HEADER_ADDRESSES,
		"is no list of addresses; it was taken as text"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(sentences); i++)
		if (issues & sentences[i].issue)
			mime_report_defect(report, "the %s field %s", field,
			    sentences[i].what);
}

void
mime_report_end(struct mime_report *report, bool parsed)
{
	uint8_t flags = 0;

	for (size_t i = 0; i < report->defect_count; i++) {
		mime_report_bytes(report, MIME_FRAME_DEFECT, report->defects[i],
		    strlen(report->defects[i]));
		g_free(report->defects[i]);
	}
	report->defect_count = 0;
	if (report->truncated)
		flags |= MIME_DONE_TRUNCATED;
	if (!parsed)
		flags |= MIME_DONE_UNPARSED;
	mime_report_bytes(report, MIME_FRAME_DONE, &flags, 1);
}
