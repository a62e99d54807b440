/* SPDX-License-Identifier: ISC */
/*
 * Included before everything else (CMakeLists.txt): functions that cannot be
 * used safely do not compile.
 */
#ifndef MT_BASE_BANNED_H
#define MT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat strtok sprintf vsprintf gets
#pragma GCC poison atoi atol atoll gmtime localtime ctime asctime strerror

#endif
