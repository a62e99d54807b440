/* SPDX-License-Identifier: ISC */
/* The input is a line that somebody sent to a control socket. */
#include "fuzz.h"

#include "base/utf8.h"
#include "control_line.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_line line;
	struct mt_error err;
	const char *text;
	char *copy = malloc(size + !size);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	if (control_line_parse(&line, copy, size, &err) == MT_OK) {
		FUZZ_CHECK(json_object_is_type(line.object, json_type_object));
		FUZZ_CHECK(line.type);
		FUZZ_CHECK(!memchr(copy, '\0', size));
		if (control_line_text(line.object, "uid", &text, &err) != MT_OK)
			FUZZ_CHECK(!text && *err.text);
	} else {
		FUZZ_CHECK(*err.text);
	}
	if (line.request_id)
		FUZZ_CHECK(
		    *line.request_id &&
		    strlen(line.request_id) <= CONTROL_REQUEST_ID_MAX &&
		    utf8_is_line(line.request_id, strlen(line.request_id)));
	control_line_done(&line);
	free(copy);
	return 0;
}
