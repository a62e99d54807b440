/* SPDX-License-Identifier: ISC */
#include "mime_tnef.h"

#include <glib.h>
#include <string.h>

#include "mime_charset.h"
#include "mime_tnef_props.h"
#include "mime_tnef_stream.h"

#define DEPTH_MAX 5 /* messages within messages */
#define GUID_LEN 16 /* before the stream of such a message */
#define TITLE_MAX 1000

/* Blocks of properties.  Each may have libytnef clear 64 KB for nothing. */
#define BLOCKS_MAX 2000

struct unpacking {
	struct mime_report *report;
	size_t number; /* of the part */
	mime_tnef_take take;
	void *context;
	bool stopped;
	int depth;
	size_t blocks;
};

/* The attachment that is being collected from its attributes. */
struct attachment {
	bool begun;
	struct mime_tnef_attribute title, data, props;
};

static void unpack(struct unpacking *u, const uint8_t *bytes, size_t len);

static void
note(struct unpacking *u, const char *what)
{
	mime_report_defect(
	    u->report, "the TNEF of part %zu %s", u->number, what);
}

/* The properties in a block; NULL, with a defect, if they cannot be read. */
static struct mime_tnef_props *
read_props(struct unpacking *u, const struct mime_tnef_attribute *block)
{
	struct mime_tnef_props *props = NULL;

	if (u->blocks++ == BLOCKS_MAX) {
		u->report->truncated = u->stopped = true;
		note(u, "has too many blocks of properties; the rest was left "
			"out");
		return NULL;
	}
	props = mime_tnef_props_new(block->data, block->len);
	if (!props)
		note(u, "has properties that cannot be read");
	return props;
}

/* The charset of a code page; NULL if nobody knows, for text to be guessed. */
static char *
charset_of(uint32_t code_page)
{
	static const struct {
		uint32_t code_page;
		const char *charset;
	} names[] = {{936, "gb18030"}, {950, "big5"}, {20866, "koi8-r"},
	    {28591, "iso-8859-1"}, {65001, "utf-8"}};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].code_page == code_page)
			return g_strdup(names[i].charset);
	if (code_page < 400 || code_page > 1300)
		return NULL;
	return g_strdup_printf("cp%u", code_page);
}

static void
pass_on(struct unpacking *u, const struct mime_tnef_file *file)
{
	if (!u->stopped)
		u->stopped = !u->take(u->context, file);
}

static void
pass_body(struct unpacking *u, const char *name, const char *type,
    const uint8_t *data, size_t len)
{
	const struct mime_tnef_file file = {
	    .name = name, .type = type, .data = data, .len = len};

	if (len)
		pass_on(u, &file);
}

static void
take_rtf(struct unpacking *u, const struct mime_tnef_props *props)
{
	bool is_object;
	size_t len;
	const uint8_t *bytes =
	    mime_tnef_props_bytes(props, MIME_TNEF_PROP_RTF, &len, &is_object);
	GByteArray *rtf;

	if (!bytes)
		return;
	rtf = mime_tnef_rtf(bytes, len, u->report->limits->max_body_bytes);
	if (!rtf) {
		note(u, "has a text in RTF that cannot be read");
		return;
	}
	pass_body(u, "body.rtf", "text/rtf", rtf->data, rtf->len);
	g_byte_array_unref(rtf);
}

static void
take_message_props(struct unpacking *u, const struct mime_tnef_attribute *a)
{
	struct mime_tnef_props *props = read_props(u, a);
	const uint8_t *html;
	char *text;
	bool is_object;
	size_t len;

	if (!props)
		return;
	text = mime_tnef_props_text(props, MIME_TNEF_PROP_BODY, NULL);
	if (text)
		pass_body(
		    u, "body.txt", "text/plain", (uint8_t *)text, strlen(text));
	g_free(text);
	html =
	    mime_tnef_props_bytes(props, MIME_TNEF_PROP_HTML, &len, &is_object);
	if (html)
		pass_body(u, "body.html", "text/html", html, len);
	take_rtf(u, props);
	mime_tnef_props_free(&props);
}

/* A text of an attribute: in the stream's code page, up to a NUL. */
static char *
attribute_text(const struct mime_tnef_attribute *a, const char *charset)
{
	GString *text;

	if (!a->data)
		return NULL;
	text = g_string_new(NULL);
	mime_charset_decode(text, charset, (const char *)a->data,
	    strnlen((const char *)a->data, MIN(a->len, TITLE_MAX)));
	return g_string_free(text, FALSE);
}

/* The name of an attachment, NULL if it has none; g_free. */
static char *
name_of(const struct attachment *a, const struct mime_tnef_props *props,
    const char *charset)
{
	static const enum mime_tnef_prop ids[] = {MIME_TNEF_PROP_LONG_FILE_NAME,
	    MIME_TNEF_PROP_FILE_NAME, MIME_TNEF_PROP_NAME};

	for (size_t i = 0; props && i < G_N_ELEMENTS(ids); i++) {
		char *name = mime_tnef_props_text(props, ids[i], charset);

		if (name && *name)
			return name;
		g_free(name);
	}
	return attribute_text(&a->title, charset);
}

