/* SPDX-License-Identifier: ISC */
/*
 * What is known of mail servers that no capability tells: data, by host name.
 */
#ifndef MT_CONNECTOR_PROVIDER_QUIRKS_H
#define MT_CONNECTOR_PROVIDER_QUIRKS_H

#include <stdint.h>

/* How long an idle session may last at this host before it is to be renewed, in
 * milliseconds. */
int64_t provider_renew_ms(const char *host);

#endif
