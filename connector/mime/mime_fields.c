/* SPDX-License-Identifier: ISC */
#include "mime_fields.h"

#include <string.h>

#include "mime_header.h"

enum field_type {
	UNSTRUCTURED, /* the first counts */
	PLAIN,        /* the first counts, and has no encoded words */
	ADDRESSES,    /* all count */
};

static const struct field {
	const char *name;
	enum mime_frame_kind kind;
	enum field_type type;
} fields[] = {
    {"From", MIME_FRAME_FROM, ADDRESSES},
    {"To", MIME_FRAME_TO, ADDRESSES},
    {"Cc", MIME_FRAME_CC, ADDRESSES},
    {"Reply-To", MIME_FRAME_REPLY_TO, ADDRESSES},
    {"Subject", MIME_FRAME_SUBJECT, UNSTRUCTURED},
    {"Date", MIME_FRAME_DATE_RAW, PLAIN},
    {"Message-ID", MIME_FRAME_MESSAGE_ID, PLAIN},
    {"In-Reply-To", MIME_FRAME_IN_REPLY_TO, PLAIN},
    {"References", MIME_FRAME_REFERENCES, PLAIN},
};

static void
report_field(struct mime_report *report, const char *name,
    enum mime_frame_kind kind, const char *value)
{
	char *label = g_strdup_printf("the %s field", name);
	GString *text = g_string_new(value);

	mime_report_limit(
	    report, text, report->limits->max_header_bytes, label);
	mime_report_bytes(report, kind, text->str, text->len);
	g_string_free(text, TRUE);
	g_free(label);
}

static void
report_date(struct mime_report *report, const char *raw, const char *line)
{
	char *date = mime_header_date(raw);

	if (!date && *line)
		mime_report_defect(report,
		    "the Date field is no date; it is given as it came");
	report_field(report, "Date", MIME_FRAME_DATE, date ? date : line);
	g_free(date);
}

/* Decodes one field's raw contents, cut already, and reports what it says. */
static void
report_raw_field(
    struct mime_report *report, const struct field *field, const char *raw)
{
	char *value = NULL, *first = NULL;
	unsigned issues = 0;

	switch (field->type) {
	case UNSTRUCTURED:
		value = mime_header_text(raw, &issues);
		break;
	case PLAIN:
		value = mime_header_plain(raw, &issues);
		break;
	case ADDRESSES:
		value = mime_header_addresses(raw, &first, &issues);
		break;
	}
	mime_report_issues(report, field->name, issues);
	report_field(report, field->name, field->kind, value);
	if (field->kind == MIME_FRAME_FROM)
		report_field(
		    report, field->name, MIME_FRAME_FROM_ADDRESS, first);
	if (field->kind == MIME_FRAME_DATE_RAW)
		report_date(report, raw, value);
	g_free(value);
	g_free(first);
}

static const struct field *
find_field(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (g_ascii_strcasecmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

/* Encoding makes text longer, quoted-printable by three. */
static size_t
raw_max(const struct mime_report *report)
{
	return 4 * report->limits->max_header_bytes;
}

/* Adds one more field of a name to its raw contents. */
static void
collect(struct mime_report *report, GString **raw, const struct field *field,
    const char *value)
{
	if (!*raw) {
		*raw = g_string_new(value);
		return;
	}
	mime_report_defect(
	    report, "the %s field is there more than once", field->name);
	if (field->type != ADDRESSES || (*raw)->len > raw_max(report))
		return;
	g_string_append_printf(*raw, ", %s", value);
}

void
mime_fields_report(struct mime_report *report, GMimeObject *message)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(message);
	int count = g_mime_header_list_get_count(list);
	GString *raw[G_N_ELEMENTS(fields)] = {NULL};

	for (int i = 0; i < count; i++) {
		GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
		const struct field *field =
		    find_field(g_mime_header_get_name(header));

		if (field)
			collect(report, &raw[field - fields], field,
			    g_mime_header_get_raw_value(header));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!raw[i])
			continue;
		mime_report_limit(
		    report, raw[i], raw_max(report), fields[i].name);
		report_raw_field(report, &fields[i], raw[i]->str);
		g_string_free(raw[i], TRUE);
	}
}
