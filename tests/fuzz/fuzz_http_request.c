/* SPDX-License-Identifier: ISC */
/* Parts: after how many bytes the request is looked at too, the request. */
#include "fuzz.h"

#include "http_request.h"

#include <stdlib.h>
#include <string.h>

static enum http_request
judge(const char *data, size_t len)
{
	struct http_target target = {NULL, 0};
	enum http_request verdict = http_request_judge(data, len, &target);
	bool is_get = verdict == HTTP_ELSEWHERE || verdict == HTTP_HOME ||
		      verdict == HTTP_ANSWER;

	FUZZ_CHECK(is_get == (target.text != NULL));
	if (!is_get)
		return verdict;
	FUZZ_CHECK(target.text >= data && target.len);
	FUZZ_CHECK(target.text + target.len <= data + len);
	FUZZ_CHECK(target.text[0] == '/');
	FUZZ_CHECK(fuzz_is_ascii(target.text, target.len));
	FUZZ_CHECK(!memchr(target.text, ' ', target.len));
	if (verdict != HTTP_ELSEWHERE)
		FUZZ_CHECK((verdict == HTTP_ANSWER) ==
			   (http_url_has(target.text, target.len, "code") ||
			       http_url_has(target.text, target.len, "error")));
	return verdict;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t cut = fuzz_number(&input), len;
	char *request = fuzz_bytes(&input, &len), *start;
	enum http_request early, late = judge(request, len);

	cut = cut > len ? len : cut;
	start = malloc(cut ? cut : 1);
	if (!start)
		abort();
	memcpy(start, request, cut);
	early = judge(start, cut);
	/* more bytes never change a verdict, and never mend a request */
	FUZZ_CHECK(early == HTTP_INCOMPLETE || early == late);
	http_url_has(request, len, "code");
	free(start);
	free(request);
	return 0;
}
