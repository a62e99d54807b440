/* SPDX-License-Identifier: ISC */
/*
 * Gives a fuzzer the files that are named, or lie in the directories that are
 * named, where there is no libFuzzer: every compiler can replay a corpus.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/fs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_MAX 1048576

static size_t
replay_file(const char *path)
{
	struct buf contents = BUF_INIT(FILE_MAX);
	struct mt_error err = {0};

	if (fs_read(&contents, path, NULL, &err) != MT_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	LLVMFuzzerTestOneInput(
	    (const uint8_t *)buf_text(&contents), contents.len);
	buf_done(&contents);
	return 1;
}

static size_t
replay_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	size_t count = 0;
	char file[4096];

	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			count += replay_file(file);
		free(entries[i]);
	}
	free(entries);
	return count;
}

int
main(int argc, char **argv)
{
	size_t count = 0;
	struct stat st;

	for (int i = 1; i < argc; i++)
		count += stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)
			     ? replay_directory(argv[i])
			     : replay_file(argv[i]);
	printf("%zu inputs\n", count);
	return count ? 0 : 1;
}
