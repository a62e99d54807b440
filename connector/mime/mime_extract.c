/* SPDX-License-Identifier: ISC */
#include "mime_extract.h"

#include <gmime/gmime.h>
#include <stdarg.h>
#include <string.h>

#include "mime_charset.h"
#include "mime_defects.h"
#include "mime_header.h"
#include "utf8.h"

/* Honest mail has less than ten levels. */
#define DEPTH_MAX 100

struct extraction {
	const struct mime_limits *limits;
	mime_extract_emit emit;
	void *context;
	bool stopped; /* nobody listens */
	bool truncated;
	GMimeParserOptions *options;
	struct mime_defects defects;
	GString *text, *html; /* the bodies */
	size_t parts;         /* leaves met so far */
	size_t attachments;   /* emitted */
	size_t left_out;      /* attachments beyond the limit */
	uint64_t bytes;       /* of attachments, emitted */
};

/* Where a part stands. */
enum place { WHOLE, IN_ALTERNATIVE, IN_RELATED, IN_OTHER };

enum role { BODY_TEXT, BODY_HTML, ATTACHMENT };

/* Emits bytes in as many frames as they need. */
static void
say(struct extraction *x, enum mime_frame_kind kind, const void *data,
    size_t len)
{
	const char *p = data;

	while (len && !x->stopped) {
		size_t part = len < MIME_WIRE_MAX ? len : MIME_WIRE_MAX;

		x->stopped = !x->emit(x->context, kind, p, part);
		p += part;
		len -= part;
	}
}

/* --- header fields --- */

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
note_header_issues(struct extraction *x, const char *name, unsigned issues)
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
			mime_defects_add(&x->defects, "the %s field %s", name,
			    sentences[i].what);
}

/* Cuts a text at `max` bytes, and notes it under `name`. */
static void
limit_text(struct extraction *x, GString *text, size_t max, const char *name)
{
	if (text->len <= max)
		return;
	g_string_truncate(text, utf8_cut_len(text->str, text->len, max));
	x->truncated = true;
	mime_defects_add(&x->defects,
	    "%s has more than %zu bytes; the rest was left out", name, max);
}

static void
emit_field(struct extraction *x, const char *name, enum mime_frame_kind kind,
    const char *value)
{
	char *label = g_strdup_printf("the %s field", name);
	GString *text = g_string_new(value);

	limit_text(x, text, x->limits->max_header_bytes, label);
	say(x, kind, text->str, text->len);
	g_string_free(text, TRUE);
	g_free(label);
}

static void
emit_date(struct extraction *x, const char *raw, const char *line)
{
	char *date = mime_header_date(raw);

	if (!date && *line)
		mime_defects_add(&x->defects,
		    "the Date field is no date; it is given as it came");
	emit_field(x, "Date", MIME_FRAME_DATE, date ? date : line);
	g_free(date);
}

/* Decodes one field's raw contents, cut already, and emits what it says. */
static void
emit_raw_field(struct extraction *x, const struct field *field, const char *raw)
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
		value = mime_header_addresses(x->options, raw, &first, &issues);
		break;
	}
	note_header_issues(x, field->name, issues);
	emit_field(x, field->name, field->kind, value);
	if (field->kind == MIME_FRAME_FROM)
		emit_field(x, field->name, MIME_FRAME_FROM_ADDRESS, first);
	if (field->kind == MIME_FRAME_DATE_RAW)
		emit_date(x, raw, value);
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

/* Adds one more field of a name to its raw contents. */
static void
collect(struct extraction *x, GString **raw, const struct field *field,
    const char *value)
{
	if (!*raw)
		*raw = g_string_new(value);
	else if (field->type != ADDRESSES ||
		 (*raw)->len > x->limits->max_header_bytes)
		return;
	else
		g_string_append_printf(*raw, ", %s", value);
}

