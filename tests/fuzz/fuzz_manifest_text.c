/* SPDX-License-Identifier: ISC */
/* The input is a risk manifest that somebody else wrote. */
#include "fuzz.h"

#include "delivery/manifest_text.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "agents/email/inbox/1/message.json"

static void
check(const char *text, size_t len, enum manifest_mode mode)
{
	struct manifest_paths paths = {0};
	struct manifest_change change;
	struct buf new = BUF_INIT(1024 * 1024);
	struct json_object *root, *entry = NULL;
	struct mt_error err;

	if (manifest_paths_add(&paths, "agents/email/inbox", "1",
		"message.json", &err) != MT_OK)
		abort();
	if (manifest_change_make(text, len, &paths, mode, "email", "now",
		&change, &err) == MT_OK) {
		for (size_t i = 0; i < change.piece_count; i++)
			buf_add(
			    &new, change.pieces[i].data, change.pieces[i].len);
		buf_add(&new, change.added.data, change.added.len);
		/* json-c's own limit of depth is half of ours */
		root = json_tokener_parse(buf_text(&new));
		FUZZ_CHECK(!root ||
			   json_object_object_get_ex(root, FILE_NAME, &entry));
		FUZZ_CHECK(change.added_count <= 1);
		FUZZ_CHECK(mode != MANIFEST_SET || change.added_count == 1);
		json_object_put(root);
		manifest_change_done(&change);
	}
	manifest_paths_done(&paths);
	buf_done(&new);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + !size);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	check(text, size, MANIFEST_SET);
	check(text, size, MANIFEST_MISSING);
	free(text);
	return 0;
}
