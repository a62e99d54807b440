/* SPDX-License-Identifier: ISC */
/* Postfix as a client with a token, as libmailtoken(7) describes it. */
#include "doctor.h"

#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 65536
#define VALUE_MAX 1024

static const char *
config_dir(void)
{
	const char *dir = getenv("MAIL_CONFIG");

	return dir && *dir ? dir : "/etc/postfix";
}

/* 0 or an errno value. */
static int
start_postconf(const char *const *argv, int output, pid_t *ret_pid)
{
	char config[VALUE_MAX];
	const char *const environment[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", config, NULL};
	const struct child postconf = {
	    .program = "/usr/sbin/postconf",
	    .argv = argv,
	    .more_variables = environment,
	    .fds = {CHILD_NULL, output, CHILD_NULL},
	    .fd_count = 3,
	};

	snprintf(config, sizeof(config), "MAIL_CONFIG=%s", config_dir());
	return child_start(&postconf, ret_pid);
}

static void
read_all(int fd, struct buf *out)
{
	char part[4096];
	ssize_t n;

	while (
	    (n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(out, part, (size_t)n);
}

/* The standard output of postconf(1); false if it cannot be had. */
static bool
run_postconf(const char *const *argv, struct buf *out)
{
	int ends[2], state = -1, error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	error = start_postconf(argv, ends[1], &pid);
	close(ends[1]);
	if (!error)
		read_all(ends[0], out);
	close(ends[0]);
	while (!error && waitpid(pid, &state, 0) < 0 && errno == EINTR)
		;
	return !error && state == 0 && buf_ok(out);
}

/* Without this file it is not configured, and postconf(1) sleeps before it says
 * so. */
static bool
is_configured(void)
{
	char path[VALUE_MAX];

	snprintf(path, sizeof(path), "%s/main.cf", config_dir());
	return access(path, R_OK) == 0;
}

/* The value of "NAME = VALUE" in its output, or "". */
static void
find_value(const struct buf *output, const char *name, char *ret_value)
{
	size_t len = strlen(name);

	*ret_value = '\0';
	for (const char *line = buf_text(output); line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, name, len) == 0 &&
		    strncmp(line + len, " = ", 3) == 0)
			snprintf(ret_value, VALUE_MAX, "%.*s",
			    (int)strcspn(line + len + 3, "\n"), line + len + 3);
}

struct postfix {
	char auth[VALUE_MAX];
	char owner[VALUE_MAX];
	char queue[VALUE_MAX];
	char options[VALUE_MAX];
	bool chrooted;
	const struct doctor_account *account; /* that Postfix may use */
};

/* "smtp unix - - y - - smtp" */
static bool
is_chrooted(void)
{
	static const char *const argv[] = {"postconf", "-M", "smtp/unix", NULL};
	struct buf out = BUF_INIT(OUTPUT_MAX);
	char word[8] = "";

	if (run_postconf(argv, &out) &&
	    sscanf(buf_text(&out), "%*s %*s %*s %*s %7s", word) != 1)
		*word = '\0';
	buf_done(&out);
	return *word == 'y';
}

/* True if Postfix is there and is meant to use an account. */
static bool
read_postfix(const struct examination *x, struct postfix *ret)
{
	static const char *const argv[] = {"postconf", "-x",
	    "smtp_sasl_auth_enable", "mail_owner", "queue_directory",
	    "smtp_sasl_tls_security_options", NULL};
	struct buf out = BUF_INIT(OUTPUT_MAX);
	const struct passwd *owner = NULL;
	bool there = is_configured() && run_postconf(argv, &out);

	*ret = (struct postfix){0};
	if (there) {
		find_value(&out, "smtp_sasl_auth_enable", ret->auth);
		find_value(&out, "mail_owner", ret->owner);
		find_value(&out, "queue_directory", ret->queue);
		find_value(
		    &out, "smtp_sasl_tls_security_options", ret->options);
		owner = getpwnam(ret->owner);
	}
	buf_done(&out);
	if (owner)
		ret->account = doctor_allowed(x, owner->pw_uid);
	ret->chrooted = ret->account && is_chrooted();
	return ret->account && strcmp(ret->auth, "yes") == 0;
}

static void
look_at_offer(struct examination *x)
{
	struct postfix postfix;

	if (!read_postfix(x, &postfix) ||
	    module_settings_lists(x->settings.offer, "smtp"))
		return;
	doctor_find(x,
	    "Postfix may use the account %s, but is not offered the "
	    "mechanisms: 'offer' in %s does not name smtp",
	    postfix.account->name, MT_SASL_SETTINGS);
	doctor_advise(x, "add the line 'offer = smtp' there, and restart "
			 "Postfix");
}

static void
look_at_security_options(struct examination *x)
{
	struct postfix postfix;

	if (!read_postfix(x, &postfix) ||
	    !module_settings_lists(postfix.options, "noplaintext"))
		return;
	doctor_find(x,
	    "Postfix may use the account %s, but excludes the mechanisms: "
	    "smtp_sasl_tls_security_options has 'noplaintext' (it is what "
	    "smtp_sasl_security_options says, unless it is set)",
	    postfix.account->name);
	doctor_advise(x, "set 'smtp_sasl_tls_security_options = noanonymous' "
			 "and 'smtp_tls_security_level = encrypt' in main.cf");
}

static void
look_into_queue(struct examination *x)
{
	struct mt_error why, advice;
	struct doctor_user owner;
	struct postfix postfix;

	if (!read_postfix(x, &postfix) || !postfix.chrooted)
		return;
	if (!doctor_jail_has_helper(x, postfix.queue)) {
		doctor_find(x,
		    "Postfix's smtp runs in the chroot %s and finds no token "
		    "helper there",
		    postfix.queue);
		doctor_advise(x,
		    "add 'socket = %s/run/mailtoken/socket' to mailtoken.conf, "
		    "beside 'socket = /run/mailtoken/socket', and start "
		    "mailtokend anew",
		    postfix.queue);
	} else if (geteuid() == 0 &&
		   doctor_find_user(postfix.owner, 0, &owner) &&
		   !doctor_reaches_helper(
		       x, &owner, postfix.queue, &why, &advice)) {
		doctor_find(x,
		    "Postfix's smtp cannot connect to the token helper in its "
		    "chroot: %s",
		    why.text);
		doctor_advise(x, "%s", advice.text);
	}
}

const struct doctor_row doctor_postfix_rows[] = {
    {"postfix-offer", look_at_offer},
    {"postfix-noplaintext", look_at_security_options},
    {"postfix-chroot", look_into_queue},
    {NULL, NULL},
};