static void
unpack_inner(struct unpacking *u, const uint8_t *bytes, size_t len)
{
	if (u->depth == DEPTH_MAX) {
		u->report->truncated = true;
		note(u, "is nested too deep; the rest was left out");
		return;
	}
	u->depth++;
	unpack(u, bytes, len);
	u->depth--;
}

/* The contents as the properties have them: bytes, or a message. */
static void
pass_prop_data(struct unpacking *u, const struct mime_tnef_props *props,
    struct mime_tnef_file *file)
{
	bool is_object;
	size_t len;
	const uint8_t *bytes =
	    mime_tnef_props_bytes(props, MIME_TNEF_PROP_DATA, &len, &is_object);
	struct mime_tnef_stream stream;

	if (!bytes) {
		note(u, "has an attachment without contents");
		return;
	}
	if (is_object && len > GUID_LEN) {
		bytes += GUID_LEN;
		len -= GUID_LEN;
		if (mime_tnef_stream_open(&stream, bytes, len)) {
			unpack_inner(u, bytes, len);
			return;
		}
	}
	file->data = bytes;
	file->len = len;
	pass_on(u, file);
}

/* Passes on the attachment that has been collected, and forgets it. */
static void
finish(struct unpacking *u, struct attachment *a, const char *charset)
{
	struct mime_tnef_props *props = NULL;
	char *name, *type = NULL, *id = NULL;
	struct mime_tnef_file file;

	if (!a->begun)
		return;
	if (a->props.data)
		props = read_props(u, &a->props);
	name = name_of(a, props, charset);
	if (props) {
		type = mime_tnef_props_text(
		    props, MIME_TNEF_PROP_MIME_TYPE, charset);
		id = mime_tnef_props_text(
		    props, MIME_TNEF_PROP_CONTENT_ID, charset);
	}
	file =
	    (struct mime_tnef_file){name, type, id, a->data.data, a->data.len};
	if (file.data)
		pass_on(u, &file);
	else if (props)
		pass_prop_data(u, props, &file);
	g_free(name);
	g_free(type);
	g_free(id);
	mime_tnef_props_free(&props);
	*a = (struct attachment){0};
}

static void
take_body(struct unpacking *u, const struct mime_tnef_attribute *a)
{
	const char *text = (const char *)a->data;

	pass_body(u, "body.txt", "text/plain", a->data, strnlen(text, a->len));
}

/* Takes what belongs to an attachment; one without a beginning begins with the
 * first attribute that the one before has already. */
static void
collect(struct unpacking *u, struct attachment *attachment,
    const struct mime_tnef_attribute *a, const char *charset)
{
	struct mime_tnef_attribute *place = NULL;

	if (a->id == MIME_TNEF_ATTACH_TITLE)
		place = &attachment->title;
	else if (a->id == MIME_TNEF_ATTACH_DATA)
		place = &attachment->data;
	else if (a->id == MIME_TNEF_ATTACH_PROPS)
		place = &attachment->props;
	if (a->id == MIME_TNEF_ATTACH_REND_DATA || (place && place->data))
		finish(u, attachment, charset);
	if (place)
		*place = *a;
	attachment->begun |= place || a->id == MIME_TNEF_ATTACH_REND_DATA;
}

static void
unpack(struct unpacking *u, const uint8_t *bytes, size_t len)
{
	struct attachment attachment = {0};
	struct mime_tnef_attribute a;
	struct mime_tnef_stream stream;
	char *charset = NULL;

	if (!mime_tnef_stream_open(&stream, bytes, len)) {
		note(u, "has no signature");
		return;
	}
	while (!u->stopped && mime_tnef_stream_next(&stream, &a)) {
		if (!a.is_intact)
			note(u, "has a wrong checksum");
		if (a.id == MIME_TNEF_CODE_PAGE && a.len >= 4 && !charset)
			charset = charset_of(mime_tnef_u32(a.data));
		else if (a.id == MIME_TNEF_MESSAGE_PROPS)
			take_message_props(u, &a);
		else if (a.id == MIME_TNEF_BODY)
			take_body(u, &a);
		else
			collect(u, &attachment, &a, charset);
	}
	finish(u, &attachment, charset);
	if (stream.is_cut)
		note(u, "ends too early");
	g_free(charset);
}

void
mime_tnef_unpack(struct mime_report *report, size_t number,
    const uint8_t *bytes, size_t len, mime_tnef_take take, void *context)
{
	struct unpacking u = {
	    .report = report,
	    .number = number,
	    .take = take,
	    .context = context,
	};

	unpack(&u, bytes, len);
}
