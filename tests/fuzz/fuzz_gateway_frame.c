/* SPDX-License-Identifier: ISC */
/* The input is a frame from the gateway. */
#include "fuzz.h"

#include "handon/gateway_frame.h"

#include <stdlib.h>
#include <string.h>

static bool
is_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!text[i])
			return true;
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway_frame frame;
	char *text = malloc(size + !size);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	gateway_frame_read(&frame, text, size);
	FUZZ_CHECK(memchr(frame.agent, '\0', sizeof(frame.agent)));
	FUZZ_CHECK(memchr(frame.session, '\0', sizeof(frame.session)));
	FUZZ_CHECK(is_text(frame.text, sizeof(frame.text)));
	switch (frame.type) {
	case GATEWAY_TYPING:
	case GATEWAY_RESULT:
	case GATEWAY_AGENT_ERROR:
		FUZZ_CHECK(*frame.agent);
		break;
	case GATEWAY_IGNORED:
	case GATEWAY_REGISTERED:
	case GATEWAY_ERROR:
		break;
	}
	free(text);
	return 0;
}
