/* SPDX-License-Identifier: ISC */
/*
 * The inside of a sender, for sender*.c only: sender.c decides on the loop,
 * sender_jobs.c works in threads of the pool, sender_watches.c tells who waits.
 */
#ifndef MT_CONNECTOR_SENDER_IMPL_H
#define MT_CONNECTOR_SENDER_IMPL_H

#include "sender.h"

#include "pause.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#define SENDER_CONNECTIONS_MAX 4

/* What somebody waits for. */
enum sender_until { UNTIL_DECIDED, UNTIL_FILED, UNTIL_IDLE };

struct sender_watch {
	TAILQ_ENTRY(sender_watch) link;
	int64_t entry;
	enum sender_until until;
	uint64_t patience; /* the loop's time at which it ends */
	sender_told told;
	void *context;
};

/* A job that works at a server. */
struct sender_work {
	struct pool_job job;
	struct sender *sender;
	bool running;
	bool stranded; /* it could not write down what it did */
	struct mt_error error;
};

/*
 * The job at the desk: everything about the state that may wait for the disk.
 * Between its end and its next beginning it is the loop's.
 */
struct sender_desk {
	struct pool_job job;
	bool running;
	bool again; /* it was asked for while it ran */

	/* in; the looks are of the watches, in their order */
	bool only_looks;
	bool recover; /* nobody works with an entry, and somebody may have */
	bool tidy;
	bool away;    /* the server, when it was tried last */
	bool blocked; /* nothing is sent before a person acts */
	char why[MT_ERROR_TEXT_MAX];
	size_t count;
	struct desk_look {
		int64_t entry;
		enum mt_status status;
		struct send_report report;
	} * looks;

	/* out */
	bool held; /* the lock, by another process */
	enum mt_status status;
	struct mt_error error;
	struct outbox_plan plan;
};

struct sender {
	struct sender_settings settings;
	struct submit_settings submit; /* the same, with our ears */
	uv_loop_t *loop;
	struct pool *pool;
	uv_timer_t *timer;
	uv_async_t *news; /* a thread has ended something */
	int lock;         /* -1: not held */
	struct sender_desk desk;
	struct sender_work smtp[SENDER_CONNECTIONS_MAX];
	struct sender_work imap;
	struct pause smtp_pause;
	struct pause imap_pause;
	/* of the desk's last work: while it works, the loop has these */
	struct outbox_plan plan;
	struct mt_error desk_error; /* status MT_OK: none */
	bool settled;      /* since then nobody has died with an entry */
	uint64_t tidied;   /* the loop's time; 0: never */
	bool state_broken; /* and it was said */
	TAILQ_HEAD(, sender_watch) watches;

	atomic_bool stop; /* for the threads */
	bool stopping;
	bool told_all; /* since then */
	void (*stopped)(void *context, struct sender *sender);
	void *context;
};

/* Sets up the jobs and what they call; their done() are the sender's. */
void sender_jobs_init(struct sender *sender,
    void (*desk_done)(struct pool_job *job),
    void (*work_done)(struct pool_job *job));

/* Whose job it is. */
struct sender_work *sender_work_of(struct pool_job *job);
struct sender *sender_of_desk(struct pool_job *job);

/* Has the desk opened: now, or when it is closed. */
void sender_open_desk(struct sender *sender);

/* Whether anybody works at a server. */
bool sender_works(const struct sender *sender);

/* What the watches ask of the desk. */
void sender_watches_ask(struct sender *sender);

/* Tells those that are due of what was found. */
void sender_watches_tell(struct sender *sender);

/* Tells all that are left that no more is known. */
void sender_watches_end(struct sender *sender);

#endif
