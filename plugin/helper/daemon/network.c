/* SPDX-License-Identifier: ISC */
#include "network.h"

#include "clock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 1000 /* addresses and routes come one after the other */
#define QUIET_MS 10000 /* machines with containers change all the time */
#define MESSAGES_MAX 8192

struct network {
	struct schedule *schedule;
	struct schedule_item call;
	int64_t called_ms;
	int fd;
	uv_poll_t *poll;
	void (*changed)(void *context);
	void *context;
};

/* Links that go are none, but one that comes up is told of like one that goes
 * down. */
static bool
is_news(const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWLINK) {
		const struct ifinfomsg *link = NLMSG_DATA(message);
		return link->ifi_flags & IFF_RUNNING;
	}
	return message->nlmsg_type == RTM_NEWADDR ||
	       message->nlmsg_type == RTM_NEWROUTE;
}

static bool
holds_news(const char *data, size_t len)
{
	const struct nlmsghdr *message = (const void *)data;

	for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len))
		if (is_news(message))
			return true;
	return false;
}

/* Takes all that is there; when it was too much for the kernel to keep, some of
 * it was news. */
static bool
receive(int fd)
{
	_Alignas(struct nlmsghdr) char data[MESSAGES_MAX];
	bool news = false;
	ssize_t n;

	for (;;) {
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (n > 0)
			news = holds_news(data, (size_t)n) || news;
		else if (n < 0 && errno == ENOBUFS)
			news = true;
		else if (n == 0 || errno != EINTR)
			return news;
	}
}

static void
call(void *context)
{
	struct network *network = context;

	network->called_ms = clock_boot_ms();
	network->changed(network->context);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct network *network = poll->data;
	int64_t due = clock_boot_ms() + SETTLE_MS;

	(void)status;
	(void)events;
	if (!receive(network->fd) || network->call.planned)
		return;
	if (network->called_ms && due < network->called_ms + QUIET_MS)
		due = network->called_ms + QUIET_MS;
	schedule_set(network->schedule, &network->call, due);
}

static bool
listen_to_kernel(struct network *network, uv_loop_t *loop)
{
	const struct sockaddr_nl address = {
	    .nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
			 RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
	};

	network->fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	return network->fd >= 0 &&
	       bind(network->fd, (const struct sockaddr *)&address,
		   sizeof(address)) == 0 &&
	       uv_poll_init(loop, network->poll, network->fd) == 0;
}

enum mt_status
network_new(uv_loop_t *loop, struct schedule *schedule,
    void (*changed)(void *context), void *context, struct network **ret_network,
    struct mt_error *err)
{
	struct network *network = calloc(1, sizeof(*network));

	if (network)
		network->poll = calloc(1, sizeof(*network->poll));
	if (!network || !network->poll) {
		free(network);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	network->schedule = schedule;
	network->call = (struct schedule_item){.run = call, .context = network};
	network->changed = changed;
	network->context = context;
	if (!listen_to_kernel(network, loop)) {
		mt_fail_errno(
		    err, MT_UNREACHABLE, errno, "cannot watch the network");
		if (network->fd >= 0)
			close(network->fd);
		free(network->poll);
		free(network);
		return err->status;
	}
	network->poll->data = network;
	uv_poll_start(network->poll, UV_READABLE, on_readable);
	*ret_network = network;
	return MT_OK;
}

static void
free_poll(uv_handle_t *poll)
{
	free(poll);
}

void
network_free(struct network **network)
{
	struct network *n = *network;

	if (!n)
		return;
	schedule_set(n->schedule, &n->call, SCHEDULE_NEVER);
	uv_poll_stop(n->poll);
	uv_close((uv_handle_t *)n->poll, free_poll);
	close(n->fd);
	free(n);
	*network = NULL;
}
