/* SPDX-License-Identifier: ISC */
#include "accounts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct list {
	struct account **item;
	size_t count;
};

/* A name that an account goes by; it belongs to the account's settings. */
struct alias {
	const char *name;
	struct account *account;
};

struct accounts {
	const struct account_env *env;
	struct list known;   /* sorted by name */
	struct list leaving; /* gone from the settings, but busy */
	struct alias
	    *aliases; /* of those that are known, sorted, no two alike */
	size_t alias_count;
};

enum mt_status
accounts_new(const struct account_env *env, struct accounts **ret_accounts,
    struct mt_error *err)
{
	struct accounts *accounts = calloc(1, sizeof(*accounts));

	if (!accounts)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	accounts->env = env;
	*ret_accounts = accounts;
	return MT_OK;
}

static void
list_done(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		account_free(&list->item[i]);
	free(list->item);
	*list = (struct list){0};
}

void
accounts_free(struct accounts **accounts)
{
	if (!*accounts)
		return;
	list_done(&(*accounts)->known);
	list_done(&(*accounts)->leaving);
	free((*accounts)->aliases);
	free(*accounts);
	*accounts = NULL;
}

static const char *
name_of(const struct account *account)
{
	return account_settings_of(account)->name;
}

static int
compare_name(const void *key, const void *item)
{
	return strcmp(key, name_of(*(struct account *const *)item));
}

static struct account **
find(const struct list *list, const char *name)
{
	if (!list->count)
		return NULL;
	return bsearch(
	    name, list->item, list->count, sizeof(*list->item), compare_name);
}

struct account *
accounts_find(const struct accounts *accounts, const char *name)
{
	struct account **found = find(&accounts->known, name);

	return found ? *found : NULL;
}

struct account *
accounts_at(const struct accounts *accounts, size_t index)
{
	return index < accounts->known.count ? accounts->known.item[index]
					     : NULL;
}

/* Frees those that have left and are done. */
static void
sweep(struct list *leaving)
{
	size_t kept = 0;

	for (size_t i = 0; i < leaving->count; i++) {
		if (account_is_busy(leaving->item[i]))
			leaving->item[kept++] = leaving->item[i];
		else
			account_free(&leaving->item[i]);
	}
	leaving->count = kept;
}

/* Room for everybody who may have to stay, so that nothing fails half-way. */
static bool
make_room(struct accounts *accounts)
{
	size_t most = accounts->leaving.count + accounts->known.count;
	struct account **grown =
	    reallocarray(accounts->leaving.item, most + 1, sizeof(*grown));

	if (!grown)
		return false;
	accounts->leaving.item = grown;
	return true;
}

/* An account that had left and is busy still: it comes back as it is, for two of
 * one name would refresh the same token. */
static struct account *
call_back(struct list *leaving, const char *name)
{
	for (size_t i = 0; i < leaving->count; i++) {
		struct account *account = leaving->item[i];
		if (strcmp(name_of(account), name) != 0)
			continue;
		leaving->item[i] = leaving->item[--leaving->count];
		return account;
	}
	return NULL;
}

/* The account of this name, with its new settings. */
static enum mt_status
take_account(struct accounts *accounts, struct account_settings **settings,
    struct account **ret_account, struct mt_error *err)
{
	struct account *old = accounts_find(accounts, (*settings)->name);

	if (!old)
		old = call_back(&accounts->leaving, (*settings)->name);
	if (!old)
		return account_new(accounts->env, settings, ret_account, err);
	account_use_settings(old, settings);
	*ret_account = old;
	return MT_OK;
}

/* What is left of the old list after the new one took its own. */
static void
dismiss_others(struct accounts *accounts, const struct list *fresh)
{
	for (size_t i = 0; i < accounts->known.count; i++) {
		struct account *account = accounts->known.item[i];
		if (find(fresh, name_of(account)))
			continue;
		account_retire(account);
		accounts->leaving.item[accounts->leaving.count++] = account;
	}
	free(accounts->known.item);
	accounts->known = *fresh;
}

