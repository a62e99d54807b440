/* SPDX-License-Identifier: ISC */
/*
 * The prompts by which libsasl2 lets a mail program ask a person, and how its
 * procedures are called that answer without asking anybody.
 */
#ifndef MT_SASL_PROMPT_H
#define MT_SASL_PROMPT_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#define PROMPTS_MAX 2 /* at a time */

struct prompts {
	sasl_interact_t list[PROMPTS_MAX + 1]; /* lent to the mail program */
	int count;
};

/* Starts a new list in the place of the one before, with its answers. */
void prompts_reset(struct prompts *prompts);

/* Adds a question for the value `id` (SASL_CB_*); `text` must last. */
void prompts_add(struct prompts *prompts, unsigned long id, const char *text);

/* The answer to `id` in what the mail program brought back, or NULL. */
const sasl_interact_t *prompts_answer(
    const sasl_interact_t *answers, unsigned long id);

/*
 * The procedure of the program for `id`.  SASL_OK; SASL_INTERACT if a person
 * must be asked; SASL_FAIL if the program has neither.
 */
int prompts_procedure(const sasl_utils_t *utils, unsigned long id,
    sasl_callback_ft *ret_procedure, void **ret_context);

#endif
