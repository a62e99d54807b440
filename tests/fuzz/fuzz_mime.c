/* SPDX-License-Identifier: ISC */
/*
 * An input is a whole message.  It is taken apart as by the MIME worker, and
 * what that says goes to its client: whatever a message holds, the client has
 * nothing to object to, and both stay within the limits.
 */
#include "fuzz.h"

#include "base/fs.h"
#include "mime/mime_charset.h"
#include "mime/mime_extract.h"
#include "mime/mime_reply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_LOOKED_FOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_LOOKED_FOR
#endif
#endif

#ifdef LEAKS_ARE_LOOKED_FOR
#include <sanitizer/lsan_interface.h>

/* libytnef forgets what it has read of properties that it then refuses.  In the
 * worker it does so for 1,000 messages at most. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libytnef\nleak:TNEF\nleak:DecompressRTF\n";
}
#endif

static const struct mime_limits limits = {
    .max_header_bytes = 1000,
    .max_body_bytes = 10000,
    .max_attachments = 20,
    .max_attachment_bytes = 100000,
};

static char directory[] = "/tmp/fuzz_mime.XXXXXX";

static void
remove_directory(void)
{
	rmdir(directory);
}

/* The directory of the attachments, which each run leaves empty. */
static int
make_directory(void)
{
	int fd;

	FUZZ_CHECK(mkdtemp(directory));
	atexit(remove_directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	return fd;
}

static int
set_up(void)
{
	static struct mime_charsets charsets; /* found by the leak check */

	/* the libraries print what they think of a message */
	if (!freopen("/dev/null", "w", stdout))
		abort();
#ifdef LEAKS_ARE_LOOKED_FOR
	__lsan_disable(); /* GMime forgets types that are registered anew */
#endif
	mime_extract_init();
#ifdef LEAKS_ARE_LOOKED_FOR
	__lsan_enable();
#endif
	mime_charset_load(&charsets);
	return make_directory();
}

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

	FUZZ_CHECK(sink->state == MIME_REPLY_MORE);
	sink->state = mime_reply_take(sink->reply, &frame, &err);
	FUZZ_CHECK(
	    sink->state == MIME_REPLY_MORE || sink->state == MIME_REPLY_DONE);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir_fd = -1;
	struct sink sink = {.state = MIME_REPLY_MORE};
	struct mime_message message;
	struct mt_error err;
	int raw_fd = memfd_create("message", MFD_CLOEXEC);

	if (dir_fd < 0)
		dir_fd = set_up();
	FUZZ_CHECK(raw_fd >= 0 && !fs_write_all(raw_fd, data, size));
	sink.reply = mime_reply_new(dir_fd, &limits);
	FUZZ_CHECK(sink.reply);
	mime_extract(raw_fd, &limits, take_frame, &sink);
	FUZZ_CHECK(sink.state == MIME_REPLY_DONE);
	mime_reply_discard(sink.reply);
	FUZZ_CHECK(mime_reply_finish(sink.reply, &message, &err) == MT_OK);
	mime_message_done(&message);
	mime_reply_free(&sink.reply);
	close(raw_fd);
	return 0;
}
