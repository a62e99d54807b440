/* SPDX-License-Identifier: ISC */
/* The input is the module's settings file. */
#include "fuzz.h"

#include "base/buf.h"
#include "tokensock/module_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file = -1;
static char path[64];

static void
write_file(const void *data, size_t len)
{
	if (file < 0) {
		file = memfd_create("settings", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	if (file < 0 || ftruncate(file, 0) ||
	    pwrite(file, data, len, 0) != (ssize_t)len)
		abort();
}

static void
check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	FUZZ_CHECK(len < size);
	FUZZ_CHECK(!memchr(text, '\n', len));
}

static void
check_words(const char *words)
{
	char word[MODULE_WORDS_MAX];
	size_t len;

	check_text(words, MODULE_WORDS_MAX);
	words += strspn(words, " \t,");
	len = strcspn(words, " \t,");
	memcpy(word, words, len);
	word[len] = '\0';
	FUZZ_CHECK(module_settings_lists(words, word) == (len > 0));
}

static enum mt_status
read_file(struct module_settings *settings)
{
	struct mt_error err = {0};
	enum mt_status status;

	module_settings_init(settings);
	status = module_settings_read(settings, path, &err);
	if (status != MT_OK) {
		FUZZ_CHECK(status == MT_BAD_CONFIG && fuzz_is_sentence(&err));
		FUZZ_CHECK(strstr(err.text, path));
		return status;
	}
	FUZZ_CHECK(settings->sockets <= MODULE_SOCKETS_MAX);
	for (size_t i = 0; i < settings->sockets; i++) {
		check_text(settings->socket[i], sizeof(settings->socket[i]));
		FUZZ_CHECK(settings->socket[i][0] == '/');
	}
	check_words(settings->services);
	check_words(settings->offer);
	check_words(settings->first_step_ok);
	check_words(settings->pass_through);
	return status;
}

/* The same settings in one file more. */
static void
write_settings(const struct module_settings *settings)
{
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < settings->sockets; i++)
		buf_add_format(&text, "socket = %s\n", settings->socket[i]);
	if (settings->trusted_uid != (uid_t)-1)
		buf_add_format(&text, "trusted_uid = %lu\n",
		    (unsigned long)settings->trusted_uid);
	buf_add_format(&text, "services = %s\noffer = %s\n", settings->services,
	    settings->offer);
	buf_add_format(&text, "first_step_ok = %s\npass_through = %s\n",
	    settings->first_step_ok, settings->pass_through);
	buf_add_format(&text, "rank = %s\n",
	    settings->below_passwords ? "below-passwords" : "above-passwords");
	write_file(buf_text(&text), text.len);
	buf_done(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_settings first, second;

	write_file(data, size);
	if (read_file(&first) != MT_OK)
		return 0;
	write_settings(&first);
	FUZZ_CHECK(read_file(&second) == MT_OK);
	FUZZ_CHECK(first.sockets == second.sockets);
	for (size_t i = 0; i < first.sockets; i++)
		FUZZ_CHECK(strcmp(first.socket[i], second.socket[i]) == 0);
	FUZZ_CHECK(first.below_passwords == second.below_passwords);
	FUZZ_CHECK(first.trusted_uid == second.trusted_uid);
	FUZZ_CHECK(strcmp(first.services, second.services) == 0);
	FUZZ_CHECK(strcmp(first.offer, second.offer) == 0);
	FUZZ_CHECK(strcmp(first.first_step_ok, second.first_step_ok) == 0);
	FUZZ_CHECK(strcmp(first.pass_through, second.pass_through) == 0);
	return 0;
}
