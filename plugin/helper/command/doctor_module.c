/* SPDX-License-Identifier: ISC */
/* The SASL module: where libsasl2 looks for it, and what stands in its way. */
#include "doctor.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_MODULE "libmailtoken.so"

typedef void (*module_visitor)(
    struct examination *x, const char *path, const char *name);

/* Where libsasl2 looks. */
static const char *
module_dirs(void)
{
	const char *dirs = secure_getenv("SASL_PATH");

	return dirs && *dirs ? dirs : MT_SASL_SYSTEM_DIR;
}

/* Calls `visit` for each file that libsasl2 would load: its name begins with
 * "lib" and ends in ".so". */
static void
each_module(struct examination *x, module_visitor visit)
{
	for (const char *dirs = module_dirs(); *dirs;) {
		size_t len = strcspn(dirs, ":");
		char pattern[PATH_MAX];
		glob_t found = {0};

		snprintf(
		    pattern, sizeof(pattern), "%.*s/lib*.so", (int)len, dirs);
		if (len && glob(pattern, 0, NULL, &found) == 0)
			for (size_t i = 0; i < found.gl_pathc; i++)
				visit(x, found.gl_pathv[i],
				    strrchr(found.gl_pathv[i], '/') + 1);
		globfree(&found);
		dirs += len + (dirs[len] == ':');
	}
}

/* ---- ours is there ---- */

static bool
is_in(const char *dirs, const char *name)
{
	while (*dirs) {
		size_t len = strcspn(dirs, ":");
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, name);
		if (len && access(path, F_OK) == 0)
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

static void
look_for_module(struct examination *x)
{
	if (is_in(module_dirs(), OUR_MODULE))
		return;
	if (is_in(MT_SASL_INSTALL_DIR, OUR_MODULE)) {
		doctor_find(x,
		    "%s lies in %s, but libsasl2 looks for modules in %s",
		    OUR_MODULE, MT_SASL_INSTALL_DIR, module_dirs());
		doctor_advise(x, "build with -DCMAKE_INSTALL_PREFIX=/usr and "
				 "install again");
		return;
	}
	doctor_find(x,
	    "programs that use libsasl2 cannot log in with tokens: there is no "
	    "%s in %s",
	    OUR_MODULE, module_dirs());
	doctor_advise(x, "install the module; programs that run 'mailtoken "
			 "get' do without it");
}

/* ---- each can be loaded ---- */

/* In the child: what is loaded runs code of its own. */
static void
load(const char *path, int fd)
{
	const char *error;

	if (dlopen(path, RTLD_NOW | RTLD_LOCAL))
		_exit(0);
	error = dlerror();
	if (write(fd, error, strlen(error)) < 0)
		_exit(2);
	_exit(1);
}

static bool
is_loadable(const char *path, char *why, size_t size)
{
	int ends[2], state = 0;
	ssize_t n;
	pid_t pid;

	snprintf(why, size, "it stops the program");
	if (pipe2(ends, O_CLOEXEC))
		return true;
	pid = fork();
	if (pid == 0)
		load(path, ends[1]);
	close(ends[1]);
	n = pid > 0 ? read(ends[0], why, size - 1) : 0;
	close(ends[0]);
	if (n > 0)
		why[n] = '\0';
	while (pid > 0 && waitpid(pid, &state, 0) < 0 && errno == EINTR)
		;
	return pid < 0 || (WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

static void
try_module(struct examination *x, const char *path, const char *name)
{
	char why[300];

	(void)name;
	if (is_loadable(path, why, sizeof(why)))
		return;
	doctor_find(x, "%s cannot be loaded as a module: %s", path, why);
	doctor_advise(x, "install it again with what it needs, or remove it");
}

static void
look_whether_modules_load(struct examination *x)
{
	each_module(x, try_module);
}

/* ---- nobody else does the same ---- */

static const struct {
	const char *name;
	const char *trait;
} rivals[] = {
    {"libsasl-xoauth2.so", "claims more protection than it gives, and so is "
			   "always taken before libmailtoken.so"},
    {"libkdexoauth2.so",
	"works in KDE's programs only and fails, or crashes, in others"},
    {NULL, "is taken before or after libmailtoken.so by what it claims"},
};

/* A module tells its mechanisms only when it runs; its text does so as well. */
static bool
provides(const char *path, const char *mechanism)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *text = MAP_FAILED;
	bool found = false;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size > 0)
		text = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text != MAP_FAILED) {
		found = memmem(text, (size_t)st.st_size, mechanism,
			    strlen(mechanism) + 1) &&
			memmem(text, (size_t)st.st_size,
			    "sasl_client_plug_init", 22);
		munmap(text, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static void
look_at_rival(struct examination *x, const char *path, const char *name)
{
	const char *mechanism =
	    provides(path, "XOAUTH2") ? "XOAUTH2" : "OAUTHBEARER";
	size_t i = 0;

	if (strcmp(name, OUR_MODULE) == 0 || !provides(path, mechanism))
		return;
	while (rivals[i].name && strcmp(rivals[i].name, name) != 0)
		i++;
	doctor_find(
	    x, "%s provides %s too, and %s", path, mechanism, rivals[i].trait);
	doctor_advise(x, "remove one of the two modules");
}

static void
look_for_rivals(struct examination *x)
{
	each_module(x, look_at_rival);
}

/* ---- its settings ---- */

static void
look_at_settings(struct examination *x)
{
	struct mt_error err = {0};

	module_settings_init(&x->settings);
	if (module_settings_read(&x->settings, MT_SASL_SETTINGS, &err) == MT_OK)
		return;
	module_settings_init(&x->settings);
	doctor_find(
	    x, "no program is offered XOAUTH2 or OAUTHBEARER: %s", err.text);
	doctor_advise(x, "mend that line; libmailtoken(7) has the settings");
}

const struct doctor_row doctor_module_rows[] = {
    {"module-settings", look_at_settings},
    {"module-missing", look_for_module},
    {"module-unloadable", look_whether_modules_load},
    {"module-rival", look_for_rivals},
    {NULL, NULL},
};
