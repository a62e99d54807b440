/* SPDX-License-Identifier: ISC */
/*
 * mimeprobe WORKER DIRECTORY < names: takes each message file named on a line
 * of standard input through the MIME client, and writes DIRECTORY/<line
 * number>/message.json with the attachments beside it.  Says one line for each
 * on standard output: its number, `parsed`, `unparsed` or what failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fs.h"
#include "delivery/message_json.h"
#include "mime/mime_client.h"

#define JSON_MAX (64 * 1024 * 1024)
#define MESSAGE_MS 60000

static int
write_json(int dir_fd, const struct buf *json)
{
	int fd = openat(dir_fd, "message.json",
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int result;

	if (fd < 0)
		return -1;
	result = fs_write_all(fd, json->data, json->len);
	return close(fd) ? -1 : result;
}

static const char *
probe(struct mime_client *client, int raw_fd, int dir_fd, const char *number,
    struct mt_error *err)
{
	struct mime_message message;
	struct message_origin origin = {.handle = number, .uidvalidity = 1};
	struct buf json = BUF_INIT(JSON_MAX);
	struct stat st;
	const char *said;

	if (fstat(raw_fd, &st))
		return "no message file";
	origin.message_size = (uint64_t)st.st_size;
	if (mime_client_parse(client, raw_fd, dir_fd, &mime_limits_default,
		&message, deadline_in_ms(MESSAGE_MS), err))
		return err->text;
	said = message.parsed ? "parsed" : "unparsed";
	if (message_json_write(&json, &message, &origin, err))
		said = err->text;
	else if (write_json(dir_fd, &json))
		said = "cannot write message.json";
	buf_done(&json);
	mime_message_done(&message);
	return said;
}

static void
probe_file(struct mime_client *client, const char *path, int base_fd,
    const char *number)
{
	struct mt_error err = {0};
	const char *said = "cannot make a directory";
	int raw_fd = open(path, O_RDONLY | O_CLOEXEC);
	int dir_fd = -1;

	if (raw_fd < 0)
		said = "cannot open";
	else if (mkdirat(base_fd, number, 0750) == 0)
		dir_fd =
		    openat(base_fd, number, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd >= 0)
		said = probe(client, raw_fd, dir_fd, number, &err);
	printf("%s %s\n", number, said);
	fflush(stdout);
	if (raw_fd >= 0)
		close(raw_fd);
	if (dir_fd >= 0)
		close(dir_fd);
}

int
main(int argc, char **argv)
{
	struct mime_client *client;
	char *line = NULL, number[24];
	size_t size = 0, count = 0;
	ssize_t len;
	int base_fd;

	if (argc != 3) {
		fprintf(stderr, "usage: mimeprobe WORKER DIRECTORY\n");
		return 64;
	}
	base_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	client = mime_client_new(argv[1]);
	if (base_fd < 0 || !client) {
		perror(argv[2]);
		return 75;
	}
	while ((len = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(number, sizeof(number), "%zu", ++count);
		probe_file(client, line, base_fd, number);
	}
	free(line);
	mime_client_free(&client);
	close(base_fd);
	return 0;
}
