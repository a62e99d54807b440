/* SPDX-License-Identifier: ISC */
#include "mime_extract.h"

#include <gmime/gmime.h>
#include <string.h>

#include "mime_attach.h"
#include "mime_block.h"
#include "mime_calendar.h"
#include "mime_charset.h"
#include "mime_fields.h"
#include "mime_header.h"
#include "mime_part.h"
#include "mime_report.h"
#include "mime_unpack.h"

#include "base/utf8.h"

/* Honest mail has less than ten levels. */
#define DEPTH_MAX 100

struct extraction {
	struct mime_report report;
	GString *text, *html; /* the bodies */
	size_t parts;         /* leaves met so far */
	struct mime_attach attach;
	struct mime_unpack unpack;
};

/* Where a part stands. */
enum place { WHOLE, IN_ALTERNATIVE, IN_RELATED, IN_OTHER };

enum role { BODY_TEXT, BODY_HTML, ATTACHMENT };

static bool
is_layout(char c)
{
	return c == '\t' || c == '\n' || c == '\f';
}

/* CR LF, and CR alone, become LF; controls that move no text on a page, and
 * NUL, the replacement character. */
static void
add_lines(struct extraction *x, GString *body, const GString *text)
{
	const char *p = text->str, *end = p + text->len;

	while (p < end) {
		size_t control = utf8_control_len(p);

		if (*p == '\r') {
			if (p[1] != '\n')
				g_string_append_c(body, '\n');
		} else if (control && !is_layout(*p)) {
			g_string_append(body, UTF8_REPLACEMENT);
			mime_report_defect(&x->report,
			    "part %zu has control characters", x->parts);
		} else {
			g_string_append_c(body, *p);
		}
		p += control ? control : 1;
	}
}

static void
note_charset(
    struct extraction *x, enum mime_charset_issue issue, const char *charset)
{
	switch (issue) {
	case MIME_CHARSET_FINE:
		break;
	case MIME_CHARSET_BROKEN:
		mime_report_defect(&x->report,
		    "part %zu has bytes that its charset %s does not know",
		    x->parts, charset);
		break;
	case MIME_CHARSET_UNKNOWN:
		mime_report_defect(&x->report,
		    "part %zu is in the unknown charset %s", x->parts, charset);
		break;
	case MIME_CHARSET_GUESSED:
		mime_report_defect(&x->report,
		    "part %zu names no charset for its 8-bit text, which is no "
		    "UTF-8; it was read as windows-1252",
		    x->parts);
		break;
	}
}

static void
add_text(struct extraction *x, GString *body, const char *charset,
    const char *bytes, size_t len)
{
	GString *text = g_string_new(NULL);

	note_charset(
	    x, mime_charset_decode(text, charset, bytes, len), charset);
	if (body->len && text->len && body->str[body->len - 1] != '\n')
		g_string_append_c(body, '\n');
	add_lines(x, body, text);
	g_string_free(text, TRUE);
	mime_report_limit(
	    &x->report, body, x->report.limits->max_body_bytes, "the body");
}

static void
take_body(struct extraction *x, GString *body, GMimePart *part)
{
	const char *charset = g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(part), "charset");
	/* no honest charset needs more than four bytes for one of UTF-8 */
	size_t max = 4 * x->report.limits->max_body_bytes;
	GString *bytes = mime_part_read(part, max);

	mime_report_limit(&x->report, bytes, max, "an undecoded body");
	add_text(x, body, charset, bytes->str, bytes->len);
	g_string_free(bytes, TRUE);
}

static void
report_contents(struct extraction *x, GMimePart *part)
{
	GMimeStream *stream = mime_part_open(part);
	char chunk[32768];
	size_t n;

	while (stream && (n = mime_part_next(stream, chunk, sizeof(chunk))) > 0)
		if (!mime_attach_data(&x->attach, chunk, n))
			break;
	if (stream)
		g_object_unref(stream);
}

static bool
is_inline(GMimePart *part, enum place place)
{
	enum mime_disposition disposition = mime_part_disposition(part);

	if (disposition == MIME_DISPOSITION_NONE)
		return place == IN_RELATED || place == IN_ALTERNATIVE;
	return disposition == MIME_DISPOSITION_INLINE;
}

static void
take_attachment(
    struct extraction *x, GMimePart *part, enum place place, const char *name)
{
	const char *id = g_mime_object_get_content_id(GMIME_OBJECT(part));
	char *type = mime_part_type(part);
	const struct mime_wire_attachment said = {
	    .is_inline = is_inline(part, place),
	    .content_type = type,
	    .content_id = id ? id : "",
	    .original_filename = name,
	};

	if (mime_attach_begin(&x->attach, &said)) {
		report_contents(x, part);
		mime_unpack_part(&x->unpack, part, x->parts, name);
	}
	g_free(type);
}

/* mime_extract.h says which part is what. */
static enum role
role_of(GMimePart *part, enum place place, const char *name)
{
	if (mime_part_disposition(part) == MIME_DISPOSITION_ATTACHMENT)
		return ATTACHMENT;
	if (*name && place != WHOLE && place != IN_ALTERNATIVE)
		return ATTACHMENT;
	if (mime_part_is_html(part))
		return BODY_HTML;
	if (mime_part_is_plain(part))
		return BODY_TEXT;
	if (place == WHOLE && mime_part_is_text(part) &&
	    !mime_part_has_type(part, "text", "calendar"))
		return BODY_TEXT;
	return ATTACHMENT;
}

