/* SPDX-License-Identifier: ISC */
/* The first part is the name that is asked for; the others are lines. */
#include "fuzz.h"

#include "mail/imap_news.h"

#include <stdlib.h>
#include <string.h>

#define MAILBOXES 3

static char work_name[] = "Work", summer_name[] = "&AOk-t&AOk-",
	    summer_utf8[] = "\u00e9t\u00e9", quoted_name[] = "a \"\\b";

static void
check_news(const struct imap_news_reader *reader)
{
	const struct imap_news *news = &reader->news;

	FUZZ_CHECK(news->others >> MAILBOXES == 0);
	FUZZ_CHECK(news->others_changed == (news->others != 0));
	FUZZ_CHECK(memchr(news->bye_text, '\0', sizeof(news->bye_text)));
	FUZZ_CHECK(news->bye || !news->bye_text[0]);
	for (const char *p = news->bye_text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	FUZZ_CHECK(!reader->in_status || reader->literal.open);
	for (size_t i = 0; i < MAILBOXES; i++)
		FUZZ_CHECK(reader->mailboxes[i].told ||
			   !(news->others >> i & 1) || news->overflow);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct imap_watched mailboxes[MAILBOXES] = {
	    {.name = work_name},
	    {.name = summer_name, .utf8 = summer_utf8},
	    {.name = quoted_name},
	};
	char *asked = fuzz_text(&input);
	struct imap_question question = {.name = asked};
	struct imap_news_reader reader = {
	    .mailboxes = mailboxes, .count = MAILBOXES, .question = &question};
	const char *wrong;

	while (!input.over) {
		char *line = fuzz_text(&input);
		wrong = reader.wrong;
		imap_news_take(&reader, line);
		FUZZ_CHECK(!wrong || reader.wrong == wrong);
		check_news(&reader);
		free(line);
	}
	free(asked);
	return 0;
}
