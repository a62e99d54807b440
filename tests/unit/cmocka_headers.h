/* SPDX-License-Identifier: ISC */
/* cmocka.h needs these four before it. */
#ifndef MT_TESTS_CMOCKA_HEADERS_H
#define MT_TESTS_CMOCKA_HEADERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
