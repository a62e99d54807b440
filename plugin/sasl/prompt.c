/* SPDX-License-Identifier: ISC */
#include "prompt.h"

#include <stddef.h>

void
prompts_reset(struct prompts *prompts)
{
	prompts->count = 0;
	prompts->list[0] = (sasl_interact_t){.id = SASL_CB_LIST_END};
}

void
prompts_add(struct prompts *prompts, unsigned long id, const char *text)
{
	prompts->list[prompts->count++] = (sasl_interact_t){
	    .id = id,
	    .challenge = text,
	    .prompt = text,
	};
	prompts->list[prompts->count] =
	    (sasl_interact_t){.id = SASL_CB_LIST_END};
}

const sasl_interact_t *
prompts_answer(const sasl_interact_t *answers, unsigned long id)
{
	if (!answers)
		return NULL;
	for (; answers->id != SASL_CB_LIST_END; answers++)
		if (answers->id == id)
			return answers;
	return NULL;
}

int
prompts_procedure(const sasl_utils_t *utils, unsigned long id,
    sasl_callback_ft *ret_procedure, void **ret_context)
{
	int code =
	    utils->getcallback(utils->conn, id, ret_procedure, ret_context);

	if (code == SASL_INTERACT)
		return code;
	return code == SASL_OK && *ret_procedure ? SASL_OK : SASL_FAIL;
}
