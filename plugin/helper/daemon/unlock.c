/* SPDX-License-Identifier: ISC */
#include "unlock.h"

#include "clock.h"

#include "base/log.h"

#define PAUSE_MAX_S 32

void
unlock_init(struct unlock *unlock, uv_loop_t *loop, struct secret_arena *arena,
    struct store_key *key, void (*opened)(void *context), void *context)
{
	*unlock = (struct unlock){
	    .loop = loop,
	    .key = key,
	    .opened = opened,
	    .context = context,
	};
	secret_init(&unlock->passphrase, arena);
	secret_init(&unlock->own, arena);
}

enum mt_status
unlock_check(
    const struct unlock *unlock, long *ret_retry_s, struct mt_error *err)
{
	int64_t left_ms = unlock->not_before_ms - clock_boot_ms();

	*ret_retry_s = left_ms > 0 ? (long)((left_ms + 999) / 1000) : 1;
	if (store_key_need(unlock->key) == STORE_KEY_NEEDS_NOTHING)
		return mt_fail(err, MT_BAD_INPUT, "nothing is locked");
	if (unlock->busy)
		return mt_fail(
		    err, MT_RETRY_LATER, "a passphrase is being tried already");
	if (left_ms > 0)
		return mt_fail(err, MT_RETRY_LATER,
		    "the passphrase before was wrong; the next may be tried in "
		    "%ld s",
		    *ret_retry_s);
	return MT_OK;
}

static void
stretch(uv_work_t *work)
{
	struct unlock *u = work->data;

	u->stretched = key_slot_stretch(&u->slot, &u->passphrase, &u->own);
}

static void
pause_after(struct unlock *u, enum mt_status status)
{
	long pause_s = 1;

	if (status == MT_OK)
		u->failures = 0;
	if (status != MT_BAD_INPUT)
		return;
	for (unsigned int i = 0; i < u->failures && pause_s < PAUSE_MAX_S; i++)
		pause_s *= 2;
	u->failures++;
	u->not_before_ms = clock_boot_ms() + (int64_t)pause_s * 1000;
	log_warning("a wrong passphrase was given");
}

static enum mt_status
take(struct unlock *u, struct mt_error *err)
{
	if (!u->stretched)
		return mt_fail(err, MT_RETRY_LATER,
		    "no memory: to use the passphrase, %zu MiB are needed",
		    u->slot.memory >> 20);
	return store_key_take(u->key, &u->slot, &u->own, err);
}

static void
on_stretched(uv_work_t *work, int status)
{
	struct unlock *u = work->data;
	struct unlock_waiter *waiter = u->waiter;
	bool was_open = store_key_is_open(u->key);
	struct mt_error result = {0};

	(void)status;
	pause_after(u, take(u, &result));
	secret_done(&u->passphrase);
	secret_done(&u->own);
	u->busy = false;
	u->waiter = NULL;
	if (!was_open && store_key_is_open(u->key) && u->opened)
		u->opened(u->context);
	if (!waiter)
		return;
	waiter->unlock = NULL;
	waiter->answer(waiter, &result);
}

void
unlock_try(struct unlock *unlock, struct secret *passphrase,
    struct unlock_waiter *waiter)
{
	secret_move(&unlock->passphrase, passphrase);
	unlock->slot = store_key_slot(unlock->key);
	secret_reset(&unlock->own);
	seal_add_random(&unlock->own, SEAL_KEY_BYTES); /* takes the room */
	unlock->work.data = unlock;
	unlock->busy = true;
	unlock->waiter = waiter;
	waiter->unlock = unlock;
	uv_queue_work(unlock->loop, &unlock->work, stretch, on_stretched);
}

void
unlock_leave(struct unlock_waiter *waiter)
{
	if (!waiter->unlock)
		return;
	waiter->unlock->waiter = NULL;
	waiter->unlock = NULL;
}

void
unlock_end(struct unlock *unlock)
{
	unlock->opened = NULL;
}
