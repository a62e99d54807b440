/* SPDX-License-Identifier: ISC */
#include "place_state.h"

#include "state_db.h"

#include <stdlib.h>
#include <string.h>

void
place_done(struct place *place)
{
	free(place->folder);
	free(place->handle);
	free(place->mailbox);
	*place = (struct place){0};
}

static enum mt_status
read_place(
    struct state_statement *s, struct place *ret_place, struct mt_error *err)
{
	int64_t uidvalidity = state_db_number(s, 3);
	struct place place = {
	    .folder = strdup(state_db_text(s, 0)),
	    .handle = strdup(state_db_text(s, 1)),
	    .mailbox = strdup(state_db_text(s, 2)),
	    /* below 0: of an epoch whose number came again */
	    .uidvalidity = uidvalidity > 0 ? (uint32_t)uidvalidity : 0,
	    .uid = uidvalidity > 0 ? (uint32_t)state_db_number(s, 4) : 0,
	};

	match_state_read_identity(s, 5, &place.identity);
	if (!place.folder || !place.handle || !place.mailbox) {
		place_done(&place);
		return mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	}
	*ret_place = place;
	return MT_OK;
}

#define COLUMNS                                                                \
	"SELECT folder, handle, mailbox.name, uidvalidity, uid,"               \
	" internal_date, size, message_id, digest, staged IS NOT NULL,"        \
	" mailbox.account = ?1"                                                \
	" FROM message JOIN mailbox ON mailbox.id = message.mailbox"

/* ?1 account, ?2 folder, ?3 handle. */
static const char by_name[] = COLUMNS " WHERE folder = ?2 AND handle = ?3";
static const char by_past_name[] = COLUMNS
    " WHERE moved <> 0 AND moved ="
    " (SELECT moved FROM past_handle WHERE folder = ?2 AND handle = ?3)";

static enum mt_status
look_up(struct state *state, const char *sql, const char *account,
    const char *folder, const char *handle, enum place_found *ret_found,
    struct place *ret_place, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state, sql);
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, folder);
	state_db_bind_text(&s, handle);
	status = state_db_step(&s, &row, err);
	*ret_found = PLACE_UNKNOWN;
	if (status == MT_OK && row) {
		*ret_found = PLACE_KNOWN;
		if (!state_db_number(&s, 10))
			*ret_found = PLACE_OTHERS;
		else if (state_db_number(&s, 9))
			*ret_found = PLACE_STAGED;
		else
			status = read_place(&s, ret_place, err);
	}
	state_db_finish(&s);
	return status;
}

enum mt_status
place_state_find(struct state *state, const char *account, const char *folder,
    const char *handle, enum place_found *ret_found, struct place *ret_place,
    struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = look_up(
	    state, by_name, account, folder, handle, ret_found, ret_place, err);
	if (status == MT_OK && *ret_found == PLACE_UNKNOWN) {
		status = look_up(state, by_past_name, account, folder, handle,
		    ret_found, ret_place, err);
		if (status == MT_OK && *ret_found == PLACE_KNOWN)
			*ret_found = PLACE_MOVED_ON;
	}
	return state_db_end(state, status, err);
}
