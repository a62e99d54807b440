/* SPDX-License-Identifier: ISC */
#include "mime_defects.h"

#include <stdarg.h>
#include <string.h>

#include "utf8.h"

void
mime_defects_done(struct mime_defects *defects)
{
	for (size_t i = 0; i < defects->count; i++)
		g_free(defects->sentences[i]);
	defects->count = 0;
}

static bool
is_known(const struct mime_defects *defects, const char *sentence)
{
	for (size_t i = 0; i < defects->count; i++)
		if (strcmp(defects->sentences[i], sentence) == 0)
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
mime_defects_add(struct mime_defects *defects, const char *format, ...)
{
	char sentence[MIME_WIRE_DEFECT_MAX + 1];
	va_list args;

	if (defects->count == MIME_WIRE_DEFECTS)
		return;
	va_start(args, format);
	g_vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	make_printable(sentence);
	if (is_known(defects, sentence))
		return;
	if (defects->count == MIME_WIRE_DEFECTS - 1)
		g_strlcpy(
		    sentence, "there is more that is wrong", sizeof(sentence));
	defects->sentences[defects->count++] = g_strdup(sentence);
}

/* What to say of each of GMime's warnings, before and after what it is about;
 * those not here are harmless, or noted elsewhere. */
static const struct {
	const char *before;
	const char *after;
} warnings[] = {
    [GMIME_WARN_DUPLICATED_HEADER] = {"the field ", " is there twice"},
    [GMIME_CRIT_CONFLICTING_HEADER] = {"the field ",
	" is there more than once, with different contents"},
    [GMIME_CRIT_CONFLICTING_PARAMETER] = {"the parameter ",
	" is there more than once, with different values"},
    [GMIME_WARN_INVALID_CONTENT_TYPE] = {"the content type ", " is invalid"},
    [GMIME_WARN_INVALID_PARAMETER] = {"the parameter ", " is invalid"},
    [GMIME_WARN_MALFORMED_MULTIPART] = {"a multipart/", " has no end"},
    [GMIME_WARN_TRUNCATED_MESSAGE] = {"the message ends too early", ""},
    [GMIME_WARN_MALFORMED_MESSAGE] = {"the message is malformed", ""},
    [GMIME_CRIT_INVALID_HEADER_NAME] = {"the field name ", " is invalid"},
    [GMIME_CRIT_MULTIPART_WITHOUT_BOUNDARY] = {"a multipart/",
	" has no boundary parameter"},
    [GMIME_CRIT_NESTING_OVERFLOW] = {"parts are nested too deep", ""},
    [GMIME_WARN_PART_WITHOUT_CONTENT] = {"a part has no content", ""},
    [GMIME_CRIT_PART_WITHOUT_HEADERS_OR_CONTENT] =
	{"a part has neither fields nor content", ""},
};

/* Fields of which one message has one.  Of others (Received) many are right. */
static bool
is_single(const char *name)
{
	static const char *const singles[] = {"From", "Sender", "Reply-To",
	    "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To",
	    "References", "MIME-Version", "Content-Type",
	    "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"};

	for (size_t i = 0; i < G_N_ELEMENTS(singles); i++)
		if (g_ascii_strcasecmp(singles[i], name) == 0)
			return true;
	return false;
}

static void
on_warning(gint64 offset, GMimeParserWarning warning, const gchar *item,
    gpointer context)
{
	(void)offset;
	if (warning >= G_N_ELEMENTS(warnings) || !warnings[warning].before)
		return;
	if (!item)
		item = "";
	if ((warning == GMIME_WARN_DUPLICATED_HEADER ||
		warning == GMIME_CRIT_CONFLICTING_HEADER) &&
	    !is_single(item))
		return;
	mime_defects_add(context, "%s%s%s", warnings[warning].before,
	    *warnings[warning].after ? item : "", warnings[warning].after);
}

void
mime_defects_listen(struct mime_defects *defects, GMimeParserOptions *options)
{
	g_mime_parser_options_set_warning_callback(
	    options, on_warning, defects);
}
