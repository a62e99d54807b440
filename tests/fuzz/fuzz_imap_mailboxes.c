/* SPDX-License-Identifier: ISC */
/* The parts are lines of a server: its namespaces, and its mailboxes. */
#include "fuzz.h"

#include "base/utf8.h"
#include "mail/imap_reply.h"
#include "mail/mailbox_role.h"

#include <stdlib.h>
#include <string.h>

static void
check_spaces(const struct mailbox_spaces *spaces)
{
	FUZZ_CHECK(spaces->foreign_count <= MAILBOX_FOREIGN_MAX);
	FUZZ_CHECK(
	    memchr(spaces->own.prefix, '\0', sizeof(spaces->own.prefix)));
	for (size_t i = 0; i < spaces->foreign_count; i++)
		FUZZ_CHECK(
		    spaces->foreign[i][0] && memchr(spaces->foreign[i], '\0',
						 sizeof(spaces->foreign[i])));
}

static void
check_line(const struct imap_list_line *line)
{
	FUZZ_CHECK(memchr(line->attributes, '\0', sizeof(line->attributes)));
	FUZZ_CHECK(memchr(line->name, '\0', sizeof(line->name)));
	FUZZ_CHECK(!strchr(line->attributes, ')'));
}

/* What is chosen has a name that can be sent back, and never gets worse. */
static void
check_choice(struct mailbox_choice *choice, const struct imap_list_line *line)
{
	struct mailbox_choice before = *choice;

	mailbox_choice_take(choice, line);
	FUZZ_CHECK(memchr(choice->name, '\0', sizeof(choice->name)));
	FUZZ_CHECK(utf8_valid_len(choice->name, strlen(choice->name)) ==
		   strlen(choice->name));
	FUZZ_CHECK(!before.name[0] ||
		   (choice->name[0] && choice->rank <= before.rank));
	FUZZ_CHECK(strcmp(before.name, choice->name) == 0 ||
		   (mailbox_is_real(line) && line->name[0]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct mailbox_spaces spaces = {.has_own = false};
	struct mailbox_choice choices[] = {
	    {.role = IMAP_ROLE_SENT, .spaces = &spaces},
	    {.role = IMAP_ROLE_DRAFTS, .spaces = &spaces},
	    {.role = IMAP_ROLE_ALL, .spaces = &spaces},
	};
	struct imap_literal literal = {false, 0}, before;
	struct imap_list_line line = {.in_literal = false};

	while (!input.over) {
		char *text = fuzz_text(&input);
		bool read = false;
		before = literal;
		if (!imap_literal_follow(&literal, text)) {
			free(text);
			break;
		}
		if (before.open && line.in_literal) {
			imap_list_line_goes_on(text, before.bytes, &line);
			read = true;
		} else if (!before.open) {
			(void)!imap_namespace_read(
			    text, mailbox_spaces_take, &spaces);
			read = imap_list_line_begins(text, &line);
		}
		check_spaces(&spaces);
		check_line(&line);
		for (size_t i = 0; read && !line.in_literal && i < 3; i++)
			check_choice(&choices[i], &line);
		free(text);
	}
	return 0;
}
