/* SPDX-License-Identifier: ISC */
#include "record.h"

#include "strict_json.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA 1

struct record *
record_new(struct secret_arena *arena)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	secret_init(&record->refresh_token, arena);
	secret_init(&record->candidate, arena);
	return record;
}

void
record_free(struct record **record)
{
	if (!*record)
		return;
	secret_done(&(*record)->refresh_token);
	secret_done(&(*record)->candidate);
	free(*record);
	*record = NULL;
}

bool
record_has_seed(const struct record *record, const char hash[CRYPTO_HEX_SIZE])
{
	for (size_t i = 0; i < record->seed_count; i++)
		if (strcmp(record->seeds[i], hash) == 0)
			return true;
	return false;
}

void
record_add_seed(struct record *record, const char hash[CRYPTO_HEX_SIZE])
{
	if (record->seed_count == RECORD_SEEDS_MAX) {
		memmove(record->seeds[0], record->seeds[1],
		    sizeof(record->seeds) - sizeof(record->seeds[0]));
		record->seed_count--;
	}
	memcpy(record->seeds[record->seed_count++], hash, CRYPTO_HEX_SIZE);
}

void
record_clear_candidate(struct record *record)
{
	secret_done(&record->candidate);
	record->candidate_fingerprint[0] = '\0';
	record->refused = (struct record_mark){0};
}

static bool
add(struct json_object *object, const char *name, struct json_object *value)
{
	return value && json_object_object_add(object, name, value) == 0;
}

static bool
add_token(
    struct json_object *object, const char *name, const struct secret *token)
{
	if (!token->len)
		return true;
	return add(object, name,
	    json_object_new_string_len(secret_expose(token), (int)token->len));
}

static bool
add_mark(struct json_object *object, const char *name,
    const struct record_mark *mark)
{
	struct json_object *o;

	if (!mark->since_s)
		return true;
	o = json_object_new_object();
	return add(object, name, o) &&
	       add(o, "since", json_object_new_int64(mark->since_s)) &&
	       add(o, "reason", json_object_new_string(mark->reason));
}

static bool
add_seeds(struct json_object *object, const struct record *record)
{
	struct json_object *list = json_object_new_array();

	if (!add(object, "seeds", list))
		return false;
	for (size_t i = 0; i < record->seed_count; i++)
		if (json_object_array_add(
			list, json_object_new_string(record->seeds[i])))
			return false;
	return true;
}

static bool
fill_object(struct json_object *object, const struct record *record,
    const char *account)
{
	return add(object, "schema", json_object_new_int(SCHEMA)) &&
	       add(object, "account", json_object_new_string(account)) &&
	       add(object, "serial", json_object_new_int64(record->serial)) &&
	       add(object, "refreshed_at",
		   json_object_new_int64(record->refreshed_at)) &&
	       add(object, "login_at",
		   json_object_new_int64(record->login_at)) &&
	       add_token(object, "refresh_token", &record->refresh_token) &&
	       add(object, "fingerprint",
		   json_object_new_string(record->fingerprint)) &&
	       add_mark(object, "dead", &record->dead) &&
	       add_token(object, "candidate", &record->candidate) &&
	       add(object, "token_endpoint",
		   json_object_new_string(record->token_endpoint)) &&
	       add(object, "candidate_fingerprint",
		   json_object_new_string(record->candidate_fingerprint)) &&
	       add_mark(object, "refused", &record->refused) &&
	       add_seeds(object, record);
}

enum mt_status
record_encode(const struct record *record, const char *account,
    struct secret *bytes, struct mt_error *err)
{
	struct json_object *object = json_object_new_object();
	const char *text = NULL;

	secret_reset(bytes);
	if (object && fill_object(object, record, account))
		text = json_object_to_json_string_ext(object,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text) {
		secret_add(bytes, text, strlen(text));
		secret_add(bytes, "\n", 1);
	}
	json_object_put(object);
	if (!text)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	if (!secret_ok(bytes))
		return mt_fail(err, MT_RETRY_LATER,
		    "the record of account %s does not fit into %d bytes",
		    account, SECRET_MAX);
	return MT_OK;
}

/* A string that C has whole: JSON's may hold a NUL. */
static bool
is_text(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) ==
		   (size_t)json_object_get_string_len(value);
}

static const char *
get_text(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return is_text(value) ? json_object_get_string(value) : "";
}

static int64_t
get_number(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return json_object_is_type(value, json_type_int)
		   ? json_object_get_int64(value)
		   : 0;
}

/* False for one that is there and damaged, as get_seeds(). */
static bool
get_token(struct json_object *object, const char *name, struct secret *token)
{
	struct json_object *value = json_object_object_get(object, name);
	const char *text = get_text(object, name);

	secret_reset(token);
	secret_add(token, text, strlen(text));
	return secret_ok(token) && (!value || is_text(value));
}

static void
get_fingerprint(struct json_object *object, const char *name,
    char fingerprint[CRYPTO_HEX_SIZE])
{
	snprintf(fingerprint, CRYPTO_HEX_SIZE, "%s", get_text(object, name));
}

static void
get_mark(struct json_object *object, const char *name, struct record_mark *mark)
{
	struct json_object *o = json_object_object_get(object, name);

	if (!json_object_is_type(o, json_type_object))
		return;
	mark->since_s = get_number(o, "since");
	snprintf(
	    mark->reason, sizeof(mark->reason), "%s", get_text(o, "reason"));
}

static bool
get_seeds(struct json_object *object, struct record *record)
{
	struct json_object *list = json_object_object_get(object, "seeds");

	if (!json_object_is_type(list, json_type_array))
		return !list;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *hash = json_object_array_get_idx(list, i);
		if (!is_text(hash) ||
		    json_object_get_string_len(hash) != CRYPTO_HEX_SIZE - 1)
			return false;
		record_add_seed(record, json_object_get_string(hash));
	}
	return true;
}

enum mt_status
record_decode(const struct secret *bytes, const char *account,
    struct record *record, struct mt_error *err)
{
	struct json_object *object = strict_json_parse(bytes);
	bool whole = object && get_number(object, "schema") == SCHEMA &&
		     strcmp(get_text(object, "account"), account) == 0;

	if (whole) {
		record->serial = get_number(object, "serial");
		record->refreshed_at = get_number(object, "refreshed_at");
		record->login_at = get_number(object, "login_at");
		whole =
		    get_token(object, "refresh_token", &record->refresh_token);
		get_fingerprint(object, "fingerprint", record->fingerprint);
		get_mark(object, "dead", &record->dead);
		whole &= get_token(object, "candidate", &record->candidate);
		get_fingerprint(
		    object, "token_endpoint", record->token_endpoint);
		get_fingerprint(object, "candidate_fingerprint",
		    record->candidate_fingerprint);
		get_mark(object, "refused", &record->refused);
		whole &= get_seeds(object, record);
	}
	json_object_put(object);
	if (!whole)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the stored record of account %s is damaged; restore it or "
		    "log in again",
		    account);
	return MT_OK;
}
