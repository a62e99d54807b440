/* SPDX-License-Identifier: ISC */
#include "unit/connector/mime/extract_message.h"

#include "mime/mime_extract.h"
#include "mime/mime_reply.h"

#include "base/fs.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <fcntl.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

struct sink {
	struct mime_reply *reply;
	enum mime_reply_state state;
};

static bool
take_frame(
    void *context, enum mime_frame_kind kind, const void *data, size_t len)
{
	struct sink *sink = context;
	struct mime_frame frame = {kind, data, len};
	struct mt_error err;

	sink->state = mime_reply_take(sink->reply, &frame, &err);
	return sink->state == MIME_REPLY_MORE;
}

struct mime_message
extract_message(const char *dir, const void *raw, size_t len,
    const struct mime_limits *limits)
{
	int raw_fd = memfd_create("message", MFD_CLOEXEC);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sink sink = {mime_reply_new(dir_fd, limits), MIME_REPLY_MORE};
	struct mime_message message;

	assert_int_equal(fs_write_all(raw_fd, raw, len), 0);
	mime_extract(raw_fd, limits, take_frame, &sink);
	assert_int_equal(sink.state, MIME_REPLY_DONE);
	OK(mime_reply_finish(sink.reply, &message, &err));
	mime_reply_free(&sink.reply);
	close(raw_fd);
	close(dir_fd);
	return message;
}

/* GMime forgets the entry of a type that is registered anew. */
int
extract_setup(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	__lsan_disable();
#endif
	mime_extract_init();
#ifdef __SANITIZE_ADDRESS__
	__lsan_enable();
#endif
	return 0;
}
