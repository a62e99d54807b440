/* SPDX-License-Identifier: ISC */
/* Parts: a query, a value. */
#include "fuzz.h"

#include "form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* How often "name=" stands at the start of a parameter. */
static size_t
count(const char *query, size_t len, const char *name)
{
	size_t name_len = strlen(name), n = 0;

	for (size_t i = 0; i + name_len < len; i++)
		n += (i == 0 || query[i - 1] == '&') &&
		     memcmp(query + i, name, name_len) == 0 &&
		     query[i + name_len] == '=';
	return n;
}

static void
read_query(const char *query, size_t len, const char *name)
{
	struct secret value = SECRET_INIT, form = SECRET_INIT;
	struct secret again = SECRET_INIT;
	enum form_found found = form_get(query, len, name, &value);

	FUZZ_CHECK(found == FORM_FOUND || value.len == 0);
	FUZZ_CHECK(value.len <= len);
	FUZZ_CHECK((found == FORM_MISSING) == (count(query, len, name) == 0));
	FUZZ_CHECK(found != FORM_FOUND || count(query, len, name) == 1);
	if (found == FORM_FOUND) {
		form_add_secret(&form, name, &value);
		FUZZ_CHECK(form_get(secret_expose(&form), form.len, name,
			       &again) == FORM_FOUND);
		FUZZ_CHECK(secret_equal(&value, &again));
	}
	secret_done(&value);
	secret_done(&form);
	secret_done(&again);
}

static void
write_form(const char *text)
{
	struct secret form = SECRET_INIT, value = SECRET_INIT;
	const char *c;

	form_add(&form, "grant_type", "refresh_token");
	form_add(&form, "nothing", NULL);
	form_add(&form, "value", text);
	form_add(&form, "client_id", text);
	for (c = secret_expose(&form); *c; c++)
		FUZZ_CHECK(isalnum((unsigned char)*c) || strchr("-._~%=&", *c));
	FUZZ_CHECK((size_t)(c - secret_expose(&form)) == form.len);
	FUZZ_CHECK(form_get(secret_expose(&form), form.len, "value", &value) ==
		   FORM_FOUND);
	FUZZ_CHECK(strcmp(secret_expose(&value), text) == 0);
	FUZZ_CHECK(form_get(secret_expose(&form), form.len, "nothing",
		       &value) == FORM_MISSING);
	secret_done(&form);
	secret_done(&value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t len;
	char *query = fuzz_bytes(&input, &len), *value = fuzz_text(&input);

	read_query(query, len, "code");
	read_query(query, len, "state");
	write_form(value);
	free(query);
	free(value);
	return 0;
}