/* ---- names to log in with ---- */

static int
compare_alias(const void *a, const void *b)
{
	const struct alias *left = a, *right = b;
	int order = strcasecmp(left->name, right->name);

	return order ? order
		     : strcmp(name_of(left->account), name_of(right->account));
}

static void
add_alias(struct accounts *accounts, const char *name, struct account *account)
{
	if (name)
		accounts->aliases[accounts->alias_count++] =
		    (struct alias){name, account};
}

static void
drop_doubles(struct accounts *accounts)
{
	struct alias *aliases = accounts->aliases;
	size_t kept = 0;

	for (size_t i = 0; i < accounts->alias_count; i++)
		if (!kept || compare_alias(&aliases[kept - 1], &aliases[i]))
			aliases[kept++] = aliases[i];
	accounts->alias_count = kept;
}

static void
collect_aliases(struct accounts *accounts)
{
	accounts->alias_count = 0;
	for (size_t i = 0; i < accounts->known.count; i++) {
		struct account *account = accounts->known.item[i];
		const struct account_settings *s = account_settings_of(account);

		add_alias(accounts, s->name, account);
		add_alias(accounts, s->user, account);
		for (int service = 0; service < SERVICE_COUNT; service++)
			add_alias(accounts, s->service_user[service], account);
	}
	if (accounts->alias_count)
		qsort(accounts->aliases, accounts->alias_count,
		    sizeof(*accounts->aliases), compare_alias);
	drop_doubles(accounts);
}

struct account *
accounts_known_as(
    const struct accounts *accounts, const char *login_name, size_t index)
{
	size_t low = 0, high = accounts->alias_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcasecmp(accounts->aliases[middle].name, login_name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	low += index;
	if (low >= accounts->alias_count ||
	    strcasecmp(accounts->aliases[low].name, login_name) != 0)
		return NULL;
	return accounts->aliases[low].account;
}

enum mt_status
accounts_configure(
    struct accounts *accounts, struct config *config, struct mt_error *err)
{
	struct list fresh = {0};
	struct alias *aliases;
	enum mt_status status = MT_OK;

	sweep(&accounts->leaving);
	fresh.item = calloc(config->account_count + 1, sizeof(*fresh.item));
	aliases = calloc(
	    config->account_count + 1, (2 + SERVICE_COUNT) * sizeof(*aliases));
	if (!fresh.item || !aliases || !make_room(accounts)) {
		free(fresh.item);
		free(aliases);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	while (status == MT_OK && fresh.count < config->account_count) {
		status = take_account(accounts, &config->accounts[fresh.count],
		    &fresh.item[fresh.count], err);
		if (status == MT_OK)
			fresh.count++;
	}
	dismiss_others(accounts, &fresh);
	free(accounts->aliases);
	accounts->aliases = aliases;
	collect_aliases(accounts);
	sweep(&accounts->leaving);
	return status;
}

void
accounts_load_again(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->known.count; i++)
		account_load_again(accounts->known.item[i]);
}

void
accounts_network_changed(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->known.count; i++)
		account_network_changed(accounts->known.item[i]);
}

void
accounts_hear_of_issuer(struct accounts *accounts, const struct issuer *issuer,
    enum issuer_news news)
{
	for (size_t i = 0; i < accounts->known.count; i++)
		account_hear_of_issuer(accounts->known.item[i], issuer, news);
	for (size_t i = 0; i < accounts->leaving.count; i++)
		account_hear_of_issuer(accounts->leaving.item[i], issuer, news);
}

bool
accounts_in_flight(const struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->known.count; i++)
		if (account_in_flight(accounts->known.item[i]))
			return true;
	for (size_t i = 0; i < accounts->leaving.count; i++)
		if (account_in_flight(accounts->leaving.item[i]))
			return true;
	return false;
}

void
accounts_flush(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->known.count; i++)
		account_flush(accounts->known.item[i]);
	for (size_t i = 0; i < accounts->leaving.count; i++)
		account_flush(accounts->leaving.item[i]);
}
