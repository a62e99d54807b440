/* SPDX-License-Identifier: ISC */
/*
 * Faults inside the module.  It is linked (mt_faulty_module() in CMakeLists.txt)
 * so that its allocations and deadlines go through functions of the test
 * program.  Those of libsasl2 itself do not.
 */
#ifndef MT_TESTS_FAULTS_H
#define MT_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lets the module's allocations from the `first` to the `last` from now fail,
 * counted from 1; 0, 0: none. */
void faults_fail_allocations(size_t first, size_t last);

/* Whether one failed since then. */
bool faults_hit(void);

/* The module's allocations that are not released, over all its loads. */
long faults_live_allocations(void);

/* Lets no deadline of the module be later than in `ms`; 0: as they are. */
void faults_cap_waits(int64_t ms);

/* Sum of the times that the module gave its waits, since the last call; what
 * it asked for, not what faults_cap_waits() let it have. */
int64_t faults_waits_ms(void);

#endif