static void
emit_fields(struct extraction *x, GMimeObject *message)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(message);
	int count = g_mime_header_list_get_count(list);
	GString *raw[G_N_ELEMENTS(fields)] = {NULL};

	for (int i = 0; i < count; i++) {
		GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
		const struct field *field =
		    find_field(g_mime_header_get_name(header));

		if (field)
			collect(x, &raw[field - fields], field,
			    g_mime_header_get_raw_value(header));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!raw[i])
			continue;
		limit_text(
		    x, raw[i], x->limits->max_header_bytes, fields[i].name);
		emit_raw_field(x, &fields[i], raw[i]->str);
		g_string_free(raw[i], TRUE);
	}
}

/* --- contents of parts --- */

/* The part's contents without their transfer encoding, from the start; NULL if
 * it has none.  The caller unrefs it. */
static GMimeStream *
open_contents(GMimePart *part)
{
	GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
	GMimeContentEncoding encoding;
	GMimeStream *raw, *decoded;
	GMimeFilter *filter;

	if (!wrapper)
		return NULL;
	raw = g_mime_data_wrapper_get_stream(wrapper);
	encoding = g_mime_data_wrapper_get_encoding(wrapper);
	g_mime_stream_reset(raw);
	if (encoding != GMIME_CONTENT_ENCODING_BASE64 &&
	    encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE &&
	    encoding != GMIME_CONTENT_ENCODING_UUENCODE)
		return g_object_ref(raw);
	decoded = g_mime_stream_filter_new(raw);
	filter = g_mime_filter_basic_new(encoding, FALSE);
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(decoded), filter);
	g_object_unref(filter);
	return decoded;
}

static bool
is_base64_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!g_ascii_isalnum(c) && c != '+' && c != '/' && c != '=' &&
		    !g_ascii_isspace(c))
			return false;
	}
	return true;
}

/* Base64 is decoded whatever it holds; what does not belong there is noted. */
static void
check_base64(struct extraction *x, GMimePart *part)
{
	GMimeStream *raw =
	    g_mime_data_wrapper_get_stream(g_mime_part_get_content(part));
	char chunk[16384];
	bool fine = true;
	ssize_t n;

	g_mime_stream_reset(raw);
	while (fine && (n = g_mime_stream_read(raw, chunk, sizeof(chunk))) > 0)
		fine = is_base64_text(chunk, (size_t)n);
	if (!fine)
		mime_defects_add(&x->defects,
		    "part %zu has characters that are no base64", x->parts);
}

/* Notes what is wrong with the transfer encoding. */
static void
check_encoding(struct extraction *x, GMimePart *part)
{
	const char *name = g_mime_object_get_header(
	    GMIME_OBJECT(part), "Content-Transfer-Encoding");
	GMimeContentEncoding encoding = g_mime_part_get_content_encoding(part);

	if (name && *name && encoding == GMIME_CONTENT_ENCODING_DEFAULT)
		mime_defects_add(&x->defects,
		    "part %zu has an unknown transfer encoding; it was not "
		    "decoded",
		    x->parts);
	if (encoding == GMIME_CONTENT_ENCODING_BASE64 &&
	    g_mime_part_get_content(part))
		check_base64(x, part);
}

/* Reads up to `max` bytes. */
static GString *
read_contents(GMimePart *part, size_t max)
{
	GString *bytes = g_string_new(NULL);
	GMimeStream *stream = open_contents(part);
	char chunk[16384];
	ssize_t n;

	while (stream && bytes->len < max &&
	       (n = g_mime_stream_read(stream, chunk, sizeof(chunk))) > 0)
		g_string_append_len(bytes, chunk, n);
	if (stream)
		g_object_unref(stream);
	return bytes;
}

/* --- bodies --- */

/* CR LF becomes LF, NUL the replacement character. */
static void
add_lines(struct extraction *x, GString *body, const GString *text)
{
	for (size_t i = 0; i < text->len; i++) {
		char c = text->str[i];

		if (c == '\r' && text->str[i + 1] == '\n')
			continue;
		if (c != '\0') {
			g_string_append_c(body, c);
			continue;
		}
		g_string_append(body, UTF8_REPLACEMENT);
		mime_defects_add(
		    &x->defects, "part %zu has NUL characters", x->parts);
	}
}

