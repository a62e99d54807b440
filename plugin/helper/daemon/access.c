/* SPDX-License-Identifier: ISC */
#include "access.h"

#include "clock.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum mt_status
access_read_peer(int fd, struct peer *ret_peer, struct mt_error *err)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot tell who asks");
	*ret_peer = (struct peer){
	    .fd = fd,
	    .pid = credentials.pid,
	    .uid = credentials.uid,
	    .gid = credentials.gid,
	};
	return MT_OK;
}

/* The supplementary groups of the peer when it connected. */
static gid_t *
read_groups(int fd, size_t *ret_count)
{
	socklen_t len = 0;
	gid_t *groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE || !len)
		return NULL;
	groups = malloc(len);
	if (!groups ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
		free(groups);
		return NULL;
	}
	*ret_count = len / sizeof(*groups);
	return groups;
}

static bool
is_in_group(const struct peer *peer, gid_t gid)
{
	size_t count = 0;
	gid_t *groups;
	bool found = peer->gid == gid;

	if (found)
		return true;
	groups = read_groups(peer->fd, &count);
	for (size_t i = 0; i < count; i++)
		found = found || groups[i] == gid;
	free(groups);
	return found;
}

bool
access_may_use(const struct peer *peer, const struct account_settings *account)
{
	if (peer->uid == 0 || peer->uid == account->owner)
		return true;
	for (size_t i = 0; i < account->allow_count; i++) {
		const struct allow *entry = &account->allow[i];
		if (entry->is_group ? is_in_group(peer, entry->id)
				    : peer->uid == entry->id)
			return true;
	}
	return false;
}

bool
access_may_administer(const struct peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

bool
access_may_manage(
    const struct peer *peer, const struct account_settings *account)
{
	return access_may_administer(peer) || peer->uid == account->owner;
}

void
access_log_token(const struct peer *peer, const struct account *account,
    const char *use, const char *service, const char *host, const char *user)
{
	struct account_view view;

	account_view(account, &view);
	/* the peer's own words come last: they cannot pass for another field */
	log_info("token handed out account=%s uid=%lu pid=%ld service=%s "
		 "host=%s serial=%lld for=%s user=%s",
	    account_settings_of(account)->name, (unsigned long)peer->uid,
	    (long)peer->pid, service ? service : "-", host ? host : "-",
	    (long long)view.serial, use ? use : "-", user ? user : "-");
}

void
access_log_refusal(struct log_limit *limit, const struct peer *peer,
    const struct account_settings *account, const char *verb)
{
	char tail[LOG_LIMIT_TAIL_SIZE];
	unsigned long held;

	if (log_limit_takes(
		limit, peer->uid, account->name, clock_boot_ms(), &held))
		log_info("refused account=%s uid=%lu pid=%ld request=%s: not "
			 "allowed%s",
		    account->name, (unsigned long)peer->uid, (long)peer->pid,
		    verb, log_limit_tail(held, tail));
}
