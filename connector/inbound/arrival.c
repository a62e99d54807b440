/* SPDX-License-Identifier: ISC */
#include "inbound/arrival.h"

#include "delivery/publish.h"
#include "inbound/relocate.h"
#include "state/arrival_state.h"
#include "state/place_state.h"

#include <stdio.h>

/* A folder with so many things in the way needs a person. */
#define ATTEMPTS_MAX 1000

/* The state says who has a name or had it; what else is there has one, too. */
typedef enum mt_status (*try_function)(const struct folders *f,
    struct move *move, const struct place *place, const char *handle,
    bool *ret_used, struct mt_error *err);

static enum mt_status
try_names(const struct folders *f, struct move *move, const struct place *place,
    unsigned first, try_function try, struct mt_error *err)
{
	for (unsigned i = first; i < ATTEMPTS_MAX; i++) {
		char handle[INBOUND_HANDLE_MAX];
		bool used = false;
		enum mt_status status;

		if (i == 0)
			snprintf(handle, sizeof(handle), "%s", move->handle);
		else
			inbound_handle(
			    handle, place->uidvalidity, place->uid, i);
		status =
		    relocate_is_taken(f, move->to_folder, handle, &used, err);
		if (status == MT_OK && !used)
			status = try(f, move, place, handle, &used, err);
		if (status != MT_OK || !used)
			return status;
	}
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s has something in place of every name for message %s",
	    move->to_folder, move->handle);
}

static enum mt_status
try_to_enter(const struct folders *f, struct move *move,
    const struct place *place, const char *handle, bool *ret_used,
    struct mt_error *err)
{
	char staged[PUBLISH_NAME_MAX];
	enum mt_status status = publish_stage_name(f->publisher, staged, err);

	if (status != MT_OK)
		return status;
	return arrival_state_enter(f->state, move, place->uidvalidity,
	    place->uid, handle, staged, ret_used, err);
}

enum mt_status
arrival_enter(const struct folders *f, struct move *move, uint32_t uidvalidity,
    uint32_t uid, struct mt_error *err)
{
	const struct place place = {.uidvalidity = uidvalidity, .uid = uid};

	return try_names(f, move, &place, 0, try_to_enter, err);
}

static enum mt_status
try_to_rename(const struct folders *f, struct move *move,
    const struct place *place, const char *handle, bool *ret_used,
    struct mt_error *err)
{
	(void)place;
	return arrival_state_rename(f->state, move, handle, ret_used, err);
}

enum mt_status
arrival_rename(const struct folders *f, struct move *move, struct mt_error *err)
{
	enum place_found found = PLACE_UNKNOWN;
	struct place place = {0};
	enum mt_status status = place_state_find(f->state, move->account,
	    move->to_folder, move->to_handle, &found, &place, err);

	if (status == MT_OK)
		status = try_names(f, move, &place, 1, try_to_rename, err);
	place_done(&place);
	return status;
}