static void
note_charset_issue(
    struct extraction *x, enum mime_charset_issue issue, const char *charset)
{
	switch (issue) {
	case MIME_CHARSET_FINE:
		break;
	case MIME_CHARSET_BROKEN:
		mime_defects_add(&x->defects,
		    "part %zu has bytes that its charset %s does not know",
		    x->parts, charset);
		break;
	case MIME_CHARSET_UNKNOWN:
		mime_defects_add(&x->defects,
		    "part %zu is in the unknown charset %s", x->parts, charset);
		break;
	case MIME_CHARSET_GUESSED:
		mime_defects_add(&x->defects,
		    "part %zu names no charset for its 8-bit text, and is no "
		    "UTF-8; it was read as windows-1252",
		    x->parts);
		break;
	}
}

static void
add_body_bytes(struct extraction *x, GString *body, const char *charset,
    const char *bytes, size_t len)
{
	GString *text = g_string_new(NULL);

	note_charset_issue(
	    x, mime_charset_decode(text, charset, bytes, len), charset);
	if (body->len && text->len && body->str[body->len - 1] != '\n')
		g_string_append_c(body, '\n');
	add_lines(x, body, text);
	g_string_free(text, TRUE);
	limit_text(x, body, x->limits->max_body_bytes, "the body");
}

static void
add_body(struct extraction *x, GString *body, GMimePart *part)
{
	const char *charset = g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(part), "charset");
	/* no charset needs more than four bytes for one of UTF-8 */
	GString *bytes = read_contents(part, 4 * x->limits->max_body_bytes + 1);

	add_body_bytes(x, body, charset, bytes->str, bytes->len);
	g_string_free(bytes, TRUE);
}

/* --- attachments --- */

/* A raw header field of a part, in UTF-8; NULL if it has none. */
static char *
part_field(struct extraction *x, GMimePart *part, const char *name)
{
	GMimeHeader *header = g_mime_header_list_get_header(
	    g_mime_object_get_header_list(GMIME_OBJECT(part)), name);
	const char *raw = header ? g_mime_header_get_raw_value(header) : NULL;
	size_t max = x->limits->max_header_bytes;
	unsigned issues = 0;
	char *cut, *field;

	if (!raw)
		return NULL;
	cut = g_strndup(raw, max);
	field = mime_header_in_utf8(cut, &issues);
	g_free(cut);
	note_header_issues(x, name, issues);
	return field;
}

/* The parameter that names the file, "" if there is none. */
static char *
file_name(struct extraction *x, GMimePart *part)
{
	char *field = part_field(x, part, "Content-Disposition");
	const char *value = NULL;
	char *name = NULL;
	unsigned issues = 0;

	if (field) {
		GMimeContentDisposition *disposition =
		    g_mime_content_disposition_parse(NULL, field);

		value = g_mime_content_disposition_get_parameter(
		    disposition, "filename");
		if (value)
			name = mime_header_plain(value, &issues);
		g_object_unref(disposition);
		g_free(field);
	}
	field = value ? NULL : part_field(x, part, "Content-Type");
	if (field) {
		GMimeContentType *type = g_mime_content_type_parse(NULL, field);

		value = g_mime_content_type_get_parameter(type, "name");
		if (value)
			name = mime_header_plain(value, &issues);
		g_object_unref(type);
		g_free(field);
	}
	note_header_issues(x, "file name", issues);
	return name ? name : g_strdup("");
}

/* type/subtype in lower case; what no type can be called is unknown. */
static char *
content_type(GMimePart *part)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				      "!#$&-^_.+";
	GMimeContentType *type =
	    g_mime_object_get_content_type(GMIME_OBJECT(part));
	char *major =
	    g_ascii_strdown(g_mime_content_type_get_media_type(type), -1);
	char *minor =
	    g_ascii_strdown(g_mime_content_type_get_media_subtype(type), -1);
	char *whole = NULL;

	if (*major && *minor && !major[strspn(major, allowed)] &&
	    !minor[strspn(minor, allowed)])
		whole = g_strdup_printf("%s/%s", major, minor);
	g_free(major);
	g_free(minor);
	if (whole && strlen(whole) <= MIME_WIRE_TYPE_MAX)
		return whole;
	g_free(whole);
	return g_strdup("application/octet-stream");
}

