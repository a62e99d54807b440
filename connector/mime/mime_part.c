/* SPDX-License-Identifier: ISC */
#include "mime_part.h"

#include <string.h>

#include "mime_header.h"

/* What is wrong with base64 text, which is decoded whatever it holds. */
struct base64_scan {
	bool padded;  /* met the '=' that ends it */
	bool foreign; /* met a character that does not belong there */
	bool more;    /* met text after the end, which is lost */
};

static void
scan_base64(struct base64_scan *scan, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '=')
			scan->padded = true;
		else if (g_ascii_isalnum(c) || c == '+' || c == '/')
			scan->more |= scan->padded;
		else if (!g_ascii_isspace(c))
			scan->foreign = true;
	}
}

static void
check_base64(struct mime_report *report, GMimePart *part, size_t number)
{
	GMimeStream *raw =
	    g_mime_data_wrapper_get_stream(g_mime_part_get_content(part));
	struct base64_scan scan = {false, false, false};
	char chunk[16384];
	ssize_t n;

	g_mime_stream_reset(raw);
	while ((n = g_mime_stream_read(raw, chunk, sizeof(chunk))) > 0)
		scan_base64(&scan, chunk, (size_t)n);
	if (scan.foreign)
		mime_report_defect(report,
		    "part %zu has characters that are no base64", number);
	if (scan.more)
		mime_report_defect(report,
		    "part %zu goes on after the end of its base64; the rest "
		    "was left out",
		    number);
}

/* Base64 with an end: the decoder drops the last bytes if the padding was
 * forgotten, and ignores what follows it. */
static GMimeStream *
with_padding(GMimeStream *raw)
{
	GMimeStream *whole = g_mime_stream_cat_new();
	GMimeStream *padding = g_mime_stream_mem_new_with_buffer("==", 2);

	g_mime_stream_cat_add_source(GMIME_STREAM_CAT(whole), raw);
	g_mime_stream_cat_add_source(GMIME_STREAM_CAT(whole), padding);
	g_object_unref(padding);
	return whole;
}

static void
add_filter(GMimeStream *stream, GMimeFilter *filter)
{
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(stream), filter);
	g_object_unref(filter);
}

/* A stream that decodes `raw`. */
static GMimeStream *
decoded(GMimeStream *raw, GMimeContentEncoding encoding)
{
	GMimeStream *stream = g_mime_stream_filter_new(raw);

	/* its decoder takes CR for a part of the line */
	if (encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		add_filter(stream, g_mime_filter_dos2unix_new(FALSE));
	add_filter(stream, g_mime_filter_basic_new(encoding, FALSE));
	return stream;
}

GMimeStream *
mime_part_open(GMimePart *part)
{
	GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
	GMimeContentEncoding encoding;
	GMimeStream *raw, *padded, *stream;

	if (!wrapper)
		return NULL;
	raw = g_mime_data_wrapper_get_stream(wrapper);
	encoding = g_mime_data_wrapper_get_encoding(wrapper);
	g_mime_stream_reset(raw);
	switch (encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		padded = with_padding(raw);
		stream = decoded(padded, encoding);
		g_object_unref(padded);
		return stream;
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
	case GMIME_CONTENT_ENCODING_UUENCODE:
		return decoded(raw, encoding);
	case GMIME_CONTENT_ENCODING_DEFAULT:
	case GMIME_CONTENT_ENCODING_7BIT:
	case GMIME_CONTENT_ENCODING_8BIT:
	case GMIME_CONTENT_ENCODING_BINARY:
		break;
	}
	return g_object_ref(raw);
}

size_t
mime_part_next(GMimeStream *stream, char *bytes, size_t size)
{
	ssize_t n;

	/* a decoder gives nothing for what is all line ends, or for less than
	 * it needs for a byte: that is not the end */
	do
		n = g_mime_stream_read(stream, bytes, size);
	while (n == 0 && !g_mime_stream_eos(stream));
	return n > 0 ? (size_t)n : 0;
}

GString *
mime_part_read(GMimePart *part, size_t max)
{
	GString *bytes = g_string_new(NULL);
	GMimeStream *stream = mime_part_open(part);
	char chunk[16384];
	size_t n;

	while (stream && bytes->len <= max &&
	       (n = mime_part_next(stream, chunk, sizeof(chunk))) > 0)
		g_string_append_len(bytes, chunk, (gssize)n);
	if (stream)
		g_object_unref(stream);
	return bytes;
}

bool
mime_part_has_type(GMimePart *part, const char *type, const char *subtype)
{
	return g_mime_content_type_is_type(
	    g_mime_object_get_content_type(GMIME_OBJECT(part)), type, subtype);
}

bool
mime_part_is_text(GMimePart *part)
{
	return GMIME_IS_TEXT_PART(part);
}

bool
mime_part_is_plain(GMimePart *part)
{
	/* GMime's class says text, but its type does not: it was unreadable */
	return GMIME_IS_TEXT_PART(part) &&
	       (mime_part_has_type(part, "text", "plain") ||
		   !mime_part_has_type(part, "text", "*"));
}

bool
mime_part_is_html(GMimePart *part)
{
	return mime_part_has_type(part, "text", "html");
}

static void
check_encoding(struct mime_report *report, GMimePart *part, size_t number)
{
	const char *name = g_mime_object_get_header(
	    GMIME_OBJECT(part), "Content-Transfer-Encoding");
	GMimeContentEncoding encoding = g_mime_part_get_content_encoding(part);

	if (name && *name && encoding == GMIME_CONTENT_ENCODING_DEFAULT)
		mime_report_defect(report,
		    "part %zu has an unknown transfer encoding; it was not "
		    "decoded",
		    number);
	if (encoding == GMIME_CONTENT_ENCODING_BASE64 &&
	    g_mime_part_get_content(part))
		check_base64(report, part, number);
}

/* Single fields that the part has more than once: readers may differ on which
 * counts. */
static void
check_duplicates(struct mime_report *report, GMimePart *part, size_t number)
{
	static const char *const names[] = {
	    "Content-Type", "Content-Transfer-Encoding", "Content-Disposition"};
	GMimeHeaderList *list =
	    g_mime_object_get_header_list(GMIME_OBJECT(part));
	int count = g_mime_header_list_get_count(list);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		int found = 0;

		for (int j = 0; j < count; j++)
			found += g_ascii_strcasecmp(names[i],
				     g_mime_header_get_name(
					 g_mime_header_list_get_header_at(
					     list, j))) == 0;
		if (found > 1)
			mime_report_defect(report, "part %zu has %d %s fields",
			    number, found, names[i]);
	}
}

