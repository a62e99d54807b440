/* SPDX-License-Identifier: ISC */
/*
 * What is known of mail servers that no capability tells: data, by host name.
 */
#ifndef MT_CONNECTOR_PROVIDER_QUIRKS_H
#define MT_CONNECTOR_PROVIDER_QUIRKS_H

#include <stdbool.h>
#include <stdint.h>

/* How long an idle session may last at this host before it is to be renewed, in
 * milliseconds. */
int64_t provider_renew_ms(const char *host);

/* What is known of sending through the submission server at this host. */
struct provider_sending {
	bool files_sent;      /* it puts what it accepts into Sent */
	unsigned connections; /* that it serves at once, and we use */
	unsigned per_minute;  /* messages that it takes; 0: no limit is known */
};

struct provider_sending provider_sending(const char *host);

#endif