/* The text cut to what its frame allows. */
static char *
fit(struct extraction *x, char *text, size_t max, const char *name)
{
	GString *fitted = g_string_new(text);

	g_free(text);
	limit_text(x, fitted, max, name);
	return g_string_free(fitted, FALSE);
}

static void
emit_contents(struct extraction *x, GMimePart *part)
{
	GMimeStream *stream = open_contents(part);
	static char chunk[MIME_WIRE_MAX];
	ssize_t n;

	while (stream && !x->stopped &&
	       (n = g_mime_stream_read(stream, chunk, sizeof(chunk))) > 0) {
		uint64_t left = x->limits->max_attachment_bytes - x->bytes;
		size_t len = (size_t)n < left ? (size_t)n : (size_t)left;

		say(x, MIME_FRAME_DATA, chunk, len);
		x->bytes += len;
		if (len == (size_t)n)
			continue;
		x->truncated = true;
		mime_defects_add(&x->defects,
		    "attachment %zu was cut: all together have more than %ju "
		    "bytes",
		    x->attachments, (uintmax_t)x->limits->max_attachment_bytes);
		break;
	}
	if (stream)
		g_object_unref(stream);
}

static bool
is_inline(GMimePart *part, enum place place)
{
	const char *disposition =
	    g_mime_object_get_disposition(GMIME_OBJECT(part));

	if (disposition)
		return g_ascii_strcasecmp(disposition, "inline") == 0;
	return place == IN_RELATED || place == IN_ALTERNATIVE;
}

static void
emit_attachment(
    struct extraction *x, GMimePart *part, enum place place, char *name)
{
	const char *id = g_mime_object_get_content_id(GMIME_OBJECT(part));
	unsigned issues = 0;
	char *type = content_type(part);
	char *id_line = fit(x, mime_header_plain(id ? id : "", &issues),
	    MIME_WIRE_ID_MAX, "a Content-ID");
	char *name_line = fit(x, name, MIME_WIRE_NAME_MAX, "a file name");
	struct mime_wire_attachment a = {
	    is_inline(part, place), type, id_line, name_line};
	uint8_t frame[MIME_WIRE_TYPE_MAX + MIME_WIRE_ID_MAX +
		      MIME_WIRE_NAME_MAX + 8];

	x->attachments++;
	say(x, MIME_FRAME_ATTACHMENT, frame,
	    mime_wire_put_attachment(frame, &a));
	emit_contents(x, part);
	g_free(type);
	g_free(id_line);
	g_free(name_line);
}

/* --- the tree --- */

static bool
is_type(GMimePart *part, const char *type, const char *subtype)
{
	return g_mime_content_type_is_type(
	    g_mime_object_get_content_type(GMIME_OBJECT(part)), type, subtype);
}

/* RFC 2183 section 2.8: an unknown disposition is as `attachment`. */
static bool
is_shown(GMimePart *part)
{
	const char *disposition =
	    g_mime_object_get_disposition(GMIME_OBJECT(part));

	return !disposition || g_ascii_strcasecmp(disposition, "inline") == 0;
}

static enum role
role_of(GMimePart *part, enum place place, const char *name)
{
	if (!is_shown(part))
		return ATTACHMENT;
	if (*name && place != WHOLE && place != IN_ALTERNATIVE)
		return ATTACHMENT;
	if (is_type(part, "text", "html"))
		return BODY_HTML;
	if (is_type(part, "text", "plain"))
		return BODY_TEXT;
	/* GMime's class says text where the type is unreadable (RFC 2045
	 * section 5.2), and RFC 2046 section 4.1.4 asks for unknown text. */
	if (place == WHOLE && GMIME_IS_TEXT_PART(part))
		return BODY_TEXT;
	return ATTACHMENT;
}

