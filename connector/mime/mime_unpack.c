/* SPDX-License-Identifier: ISC */
#include "mime_unpack.h"

#include <string.h>

#include "mime_calendar.h"
#include "mime_charset.h"
#include "mime_dsn.h"
#include "mime_part.h"
#include "mime_tnef.h"

static bool
is_tnef(GMimePart *part, const char *name)
{
	return mime_part_has_type(part, "application", "ms-tnef") ||
	       mime_part_has_type(part, "application", "vnd.ms-tnef") ||
	       g_ascii_strcasecmp(name, "winmail.dat") == 0;
}

static bool
is_calendar(GMimePart *part)
{
	return mime_part_has_type(part, "text", "calendar") ||
	       mime_part_has_type(part, "application", "ics");
}

static bool
is_status(GMimePart *part)
{
	return mime_part_has_type(part, "message", "delivery-status") ||
	       mime_part_has_type(part, "message", "global-delivery-status");
}

static bool
is_returned(GMimePart *part)
{
	return mime_part_has_type(part, "message", "rfc822") ||
	       mime_part_has_type(part, "message", "global") ||
	       mime_part_has_type(part, "text", "rfc822-headers") ||
	       mime_part_has_type(part, "message", "global-headers");
}

/* A type that a sender wrote; what is none is unknown.  g_free. */
static char *
type_of(const char *said)
{
	char *type = g_ascii_strdown(said ? said : "", -1);

	if (mime_part_is_type(type))
		return type;
	g_free(type);
	return g_strdup("application/octet-stream");
}

static bool
take_file(void *context, const struct mime_tnef_file *file)
{
	struct mime_attach *attach = context;
	char *type = type_of(file->type);
	const struct mime_wire_attachment said = {
	    .is_unpacked = true,
	    .content_type = type,
	    .content_id = file->content_id ? file->content_id : "",
	    .original_filename = file->name ? file->name : "",
	};

	/* what is beyond the limits is counted, and said */
	if (mime_attach_begin(attach, &said) && file->len)
		mime_attach_data(attach, file->data, file->len);
	g_free(type);
	return !attach->report->stopped;
}

static void
take_tnef(struct mime_unpack *u, GMimePart *part, size_t number)
{
	GString *bytes = mime_part_read(part, MIME_TNEF_BYTES_MAX);

	if (bytes->len > MIME_TNEF_BYTES_MAX)
		mime_report_defect(u->report,
		    "the TNEF of part %zu has more than %d bytes; it was not "
		    "unpacked",
		    number, MIME_TNEF_BYTES_MAX);
	else
		mime_tnef_unpack(u->report, number, (uint8_t *)bytes->str,
		    bytes->len, take_file, u->attach);
	g_string_free(bytes, TRUE);
}

static void
take_calendar(struct mime_unpack *u, GMimePart *part, size_t number)
{
	const char *charset = g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(part), "charset");
	GString *bytes, *text;

	if (u->has_calendar)
		return;
	bytes = mime_part_read(part, MIME_CALENDAR_BYTES_MAX);
	if (bytes->len > MIME_CALENDAR_BYTES_MAX) {
		mime_report_defect(u->report,
		    "the calendar of part %zu has more than %d bytes; it was "
		    "not summed up",
		    number, MIME_CALENDAR_BYTES_MAX);
		g_string_free(bytes, TRUE);
		return;
	}
	text = g_string_new(NULL);
	mime_charset_decode(text, charset, bytes->str, bytes->len);
	u->has_calendar = mime_calendar_report(u->report, text->str);
	g_string_free(text, TRUE);
	g_string_free(bytes, TRUE);
}

void
mime_unpack_part(struct mime_unpack *unpack, GMimePart *part, size_t number,
    const char *name)
{
	if (is_tnef(part, name))
		take_tnef(unpack, part, number);
	else if (is_calendar(part))
		take_calendar(unpack, part, number);
	else if (is_status(part) && !unpack->status)
		unpack->status = mime_part_read(part, MIME_DSN_MAX);
	else if (is_returned(part) && unpack->status && !unpack->returned)
		unpack->returned = mime_part_read(part, MIME_DSN_MAX);
}

void
mime_unpack_end(struct mime_unpack *unpack)
{
	GString *status = unpack->status, *returned = unpack->returned;

	if (status)
		mime_dsn_report(
		    unpack->report, status->str, returned ? returned->str : "");
	if (status)
		g_string_free(status, TRUE);
	if (returned)
		g_string_free(returned, TRUE);
	unpack->status = unpack->returned = NULL;
}
