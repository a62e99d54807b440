/* SPDX-License-Identifier: ISC */
#include "settings.h"

#include "buf.h"
#include "fs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *
trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text;
}

/* Takes one trimmed line apart; *section follows along. */
static enum mt_status
split_line(char *text, const char **section, struct settings_line *ret_line,
    struct mt_error *err)
{
	char *equals;

	if (*text == '[') {
		size_t len = strlen(text);
		if (text[len - 1] != ']')
			return mt_fail(err, MT_BAD_CONFIG,
			    "the section has no closing ']'");
		text[len - 1] = '\0';
		*section = trim(text + 1);
		*ret_line = (struct settings_line){.section = *section};
		return MT_OK;
	}
	equals = strchr(text, '=');
	if (!equals || equals == text)
		return mt_fail(err, MT_BAD_CONFIG, "expected 'name = value'");
	*equals = '\0';
	*ret_line = (struct settings_line){
	    .section = *section,
	    .name = trim(text),
	    .value = trim(equals + 1),
	};
	return MT_OK;
}

static enum mt_status
parse(const char *name, char *text, settings_handler handler, void *context,
    struct mt_error *err)
{
	const char *section = "";
	char *rest = text, *line;

	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		struct settings_line parts;
		struct mt_error why = {0};
		enum mt_status status;

		line = trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		status = split_line(line, &section, &parts, &why);
		if (status == MT_OK)
			status = handler(context, &parts, &why);
		if (status != MT_OK)
			return mt_fail(
			    err, status, "%s:%d: %s", name, number, why.text);
	}
	return MT_OK;
}

enum mt_status
settings_parse(const char *name, const char *text, settings_handler handler,
    void *context, struct mt_error *err)
{
	char *copy = strdup(text);
	enum mt_status status;

	if (!copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory for %s", name);
	status = parse(name, copy, handler, context, err);
	free(copy);
	return status;
}

enum mt_status
settings_read(const char *path, bool *ret_found, settings_handler handler,
    void *context, struct mt_error *err)
{
	struct buf contents = BUF_INIT(SETTINGS_FILE_MAX);
	enum mt_status status = fs_read(&contents, path, ret_found, err);

	if (status == MT_OK && contents.len &&
	    memchr(contents.data, '\0', contents.len))
		status =
		    mt_fail(err, MT_BAD_CONFIG, "%s holds a NUL byte", path);
	if (status == MT_OK && contents.len)
		status = parse(path, contents.data, handler, context, err);
	buf_done(&contents);
	return status;
}

bool
settings_number(const char *text, long min, long max, long *ret_number)
{
	char *end;
	long number;

	if (*text < '0' || *text > '9') {
		if (*text != '-' || text[1] < '0' || text[1] > '9')
			return false;
	}
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || *end || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

bool
settings_duration(const char *text, long *ret_seconds)
{
	static const struct {
		const char *word;
		long seconds;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");
	char number[12];
	long count;

	if (strcmp(text, "0") == 0) {
		*ret_seconds = 0;
		return true;
	}
	snprintf(number, sizeof(number), "%.*s", (int)(digits % 12), text);
	if (digits >= sizeof(number) ||
	    !settings_number(number, 0, LONG_MAX / 86400, &count))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(unit, units[i].word) == 0) {
			*ret_seconds = count * units[i].seconds;
			return true;
		}
	}
	return false;
}

bool
settings_bool(const char *text, bool *ret_value)
{
	static const char *const words[][2] = {
	    {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		for (int value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) == 0) {
				*ret_value = value;
				return true;
			}
		}
	}
	return false;
}
