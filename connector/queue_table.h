/* SPDX-License-Identifier: ISC */
/* The queue of an account as people read it. */
#ifndef MT_CONNECTOR_QUEUE_TABLE_H
#define MT_CONNECTOR_QUEUE_TABLE_H

#include <stdio.h>

struct json_object;

/* Prints the answer to `queue list` as a table, each entry on a line of its
 * own, and below it what is wrong with it. */
void queue_table_print(struct json_object *report, FILE *out);

#endif