static void
take_leaf(struct extraction *x, GMimePart *part, enum place place)
{
	char *name = mime_part_file_name(&x->report, part);

	x->parts++;
	mime_part_check(&x->report, part, x->parts);
	switch (role_of(part, place, name)) {
	case BODY_TEXT:
		take_body(x, x->text, part);
		break;
	case BODY_HTML:
		take_body(x, x->html, part);
		break;
	case ATTACHMENT:
		take_attachment(x, part, place, name);
		break;
	}
	g_free(name);
}

static enum place
place_in(GMimeMultipart *multipart)
{
	GMimeContentType *type =
	    g_mime_object_get_content_type(GMIME_OBJECT(multipart));

	if (g_mime_content_type_is_type(type, "multipart", "alternative"))
		return IN_ALTERNATIVE;
	if (g_mime_content_type_is_type(type, "multipart", "related"))
		return IN_RELATED;
	return IN_OTHER;
}

/* A multipart in which no parts were found: all of it is text. */
static void
take_prologue(struct extraction *x, GMimeMultipart *multipart)
{
	const char *text = g_mime_multipart_get_prologue(multipart);
	const char *boundary = g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(multipart), "boundary");

	x->parts++;
	mime_report_defect(&x->report,
	    "part %zu is a multipart %s; it was taken as text", x->parts,
	    boundary ? "without parts" : "that names no boundary");
	if (text)
		add_text(x, x->text, NULL, text, strlen(text));
}

static void
take(struct extraction *x, GMimeObject *object, enum place place, int depth)
{
	GMimeMultipart *multipart;
	int count;

	if (x->report.stopped)
		return;
	if (depth > DEPTH_MAX) {
		mime_report_defect(&x->report,
		    "parts nested deeper than %d levels were left out",
		    DEPTH_MAX);
		x->report.truncated = true;
		return;
	}
	if (GMIME_IS_PART(object))
		take_leaf(x, GMIME_PART(object), place);
	if (!GMIME_IS_MULTIPART(object))
		return;
	multipart = GMIME_MULTIPART(object);
	count = g_mime_multipart_get_count(multipart);
	for (int i = 0; i < count; i++)
		take(x, g_mime_multipart_get_part(multipart, i),
		    place_in(multipart), depth + 1);
	if (count == 0)
		take_prologue(x, multipart);
	else if (!multipart->write_end_boundary)
		mime_report_defect(&x->report,
		    "a multipart has no end: the message may be cut off");
}

static void
report_tree(struct extraction *x, GMimeObject *message)
{
	x->text = g_string_new(NULL);
	x->html = g_string_new(NULL);
	take(x, message, WHOLE, 0);
	mime_report_bytes(
	    &x->report, MIME_FRAME_BODY_TEXT, x->text->str, x->text->len);
	mime_report_bytes(
	    &x->report, MIME_FRAME_BODY_HTML, x->html->str, x->html->len);
	g_string_free(x->text, TRUE);
	g_string_free(x->html, TRUE);
	mime_unpack_end(&x->unpack);
	mime_attach_end(&x->attach);
}

/* What GLib wants to say of a message is said to nobody: writing is forbidden,
 * and would end the process. */
static GLogWriterOutput
discard_log(GLogLevelFlags level, const GLogField *fields, gsize count,
    gpointer context)
{
	(void)level;
	(void)fields;
	(void)count;
	(void)context;
	return G_LOG_WRITER_HANDLED;
}

void
mime_extract_init(void)
{
	static const char *const subtypes[] = {
	    "rfc822", "rfc2822", "global", "news"};

	g_log_set_writer_func(discard_log, NULL, NULL);
	g_mime_init();
	mime_calendar_init();
	/* An embedded message is bytes: nothing in it is parsed, so nothing in
	 * it can break the parser, and it comes out as it went in. */
	for (size_t i = 0; i < G_N_ELEMENTS(subtypes); i++)
		g_mime_object_register_type(
		    "message", subtypes[i], GMIME_TYPE_PART);
}

static GMimeObject *
parse(struct extraction *x, int fd)
{
	off_t start = mime_block_start(&x->report, fd);
	GMimeStream *stream = g_mime_stream_fs_new_with_bounds(fd, start, -1);
	GMimeParser *parser;
	GMimeObject *message;

	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	parser = g_mime_parser_new_with_stream(stream);
	/* as a part: a GMimeMessage would parse its addresses, which crashes
	 * on nested groups */
	message = g_mime_parser_construct_part(parser, NULL);
	if (message)
		mime_block_check(&x->report, fd, start,
		    g_mime_parser_get_headers_end(parser));
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

void
mime_extract(int fd, const struct mime_limits *limits, mime_extract_emit emit,
    void *context)
{
	struct extraction x = {
	    .report = {.limits = limits, .emit = emit, .context = context},
	};
	GMimeObject *message;

	x.attach.report = x.unpack.report = &x.report;
	x.unpack.attach = &x.attach;
	message = parse(&x, fd);
	if (message) {
		mime_fields_report(&x.report, message);
		report_tree(&x, message);
		g_object_unref(message);
		mime_report_end(&x.report, true);
	} else {
		mime_report_defect(
		    &x.report, "the message is empty or has no header");
		mime_report_end(&x.report, false);
	}
}
