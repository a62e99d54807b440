/* SPDX-License-Identifier: ISC */
/* The helper's sockets: who listens, and who gets there. */
#include "doctor.h"

#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_MS 5000

/* As libmailtoken.so looks for a helper in a program of that user. */
static void
find_paths(
    const struct examination *x, uid_t uid, struct token_paths *ret_paths)
{
	const struct helper *helper = &x->in->helper;
	char own[TOKEN_SOCKET_PATH_MAX];

	*ret_paths = (struct token_paths){0};
	if (helper->named)
		token_paths_add(ret_paths, x->named);
	if (helper->named && helper->paths.count == 1)
		return;
	for (size_t i = 0; i < x->settings.sockets; i++)
		token_paths_add(ret_paths, x->settings.socket[i]);
	snprintf(own, sizeof(own), "/run/user/%lu/mailtoken/socket",
	    (unsigned long)uid);
	token_paths_add(ret_paths, own);
	token_paths_add(ret_paths, "/run/mailtoken/socket");
}

/* Mail programs do not ask at an administration socket: its helper tells where
 * they do. */
void
doctor_name_socket(struct examination *x)
{
	const struct helper *helper = &x->in->helper;
	struct token_wire_message reply = {0};
	struct deadline deadline = deadline_in_ms(CONNECT_MS);
	struct token_client client;
	const char *socket;

	if (!helper->named)
		return;
	snprintf(x->named, sizeof(x->named), "%s", helper->paths.path[0]);
	token_client_init(&client, helper->client.trusted_uid);
	token_wire_begin(&client.frame, "status");
	if (token_client_connect(&client, x->named, deadline, NULL) == MT_OK &&
	    token_wire_end(&client.frame) &&
	    token_client_call(&client, -1, &reply, deadline, NULL) == MT_OK &&
	    (socket = token_wire_get(&reply, "socket")) && *socket)
		snprintf(x->named, sizeof(x->named), "%s", socket);
	token_client_done(&client);
}

/* ---- somebody listens ---- */

static enum mt_status
try_socket(const struct examination *x, const char *path, struct mt_error *err)
{
	struct token_client client;
	enum mt_status status;

	token_client_init(&client, x->settings.trusted_uid);
	status = token_client_connect(
	    &client, path, deadline_in_ms(CONNECT_MS), err);
	token_client_done(&client);
	return status;
}

static void
look_at_socket(struct examination *x, const char *path)
{
	struct mt_error err = {0};
	enum mt_status status = try_socket(x, path, &err);

	if (status == MT_OK && !*x->helper)
		snprintf(x->helper, sizeof(x->helper), "%s", path);
	if (status == MT_OK || status == MT_NO_ACCOUNT)
		return;
	doctor_find(
	    x, "the token helper does not serve at %s: %s", path, err.text);
	if (status == MT_BAD_CONFIG)
		doctor_advise(x,
		    "run it as root or as the user of the mail "
		    "programs, or name its user as 'trusted_uid' "
		    "in %s",
		    MT_SASL_SETTINGS);
	else if (access(path, W_OK) && errno == EACCES)
		doctor_advise(x, "join the socket's group, or run the command "
				 "as root");
	else
		doctor_advise(x, "start mailtokend");
}

static void
look_for_helper(struct examination *x)
{
	int before = x->findings;
	struct token_paths paths;

	find_paths(x, geteuid(), &paths);
	for (size_t i = 0; i < paths.count; i++)
		look_at_socket(x, paths.path[i]);
	if (*x->helper || x->findings > before)
		return;
	doctor_find(x, "no token helper is running: there is no socket %s",
	    paths.path[paths.count - 1]);
	doctor_advise(x, "start mailtokend; the system's helper has a socket "
			 "only while an account is configured");
}

/* ---- a user gets there ---- */

struct verdict_of_child {
	int error;  /* an errno value, 0: it may connect */
	size_t len; /* of the part of the path that it is about */
};

/* In the child, as the other user: the first part of the path that does not let
 * it pass. */
static struct verdict_of_child
walk(const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		if (access(part, X_OK))
			return (struct verdict_of_child){errno, len};
	}
	return (struct verdict_of_child){
	    access(path, W_OK) ? errno : 0, strlen(path)};
}

static bool
become(const struct doctor_user *user)
{
	if (geteuid() != 0)
		return user->uid == geteuid();
	if (*user->name ? initgroups(user->name, user->gid)
			: setgroups(0, NULL))
		return false;
	return setresgid(user->gid, user->gid, user->gid) == 0 &&
	       setresuid(user->uid, user->uid, user->uid) == 0;
}