void
mime_part_check(struct mime_report *report, GMimePart *part, size_t number)
{
	if (GMIME_IS_TEXT_PART(part) && !mime_part_has_type(part, "text", "*"))
		mime_report_defect(
		    report, "part %zu has an unreadable type", number);
	check_encoding(report, part, number);
	check_duplicates(report, part, number);
}

/* RFC 6838 section 4.2, lower case */
static bool
is_type_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				      "!#$&-^_.+";

	return *name && !name[strspn(name, allowed)];
}

bool
mime_part_is_type(const char *type)
{
	const char *slash = strchr(type, '/');
	char *main_type;
	bool is_type;

	if (!slash || strlen(type) > MIME_WIRE_TYPE_MAX)
		return false;
	main_type = g_strndup(type, (gsize)(slash - type));
	is_type = is_type_name(main_type) && is_type_name(slash + 1);
	g_free(main_type);
	return is_type;
}

char *
mime_part_type(GMimePart *part)
{
	GMimeContentType *said =
	    g_mime_object_get_content_type(GMIME_OBJECT(part));
	char *said_type =
	    g_strdup_printf("%s/%s", g_mime_content_type_get_media_type(said),
		g_mime_content_type_get_media_subtype(said));
	char *type = g_ascii_strdown(said_type, -1);

	g_free(said_type);
	if (mime_part_is_type(type))
		return type;
	g_free(type);
	return g_strdup("application/octet-stream");
}

/* A raw header field of the part, in UTF-8; NULL if it has none. */
static char *
field_in_utf8(struct mime_report *report, GMimePart *part, const char *name)
{
	GMimeHeader *header = g_mime_header_list_get_header(
	    g_mime_object_get_header_list(GMIME_OBJECT(part)), name);
	const char *raw = header ? g_mime_header_get_raw_value(header) : NULL;
	unsigned issues = 0;
	char *cut, *field;

	if (!raw)
		return NULL;
	cut = g_strndup(raw, 4 * report->limits->max_header_bytes);
	field = mime_header_in_utf8(cut, &issues);
	g_free(cut);
	mime_report_issues(report, name, issues);
	return field;
}

/* A file name as a parameter has it, made a line; NULL if there is none. */
static char *
name_line(struct mime_report *report, const char *value)
{
	unsigned issues = 0;
	char *line;

	if (!value || !*value)
		return NULL;
	line = mime_header_plain(value, &issues);
	mime_report_issues(report, "file name", issues);
	return line;
}

/* The value of a parameter; of two, the one in RFC 2231's form, beside which
 * the plain one is for those who cannot read it. */
static const char *
find_parameter(GMimeParamList *list, const char *name)
{
	const char *found = NULL;
	int count = g_mime_param_list_length(list);

	for (int i = 0; i < count; i++) {
		GMimeParam *p = g_mime_param_list_get_parameter_at(list, i);

		if (g_ascii_strcasecmp(g_mime_param_get_name(p), name) != 0)
			continue;
		if (g_mime_param_get_encoding_method(p) ==
		    GMIME_PARAM_ENCODING_METHOD_RFC2231)
			return g_mime_param_get_value(p);
		if (!found)
			found = g_mime_param_get_value(p);
	}
	return found;
}

static char *
disposition_name(struct mime_report *report, GMimePart *part)
{
	char *field = field_in_utf8(report, part, "Content-Disposition");
	GMimeContentDisposition *disposition;
	char *name;

	if (!field)
		return NULL;
	disposition = g_mime_content_disposition_parse(NULL, field);
	name = name_line(
	    report, find_parameter(
			g_mime_content_disposition_get_parameters(disposition),
			"filename"));
	g_object_unref(disposition);
	g_free(field);
	return name;
}

static char *
type_name(struct mime_report *report, GMimePart *part)
{
	char *field = field_in_utf8(report, part, "Content-Type");
	GMimeContentType *type;
	char *name;

	if (!field)
		return NULL;
	type = g_mime_content_type_parse(NULL, field);
	name = name_line(report,
	    find_parameter(g_mime_content_type_get_parameters(type), "name"));
	g_object_unref(type);
	g_free(field);
	return name;
}

char *
mime_part_file_name(struct mime_report *report, GMimePart *part)
{
	char *name = disposition_name(report, part);

	if (!name)
		name = type_name(report, part);
	return name ? name : g_strdup("");
}

enum mime_disposition
mime_part_disposition(GMimePart *part)
{
	const char *disposition =
	    g_mime_object_get_disposition(GMIME_OBJECT(part));

	if (!disposition || !*disposition)
		return MIME_DISPOSITION_NONE;
	return g_ascii_strcasecmp(disposition, "inline") == 0
		   ? MIME_DISPOSITION_INLINE
		   : MIME_DISPOSITION_ATTACHMENT;
}
