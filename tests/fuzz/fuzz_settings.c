/* SPDX-License-Identifier: ISC */
/* Parts: on which line the handler fails (0: on none), text. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/settings.h"

#include <stdlib.h>
#include <string.h>

struct seen {
	struct buf text; /* the settings, written out again */
	size_t lines;
	size_t fails_on;
};

static bool
is_trimmed(const char *text)
{
	size_t len = strlen(text);

	return !len ||
	       (!strchr(" \t\r", text[0]) && !strchr(" \t\r", text[len - 1]));
}

static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	struct seen *seen = context;
	long number;
	bool value;

	if (++seen->lines == seen->fails_on)
		return mt_fail(err, MT_BAD_CONFIG, "unknown setting");
	FUZZ_CHECK(is_trimmed(line->section) && !strchr(line->section, '\n'));
	if (!line->name) {
		buf_add_format(&seen->text, "[%s]\n", line->section);
		return MT_OK;
	}
	FUZZ_CHECK(*line->name && is_trimmed(line->name));
	FUZZ_CHECK(!strpbrk(line->name, "=\n") && *line->name != '#');
	FUZZ_CHECK(is_trimmed(line->value) && !strchr(line->value, '\n'));
	if (settings_number(line->value, -5, 500, &number))
		FUZZ_CHECK(number >= -5 && number <= 500);
	FUZZ_CHECK(!settings_bool(line->value, &value) || *line->value);
	buf_add_format(&seen->text, "%s = %s\n", line->name, line->value);
	return MT_OK;
}

static enum mt_status
parse(const char *text, size_t fails_on, struct seen *seen)
{
	struct mt_error err = {0};
	enum mt_status status;

	*seen = (struct seen){
	    .text = BUF_INIT(1048576), .lines = 0, .fails_on = fails_on};
	status = settings_parse("file", text, take_line, seen, &err);
	if (status != MT_OK) {
		FUZZ_CHECK(status == MT_BAD_CONFIG && fuzz_is_sentence(&err));
		FUZZ_CHECK(strncmp(err.text, "file:", 5) == 0);
	}
	FUZZ_CHECK(!fails_on || seen->lines <= fails_on);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t fails_on = fuzz_number(&input) & 7;
	char *text = fuzz_text(&input);
	struct seen first, second;

	parse(text, fails_on, &first);
	/* what was understood is understood in the same way again */
	FUZZ_CHECK(parse(buf_text(&first.text), 0, &second) == MT_OK);
	FUZZ_CHECK(strcmp(buf_text(&first.text), buf_text(&second.text)) == 0);
	buf_done(&first.text);
	buf_done(&second.text);
	free(text);
	return 0;
}
