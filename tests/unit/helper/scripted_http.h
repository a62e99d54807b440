/* SPDX-License-Identifier: ISC */
/*
 * Takes the place of oauth_http.c: a test sees each form and says when and what
 * the server answers.
 */
#ifndef MT_TEST_SCRIPTED_HTTP_H
#define MT_TEST_SCRIPTED_HTTP_H

#include "oauth_http.h"

/* Requests under way, and all there were. */
size_t scripted_http_pending(void);
size_t scripted_http_count(void);

/* The form of the n-th request, or its address if it has none. */
const char *scripted_http_form(size_t n);

/* Answers the oldest request under way. */
void scripted_http_answer(long http_status, const char *body);

/* Its answer is lost, after it was sent or before. */
void scripted_http_lose(bool sent);

/* Forgets everything. */
void scripted_http_reset(void);

#endif
