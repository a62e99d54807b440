/* SPDX-License-Identifier: ISC */
/* The first part is a header; the second one, too, or an encoded word. */
#include "fuzz.h"

#include "mail/encoded_word.h"
#include "mail/envelope.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT 16384

static void
check_envelope(const struct envelope *e)
{
	FUZZ_CHECK(e->subject && e->message_id);
	FUZZ_CHECK(!strchr(e->subject, '\n') && !strchr(e->subject, '\t'));
	FUZZ_CHECK(!strstr(e->subject, "  ") && e->subject[0] != ' ');
	for (size_t i = 0; i < e->recipient_count; i++)
		FUZZ_CHECK(e->recipients[i]);
	for (size_t i = 1; i < e->recipient_count; i++)
		FUZZ_CHECK(strcmp(e->recipients[i - 1], e->recipients[i]) < 0);
}

static void
check_words(const char *text, size_t len)
{
	struct buf out = BUF_INIT(16 * SIZE_LIMIT);

	encoded_word_decode(&out, text, len);
	FUZZ_CHECK(buf_ok(&out));
	FUZZ_CHECK(!len || out.len <= 4 * len);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct envelope a = ENVELOPE_INIT, b = ENVELOPE_INIT;
	size_t a_len, b_len;
	char *a_text, *b_text;

	if (size > SIZE_LIMIT)
		return 0;
	a_text = fuzz_bytes(&input, &a_len);
	b_text = fuzz_bytes(&input, &b_len);
	FUZZ_CHECK(envelope_parse(&a, a_text, a_len));
	FUZZ_CHECK(envelope_parse(&b, b_text, b_len));
	check_envelope(&a);
	check_envelope(&b);
	FUZZ_CHECK(envelope_same(&a, &b) == envelope_same(&b, &a));
	FUZZ_CHECK(
	    envelope_same(&a, &a) == (a.has_date && a.recipient_count > 0));
	check_words(b_text, b_len);
	envelope_done(&a);
	envelope_done(&b);
	free(a_text);
	free(b_text);
	return 0;
}
