/* SPDX-License-Identifier: ISC */
#include "mime_calendar_lines.h"

#include <glib.h>
#include <string.h>

#define LINE_MAX_BYTES 4000

/* What a summary is made of; the number of lines of a name that may be passed
 * on. */
static const struct property {
	const char *name;
	size_t max;
} properties[] = {
    {"UID", 1},
    {"SEQUENCE", 1},
    {"SUMMARY", 1},
    {"LOCATION", 1},
    {"STATUS", 1},
    {"DTSTART", 1},
    {"DTEND", 1},
    {"DUE", 1},
    {"DURATION", 1},
    {"RECURRENCE-ID", 1},
    {"ORGANIZER", 1},
    {"ATTENDEE", MIME_SUMMARY_ROWS_MAX},
};

static const char *const components[] = {
    "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"};

struct choice {
	struct mime_report *report;
	GString *out;
	size_t depth;          /* components that are open */
	const char *component; /* the one that was chosen, or NULL */
	bool over;             /* it was there and has ended */
	bool has_method;
	size_t taken[G_N_ELEMENTS(properties)];
};

static bool
is_continued(const char *p)
{
	return *p == ' ' || *p == '\t';
}

/* Takes a line from *p with those that continue it (RFC 5545 section 3.1), of
 * which no more than its maximum is kept. */
static void
take_line(const char **p, GString *line, bool *ret_cut)
{
	bool first = true;

	g_string_truncate(line, 0);
	*ret_cut = false;
	while (**p && (first || is_continued(*p))) {
		const char *start = *p + !first;
		size_t len = strcspn(start, "\r\n");
		size_t room = LINE_MAX_BYTES - line->len;

		*ret_cut |= len > room;
		g_string_append_len(
		    line, start, (gssize)(len < room ? len : room));
		*p = start + len;
		if (**p == '\r')
			(*p)++;
		if (**p == '\n')
			(*p)++;
		first = false;
	}
}

/* A line "BEGIN:name" or "END:name"; NULL if it is none.  Points to the name. */
static const char *
bracket_of(const char *line, const char *word)
{
	size_t len = strlen(word);

	if (g_ascii_strncasecmp(line, word, len) != 0 || line[len] != ':')
		return NULL;
	return line + len + 1;
}

static const struct property *
find_property(const char *line)
{
	size_t len = strcspn(line, ":;");

	for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
		if (len == strlen(properties[i].name) &&
		    g_ascii_strncasecmp(line, properties[i].name, len) == 0)
			return &properties[i];
	return NULL;
}

static void
begin(struct choice *c, const char *name)
{
	if (c->depth == 0 && g_ascii_strcasecmp(name, "VCALENDAR") != 0)
		return;
	if (c->depth == 1 && !c->component)
		for (size_t i = 0; i < G_N_ELEMENTS(components); i++)
			if (g_ascii_strcasecmp(name, components[i]) == 0)
				c->component = components[i];
	if (c->depth == 1 && c->component && !c->over)
		g_string_append_printf(c->out, "BEGIN:%s\r\n", c->component);
	c->depth++;
}

static void
end(struct choice *c)
{
	if (c->depth == 2 && c->component && !c->over) {
		g_string_append_printf(c->out, "END:%s\r\n", c->component);
		c->over = true;
	}
	if (c->depth)
		c->depth--;
}

static bool
has_controls(const GString *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (g_ascii_iscntrl(line->str[i]) && line->str[i] != '\t')
			return true;
	return false;
}

static void
add(struct choice *c, const GString *line, bool cut)
{
	if (cut || has_controls(line)) {
		mime_report_defect(c->report,
		    "a calendar has a line that is too long or has control "
		    "characters; it is not in the summary");
		return;
	}
	g_string_append_len(c->out, line->str, (gssize)line->len);
	g_string_append(c->out, "\r\n");
}

static void
choose(struct choice *c, const GString *line, bool cut)
{
	const struct property *property = find_property(line->str);

	if (c->depth == 1 && !c->has_method &&
	    bracket_of(line->str, "METHOD")) {
		add(c, line, cut);
		c->has_method = true;
		return;
	}
	if (c->depth != 2 || !c->component || c->over || !property)
		return;
	if (c->taken[property - properties]++ < property->max)
		add(c, line, cut);
	else if (property->max > 1)
		mime_report_defect(c->report,
		    "a calendar has more than %zu attendees; the rest is not "
		    "in the summary",
		    property->max);
}

char *
mime_calendar_lines(struct mime_report *report, const char *text)
{
	struct choice c = {.report = report,
	    .out = g_string_new("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")};
	GString *line = g_string_new(NULL);

	while (*text) {
		const char *name;
		bool cut;

		take_line(&text, line, &cut);
		g_strchomp(line->str);
		line->len = strlen(line->str);
		if ((name = bracket_of(line->str, "BEGIN")))
			begin(&c, name);
		else if (bracket_of(line->str, "END"))
			end(&c);
		else
			choose(&c, line, cut);
	}
	g_string_free(line, TRUE);
	/* it may be cut off */
	if (c.component && !c.over)
		g_string_append_printf(c.out, "END:%s\r\n", c.component);
	g_string_append(c.out, "END:VCALENDAR\r\n");
	return g_string_free(c.out, !c.has_method || !c.component);
}
