/* SPDX-License-Identifier: ISC */
#include "mime_dsn.h"

#include <glib.h>
#include <string.h>

/* One field, unfolded; its group ends with an empty line. */
struct field {
	char *name;
	char *value;
};

static void
field_done(struct field *field)
{
	g_free(field->name);
	g_free(field->value);
	*field = (struct field){NULL, NULL};
}

static bool
continues(const char *p)
{
	return *p == ' ' || *p == '\t';
}

/* Takes a line from *p, without its end. */
static char *
take_line(const char **p)
{
	size_t len = strcspn(*p, "\n");
	char *line = g_strndup(*p, len);

	*p += len;
	if (**p)
		(*p)++;
	return g_strchomp(line);
}

/* Takes a field from *p, and what continues it.  False at an empty line, which
 * is taken, and at the end. */
static bool
take_field(const char **p, struct field *ret_field)
{
	char *line = take_line(p), *colon = strchr(line, ':');
	GString *value;

	if (!*line) {
		g_free(line);
		return false;
	}
	value = g_string_new(colon ? colon + 1 : "");
	while (continues(*p)) {
		char *more = take_line(p);

		g_string_append(value, more);
		g_free(more);
	}
	if (colon)
		*colon = '\0';
	ret_field->name = g_strchomp(line);
	ret_field->value = g_strstrip(g_string_free(value, FALSE));
	return true;
}

static bool
is_field(const struct field *field, const char *name)
{
	return g_ascii_strcasecmp(field->name, name) == 0;
}

static void
set(char **text, char *value)
{
	g_free(*text);
	*text = value;
}

/* What follows a type and ';', as in "rfc822; bob@example.org". */
static char *
untyped(const char *value)
{
	const char *semicolon = strchr(value, ';');

	return g_strstrip(g_strdup(semicolon ? semicolon + 1 : value));
}

static char *
address_of(const char *value)
{
	char *address = untyped(value);
	size_t len = strlen(address);

	if (len > 2 && *address == '<' && address[len - 1] == '>') {
		memmove(address, address + 1, len - 2);
		address[len - 2] = '\0';
	}
	return address;
}

/* The first word: a comment may follow. */
static char *
word_of(const char *value)
{
	return g_ascii_strdown(value, (gssize)strcspn(value, " \t(;"));
}

/* RFC 3463: class, subject, detail; "" if it is none. */
static char *
status_of(const char *value)
{
	char *word = word_of(value);

	if (!g_ascii_isdigit(word[0]) || word[1] != '.' ||
	    word[strspn(word, "0123456789.")])
		word[0] = '\0';
	return word;
}

/* Takes what a field says about a recipient. */
static void
take_recipient_field(const struct field *field, char **texts)
{
	if (is_field(field, "Final-Recipient"))
		set(&texts[MIME_RECIPIENT_ADDRESS], address_of(field->value));
	else if (is_field(field, "Original-Recipient") &&
		 !texts[MIME_RECIPIENT_ADDRESS])
		set(&texts[MIME_RECIPIENT_ADDRESS], address_of(field->value));
	else if (is_field(field, "Action"))
		set(&texts[MIME_RECIPIENT_ACTION], word_of(field->value));
	else if (is_field(field, "Status"))
		set(&texts[MIME_RECIPIENT_STATUS], status_of(field->value));
	else if (is_field(field, "Diagnostic-Code"))
		set(&texts[MIME_RECIPIENT_DIAGNOSTIC], untyped(field->value));
}

static bool
is_recipient(char *const *texts)
{
	return texts[MIME_RECIPIENT_ADDRESS] || texts[MIME_RECIPIENT_ACTION];
}

/* The index of a recipient's action among the kinds; where the action is
 * missing, what its status says. */
static size_t
rank(char *const *texts)
{
	const char *action = texts[MIME_RECIPIENT_ACTION];
	const char *status = texts[MIME_RECIPIENT_STATUS];
	size_t i;

	if (!action)
		action = "";
	if (!*action && status && *status == '5')
		action = "failed";
	else if (!*action && status && *status == '4')
		action = "delayed";
	else if (!*action && status && *status == '2')
		action = "delivered";
	for (i = 0; mime_bounce_kinds[i + 1]; i++)
		if (strcmp(action, mime_bounce_kinds[i]) == 0)
			break;
	return i;
}

struct bounce {
	size_t rank;
	char *message_id;
	GPtrArray *recipients; /* arrays of texts */
};

static void
free_texts(gpointer texts)
{
	char **p = texts;

	for (size_t i = 0; i < MIME_RECIPIENT_TEXTS; i++)
		g_free(p[i]);
	g_free(p);
}

/* Takes one group of fields: the message's own, or a recipient's. */
static void
take_group(struct mime_report *report, struct bounce *bounce, const char **p)
{
	char **texts = g_new0(char *, MIME_RECIPIENT_TEXTS);
	struct field field;
	size_t ranked;

	while (take_field(p, &field)) {
		take_recipient_field(&field, texts);
		if (is_field(&field, "Original-Message-ID") ||
		    is_field(&field, "X-Original-Message-ID"))
			set(&bounce->message_id, g_strdup(field.value));
		field_done(&field);
	}
	if (!is_recipient(texts)) {
		free_texts(texts);
		return;
	}
	ranked = rank(texts);
	if (ranked < bounce->rank)
		bounce->rank = ranked;
	if (bounce->recipients->len < MIME_SUMMARY_ROWS_MAX) {
		g_ptr_array_add(bounce->recipients, texts);
		return;
	}
	free_texts(texts);
	report->truncated = true;
	mime_report_defect(report,
	    "the bounce names more than %d recipients; the rest was left out",
	    MIME_SUMMARY_ROWS_MAX);
}

/* The Message-ID of a header, NULL if it has none. */
static char *
find_message_id(const char *header)
{
	struct field field;
	char *id = NULL;

	while (!id && take_field(&header, &field)) {
		if (is_field(&field, "Message-ID"))
			id = g_strdup(field.value);
		field_done(&field);
	}
	return id;
}

void
mime_dsn_report(
    struct mime_report *report, const char *status, const char *returned)
{
	struct bounce bounce = {
	    .recipients = g_ptr_array_new_with_free_func(free_texts)};
	char *id = find_message_id(returned);

	while (mime_bounce_kinds[bounce.rank + 1])
		bounce.rank++;
	while (*status)
		take_group(report, &bounce, &status);
	if (id)
		set(&bounce.message_id, id);
	mime_report_row(report, MIME_FRAME_SUMMARY, MIME_BOUNCE,
	    (const char *const[MIME_BOUNCE_TEXTS]){
		[MIME_BOUNCE_KIND] = mime_bounce_kinds[bounce.rank],
		[MIME_BOUNCE_ORIGINAL_MESSAGE_ID] = bounce.message_id,
	    });
	for (guint i = 0; i < bounce.recipients->len; i++) {
		char **texts = g_ptr_array_index(bounce.recipients, i);

		mime_report_row(report, MIME_FRAME_ROW, MIME_BOUNCE,
		    (const char *const *)texts);
	}
	g_free(bounce.message_id);
	g_ptr_array_free(bounce.recipients, TRUE);
}
