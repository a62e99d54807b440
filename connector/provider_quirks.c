/* SPDX-License-Identifier: ISC */
#include "provider_quirks.h"

#include "base/host.h"

#include <stddef.h>

#define SECOND_MS 1000
#define RENEW_MS (540 * SECOND_MS) /* many routers forget after 10 min */

/* The end of a host name, from a label's beginning. */
static const struct {
	const char *domain;
	int64_t renew_ms;
} quirks[] = {
    {"yahoo.com", 170 * SECOND_MS}, /* tells nothing any more after 3 min */
    {"aol.com", 170 * SECOND_MS},
    {"rambler.ru", 55 * SECOND_MS}, /* ends the session after a minute */
    {"163.com", 55 * SECOND_MS},
};

int64_t
provider_renew_ms(const char *host)
{
	for (size_t i = 0; i < sizeof(quirks) / sizeof(*quirks); i++)
		if (host_is_in(host, quirks[i].domain))
			return quirks[i].renew_ms;
	return RENEW_MS;
}

#define CONNECTIONS 2 /* one that waits for an answer delays no message */

/* As above; the first that fits. */
static const struct {
	const char *domain;
	struct provider_sending sending;
} senders[] = {
    {"smtp-relay.gmail.com", {false, CONNECTIONS, 0}}, /* no mailbox's */
    {"gmail.com", {true, CONNECTIONS, 0}},
    {"googlemail.com", {true, CONNECTIONS, 0}},
    {"office365.com", {true, CONNECTIONS, 30}},
    {"outlook.com", {true, CONNECTIONS, 30}},
    {"hotmail.com", {true, CONNECTIONS, 30}},
    {"live.com", {true, CONNECTIONS, 30}},
    {"icloud.com", {true, CONNECTIONS, 0}},
    {"me.com", {true, CONNECTIONS, 0}},
    {"163.com", {true, CONNECTIONS, 0}},
    {"126.com", {true, CONNECTIONS, 0}},
    {"yeah.net", {true, CONNECTIONS, 0}},
};

struct provider_sending
provider_sending(const char *host)
{
	for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++)
		if (host_is_in(host, senders[i].domain))
			return senders[i].sending;
	return (struct provider_sending){.connections = CONNECTIONS};
}