static void
take_leaf(struct extraction *x, GMimePart *part, enum place place)
{
	char *name = file_name(x, part);

	x->parts++;
	check_encoding(x, part);
	switch (role_of(part, place, name)) {
	case BODY_TEXT:
		add_body(x, x->text, part);
		break;
	case BODY_HTML:
		add_body(x, x->html, part);
		break;
	case ATTACHMENT:
		if (x->attachments < x->limits->max_attachments) {
			emit_attachment(x, part, place, name);
			return;
		}
		x->left_out++;
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

	x->parts++;
	mime_defects_add(&x->defects,
	    "part %zu is a multipart without parts; it was taken as text",
	    x->parts);
	if (text)
		add_body_bytes(x, x->text, NULL, text, strlen(text));
}

static void
take(struct extraction *x, GMimeObject *object, enum place place, int depth)
{
	GMimeMultipart *multipart;
	int count;

	if (x->stopped)
		return;
	if (depth > DEPTH_MAX) {
		mime_defects_add(&x->defects,
		    "parts nested deeper than %d levels were left out",
		    DEPTH_MAX);
		x->truncated = true;
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
}

/* --- the message --- */

void
mime_extract_init(void)
{
	static const char *const subtypes[] = {
	    "rfc822", "rfc2822", "global", "news"};

	g_mime_init();
	/* An embedded message is bytes: nothing in it is parsed, so nothing in
	 * it can break the parser, and it comes out as it went in. */
	for (size_t i = 0; i < G_N_ELEMENTS(subtypes); i++)
		g_mime_object_register_type(
		    "message", subtypes[i], GMIME_TYPE_PART);
	mime_charset_load();
}

static GMimeObject *
parse(struct extraction *x, int fd)
{
	GMimeStream *stream = g_mime_stream_fs_new(fd);
	GMimeParser *parser;
	GMimeObject *message;

	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	parser = g_mime_parser_new_with_stream(stream);
	/* as a part: a GMimeMessage would parse its addresses, which crashes
	 * on nested groups */
	message = g_mime_parser_construct_part(parser, x->options);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

static void
extract_object(struct extraction *x, GMimeObject *message)
{
	emit_fields(x, message);
	take(x, message, WHOLE, 0);
	say(x, MIME_FRAME_BODY_TEXT, x->text->str, x->text->len);
	say(x, MIME_FRAME_BODY_HTML, x->html->str, x->html->len);
	if (!x->left_out)
		return;
	x->truncated = true;
	mime_defects_add(&x->defects,
	    "%zu attachments beyond the first %zu were left out", x->left_out,
	    x->limits->max_attachments);
}

static void
emit_end(struct extraction *x, bool parsed)
{
	uint8_t flags = 0;

	for (size_t i = 0; i < x->defects.count; i++)
		say(x, MIME_FRAME_DEFECT, x->defects.sentences[i],
		    strlen(x->defects.sentences[i]));
	if (x->truncated)
		flags |= MIME_DONE_TRUNCATED;
	if (!parsed)
		flags |= MIME_DONE_UNPARSED;
	say(x, MIME_FRAME_DONE, &flags, 1);
}

void
mime_extract(int fd, const struct mime_limits *limits, mime_extract_emit emit,
    void *context)
{
	struct extraction x = {
	    .limits = limits,
	    .emit = emit,
	    .context = context,
	    .options = g_mime_parser_options_new(),
	    .text = g_string_new(NULL),
	    .html = g_string_new(NULL),
	};
	GMimeObject *message;

	mime_defects_listen(&x.defects, x.options);
	message = parse(&x, fd);
	if (message)
		extract_object(&x, message);
	else
		mime_defects_add(
		    &x.defects, "the message is empty or has no header");
	emit_end(&x, message != NULL);
	if (message)
		g_object_unref(message);
	g_string_free(x.text, TRUE);
	g_string_free(x.html, TRUE);
	g_mime_parser_options_free(x.options);
	mime_defects_done(&x.defects);
}