static struct verdict_of_child
ask_child(const struct doctor_user *user, const char *path)
{
	struct verdict_of_child verdict = {EPERM, strlen(path)};
	ssize_t n = 0;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return verdict;
	pid = fork();
	if (pid == 0) {
		if (become(user))
			verdict = walk(path);
		n = write(ends[1], &verdict, sizeof(verdict));
		_exit(n < 0);
	}
	close(ends[1]);
	if (pid > 0) {
		n = read(ends[0], &verdict, sizeof(verdict));
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	return verdict;
}

static void
describe(const struct doctor_user *user, const char *path,
    struct verdict_of_child verdict, struct mt_error *why,
    struct mt_error *advice)
{
	bool is_socket = verdict.len == strlen(path);
	struct group *group = NULL;
	struct stat st;

	mt_fail_errno(why, MT_UNREACHABLE, verdict.error,
	    is_socket ? "%.*s" : "the directory %.*s", (int)verdict.len, path);
	if (is_socket && stat(path, &st) == 0 && (st.st_mode & S_IWGRP) != 0)
		group = getgrgid(st.st_gid);
	if (group && *user->name)
		mt_fail(advice, MT_UNREACHABLE,
		    "add the user to its group, 'usermod -aG %s %s', and start "
		    "the user's programs anew",
		    group->gr_name, user->name);
	else if (is_socket)
		mt_fail(advice, MT_UNREACHABLE,
		    "make the group 'mailtoken', add the user to it, and start "
		    "mailtokend anew: it gives its socket to that group");
	else
		mt_fail(advice, MT_UNREACHABLE,
		    "let the user pass the directory (chmod o+x), or have the "
		    "helper listen elsewhere");
}

bool
doctor_reaches_helper(const struct examination *x,
    const struct doctor_user *user, const char *jail, struct mt_error *ret_why,
    struct mt_error *ret_advice)
{
	struct token_paths paths;
	char path[PATH_MAX];

	mt_fail(ret_why, MT_UNREACHABLE, "there is none");
	mt_fail(ret_advice, MT_UNREACHABLE, "start mailtokend");
	find_paths(x, user->uid, &paths);
	for (size_t i = 0; i < paths.count; i++) {
		struct verdict_of_child verdict;

		snprintf(path, sizeof(path), "%s%s", jail ? jail : "",
		    paths.path[i]);
		verdict = ask_child(user, path);
		if (!verdict.error)
			return true;
		if (access(path, F_OK) == 0)
			describe(user, path, verdict, ret_why, ret_advice);
	}
	return false;
}

bool
doctor_find_user(const char *name, uid_t uid, struct doctor_user *ret_user)
{
	const struct passwd *entry = name ? getpwnam(name) : getpwuid(uid);

	*ret_user = (struct doctor_user){.uid = uid, .gid = (gid_t)uid};
	if (!entry)
		return false;
	ret_user->uid = entry->pw_uid;
	ret_user->gid = entry->pw_gid;
	snprintf(ret_user->name, sizeof(ret_user->name), "%s", entry->pw_name);
	return true;
}

static void
look_for_user(struct examination *x)
{
	struct mt_error why, advice;

	if (!x->user || !*x->helper ||
	    doctor_reaches_helper(x, x->user, x->jail, &why, &advice))
		return;
	doctor_find(x, "programs of %s cannot connect to a token helper: %s",
	    x->user->name, why.text);
	doctor_advise(x, "%s", advice.text);
}

/* ---- whom an account allows gets there ---- */

static void
look_for_allowed(struct examination *x, const struct doctor_account *account,
    const char *word, size_t len)
{
	struct mt_error why, advice;
	struct doctor_user user;
	char number[32];
	long uid;

	snprintf(number, sizeof(number), "%.*s", (int)len, word);
	if (strncmp(number, "uid:", 4) != 0 ||
	    !settings_number(number + 4, 0, INT_MAX, &uid))
		return;
	doctor_find_user(NULL, (uid_t)uid, &user);
	if (doctor_reaches_helper(x, &user, NULL, &why, &advice))
		return;
	doctor_find(x,
	    "account %s allows the user %s, who cannot connect to a token "
	    "helper: %s",
	    account->name, *user.name ? user.name : number + 4, why.text);
	doctor_advise(x, "%s", advice.text);
}

/* Only root can look for others, and only where somebody listens at all. */
static void
look_for_all_allowed(struct examination *x)
{
	if (geteuid() != 0 || !*x->helper)
		return;
	for (size_t i = 0; i < x->account_count; i++) {
		const char *word = x->accounts[i].allow;

		while (*word) {
			size_t len = strcspn(word, " ");

			look_for_allowed(x, &x->accounts[i], word, len);
			word += len + strspn(word + len, " ");
		}
	}
}

const struct doctor_account *
doctor_allowed(const struct examination *x, uid_t uid)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "uid:%lu", (unsigned long)uid);
	for (size_t i = 0; i < x->account_count; i++)
		if (module_settings_lists(x->accounts[i].allow, wanted))
			return &x->accounts[i];
	return NULL;
}

/* ---- inside a jail ---- */

bool
doctor_jail_has_helper(const struct examination *x, const char *jail)
{
	int fd = open(jail, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct token_paths paths;
	char path[PATH_MAX];
	bool found = false;

	/* by way of the descriptor, for a socket's path must be short */
	find_paths(x, x->user ? x->user->uid : geteuid(), &paths);
	for (size_t i = 0; fd >= 0 && !found && i < paths.count; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d%s", fd,
		    paths.path[i]);
		found = try_socket(x, path, NULL) == MT_OK;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static void
look_into_jail(struct examination *x)
{
	if (!x->jail || !*x->helper || doctor_jail_has_helper(x, x->jail))
		return;
	doctor_find(
	    x, "programs in the chroot %s find no token helper there", x->jail);
	doctor_advise(x,
	    "add 'socket = %s/run/mailtoken/socket' to mailtoken.conf, behind "
	    "'socket = /run/mailtoken/socket', and start mailtokend anew",
	    x->jail);
}

const struct doctor_row doctor_socket_rows[] = {
    {"helper-missing", look_for_helper},
    {"user-unreachable", look_for_user},
    {"allow-unreachable", look_for_all_allowed},
    {"jail-empty", look_into_jail},
    {NULL, NULL},
};
