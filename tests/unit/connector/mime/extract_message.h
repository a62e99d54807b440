/* SPDX-License-Identifier: ISC */
/* Extraction and the client's checks of it, in one process: what the worker
 * would send goes straight into a struct mime_reply. */
#ifndef MT_TEST_EXTRACT_MESSAGE_H
#define MT_TEST_EXTRACT_MESSAGE_H

#include "mime/mime_client.h"

#include <stddef.h>

/* cmocka's setup of a group. */
int extract_setup(void **state);

/* The attachments are written into the directory `dir`. */
struct mime_message extract_message(const char *dir, const void *raw,
    size_t len, const struct mime_limits *limits);

#endif
