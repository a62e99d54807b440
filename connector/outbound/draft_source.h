/* SPDX-License-Identifier: ISC */
/*
 * Where a draft comes from: a requester's own words, a file of an agent, or a
 * file of the person at the command line.  The only unit that opens what a
 * draft or a request names.
 *
 * A file is read once, whole, into memory: what was checked is what is sent,
 * whatever is done to the file meanwhile.
 */
#ifndef MT_OUTBOUND_DRAFT_SOURCE_H
#define MT_OUTBOUND_DRAFT_SOURCE_H

#include "base/status.h"
#include "draft.h"

#include <stdbool.h>
#include <stddef.h>

#define DRAFT_DIGEST_BYTES 32 /* SHA-256 */

struct draft_source {
	/* The draft itself, its length; or NULL, and `path` counts. */
	const char *json;
	size_t len;

	/* As the agent names it: beneath /workspace/agents/<agent>/, or
	 * relative to the agent's directory. */
	const char *path;

	/* Of the file's bytes, 64 hexadecimal digits; NULL: not checked.
	 * Ignored for a draft that stands in the request: nothing can have
	 * changed it. */
	const char *sha256;

	/* An attachment by path needs a sha256 of its own, so that whoever
	 * approved the draft approved the file. */
	bool pinned_only;

	/* The directory of the agent, a descriptor; -1 at the command line,
	 * where `path` is the caller's own ("-": standard input), and
	 * attachments lie beneath the current directory. */
	int agent_dir;
	const char *agent; /* its name; NULL at the command line */
};

/*
 * Reads the draft and the files that it attaches, checks them and takes the
 * draft apart; *ret_draft is complete, with the contents of all attachments.
 * *ret_digest covers the draft's bytes and the contents of the attached files:
 * two sources with the same digest are the same message.
 *
 * MT_BAD_INPUT as draft_parse, and "cannot read draft: :<errno name in lower
 * case>", "path traversal rejected" for a path that leaves the directory or
 * leads over a symbolic link, and what else is wrong with the file or an
 * attachment.  Blocks for as long as reading regular files does; at the command
 * line, for as long as standard input or the named file does.
 */
enum mt_status draft_source_read(struct draft *ret_draft,
    const struct draft_source *source,
    unsigned char ret_digest[DRAFT_DIGEST_BYTES],
    struct mt_error *err) MT_MUST_CHECK;

/*
 * The digest that draft_source_read had for a source, as far as the source names
 * it: for when it is asked for again and its files are gone, or others.  False:
 * it does not name enough of it.  Blocks as reading regular files does.
 */
bool draft_source_named_digest(const struct draft_source *source,
    unsigned char ret_digest[DRAFT_DIGEST_BYTES]);

#endif
