/* SPDX-License-Identifier: ISC */
#include "inbound/takeover.h"

#include "delivery/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char last_uid[] = "last_uid";

/* A UID in decimal, without leading zeros; 0: it is none. */
static uint32_t
parse_uid(const char *text)
{
	size_t len = strlen(text);
	uint64_t uid = 0;

	if (len == 0 || len > 10 || *text == '0')
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		uid = uid * 10 + (uint64_t)(text[i] - '0');
	}
	return uid <= UINT32_MAX ? (uint32_t)uid : 0;
}

static bool
is_complete(int folder, const char *name)
{
	struct stat info;
	bool complete;
	int dir =
	    openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return false;
	complete = !fstatat(dir, "message.json", &info, AT_SYMLINK_NOFOLLOW) &&
		   S_ISREG(info.st_mode);
	close(dir);
	return complete;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static enum mt_status
add_entries(DIR *entries, struct uid_list *list, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	struct dirent *entry;

	while (status == MT_OK && (entry = readdir(entries))) {
		const char *name = entry->d_name;
		uint32_t uid = parse_uid(name);

		if (uid && is_complete(dirfd(entries), name))
			status = uid_list_add(list, uid, err);
	}
	if (list->count)
		qsort(list->uids, list->count, sizeof(uint32_t), compare);
	return status;
}

static enum mt_status
read_delivered(
    const struct inbound *in, struct uid_list *list, struct mt_error *err)
{
	struct publish_folder folder;
	DIR *entries;
	enum mt_status status =
	    publish_folder_open(in->publisher, in->folder, &folder, err);

	if (status != MT_OK)
		return status;
	entries = fdopendir(folder.fd);
	if (!entries) {
		status = mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot read %s", in->folder);
		publish_folder_close(&folder);
		return status;
	}
	status = add_entries(entries, list, err);
	closedir(entries); /* and the folder with it */
	return status;
}

#define NOT_SAID (-1)

/* What last_uid says; NOT_SAID: there is none, or it is no number. */
static enum mt_status
read_last_uid(
    const struct inbound *in, int64_t *ret_last_uid, struct mt_error *err)
{
	struct publish_folder folder;
	char text[32] = "";
	bool found = false;
	enum mt_status status =
	    publish_folder_open(in->publisher, in->gateway_state, &folder, err);

	if (status != MT_OK)
		return status;
	status = publish_read(
	    in->publisher, &folder, last_uid, text, sizeof(text), &found, err);
	publish_folder_close(&folder);
	if (status != MT_OK)
		return status;
	text[strcspn(text, "\r\n")] = '\0';
	*ret_last_uid = parse_uid(text);
	if (!*ret_last_uid && strcmp(text, "0") != 0)
		*ret_last_uid = NOT_SAID;
	return MT_OK;
}

enum mt_status
takeover_read(const struct inbound *in, uint32_t *ret_cursor,
    struct uid_list *ret_delivered, struct mt_error *err)
{
	struct uid_list delivered = {0};
	int64_t cursor = NOT_SAID;
	enum mt_status status = read_last_uid(in, &cursor, err);

	if (status == MT_OK)
		status = read_delivered(in, &delivered, err);
	if (status != MT_OK) {
		uid_list_done(&delivered);
		return status;
	}
	if (cursor == NOT_SAID)
		cursor =
		    delivered.count ? delivered.uids[delivered.count - 1] : 0;
	*ret_cursor = (uint32_t)cursor;
	*ret_delivered = delivered;
	return MT_OK;
}

static enum mt_status
replace(const struct inbound *in, uint32_t cursor, struct mt_error *err)
{
	struct publish_folder folder;
	char text[16];
	int len = snprintf(text, sizeof(text), "%" PRIu32, cursor);
	enum mt_status status =
	    publish_folder_open(in->publisher, in->gateway_state, &folder, err);

	if (status != MT_OK)
		return status;
	status = publish_replace(
	    in->publisher, &folder, last_uid, text, (size_t)len, err);
	publish_folder_close(&folder);
	return status;
}

enum mt_status
takeover_write(const struct inbound *in, uint32_t cursor, struct mt_error *err)
{
	int64_t written = NOT_SAID;
	enum mt_status status = read_last_uid(in, &written, err);

	if (status != MT_OK || written == cursor)
		return status;
	return replace(in, cursor, err);
}
