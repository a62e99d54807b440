/* SPDX-License-Identifier: ISC */
/* The input is a risk manifest that somebody else wrote. */
#include "fuzz.h"

#include "delivery/manifest_text.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "agents/email/inbox/1/message.json"
#define WINDOWS_MAX 24 /* beyond, only some sizes are tried */

struct text {
	const char *data;
	size_t len;
};

static ssize_t
read_text(void *context, void *data, size_t len, off_t at)
{
	const struct text *text = context;
	size_t left = text->len - (size_t)at;

	FUZZ_CHECK((size_t)at <= text->len);
	if (len > left)
		len = left;
	memcpy(data, text->data + at, len);
	return (ssize_t)len;
}

/* The new text; empty if the old one is refused. */
static struct buf
change(const struct text *text, size_t window, enum manifest_mode mode)
{
	const struct manifest_reader reader = {
	    read_text, (void *)(uintptr_t)text, window};
	struct manifest_paths paths = {0};
	struct manifest_change change;
	struct buf new = BUF_INIT(8 * 1024 * 1024);
	struct mt_error err;

	if (manifest_paths_add(&paths, "agents/email/inbox", "1",
		"message.json", &err) != MT_OK)
		abort();
	if (manifest_change_make(&reader, &paths, mode, "email", "now", &change,
		&err) == MT_OK) {
		FUZZ_CHECK(change.added_count <= 1);
		FUZZ_CHECK(mode != MANIFEST_SET || change.added_count == 1);
		buf_add_text(&new, "{");
		for (size_t i = 0; i < change.kept_count; i++) {
			const struct manifest_range *kept = &change.kept[i];

			FUZZ_CHECK(kept->begin < kept->end &&
				   (size_t)kept->end < text->len);
			buf_add_text(&new, i ? "," : "");
			buf_add(&new, text->data + kept->begin,
			    (size_t)(kept->end - kept->begin));
		}
		buf_add(&new, change.added.data, change.added.len);
		FUZZ_CHECK(buf_ok(&new));
		manifest_change_done(&change);
	}
	manifest_paths_done(&paths);
	return new;
}

static void
check_windows(
    const struct text *text, enum manifest_mode mode, const struct buf *whole)
{
	for (size_t window = 1; window <= text->len;
	     window += 1 + window / WINDOWS_MAX * window) {
		struct buf new = change(text, window, mode);

		FUZZ_CHECK(new.len == whole->len);
		FUZZ_CHECK(new.len == 0 ||
			   memcmp(new.data, whole->data, new.len) == 0);
		buf_done(&new);
	}
}

static void
check(const struct text *text, enum manifest_mode mode)
{
	struct buf new = change(text, text->len + 1, mode);
	struct json_object *root, *entry = NULL;

	if (new.len) {
		/* json-c's own limit of depth is half of ours */
		root = json_tokener_parse(buf_text(&new));
		FUZZ_CHECK(!root ||
			   json_object_object_get_ex(root, FILE_NAME, &entry));
		json_object_put(root);
	}
	check_windows(text, mode, &new);
	buf_done(&new);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct text text = {(const char *)data, size};

	check(&text, MANIFEST_SET);
	check(&text, MANIFEST_MISSING);
	return 0;
}
