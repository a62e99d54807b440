/* SPDX-License-Identifier: ISC */
/*
 * Receiving: one visit to the mailboxes of an account, and its session between
 * visits.
 */
#include "operations_impl.h"

#include "base/log.h"
#include "inbound/fetch.h"
#include "inbound/inbound.h"
#include "inbound/recover.h"
#include "inbound/watch.h"
#include "mail/imap_conn.h"
#include "progress.h"
#include "report.h"
#include "state/state.h"

#include <json-c/json.h>
#include <string.h>

#define LOGIN_MS 60000
#define REACH_FIRST_MS 5000 /* of that, until it can begin, at first */
#define HELPER_MS 5000
#define DONE_MS 30000  /* for the answer to the end of idleness */
#define IDLE_MS 30000  /* to begin it */
#define SHARE_MS 30000 /* of a visit, when others want the thread, too */
#define WATCHED_MAX 64 /* mailboxes beside the one that is open */

struct receipt {
	const struct operations *operations;
	struct json_object *handles; /* NULL: nobody asks */
	struct inbound_counts counts;
	struct progress progress;
};

/* The parts of "agents/<agent>/<folder>/<handle>/message.json": <agent> may be
 * another account's, where a crash is recovered from. */
struct place {
	const char *agent;
	int agent_len;
	const char *folder;
	int folder_len;
	int name_len; /* of "<folder>/<handle>" */
};

static struct place
place_of(const struct inbound_delivery *delivery)
{
	const char *agent = delivery->path + sizeof("agents/") - 1;
	const char *folder = strchr(agent, '/') + 1;

	return (struct place){
	    .agent = agent,
	    .agent_len = (int)(folder - 1 - agent),
	    .folder = folder,
	    .folder_len = (int)strcspn(folder, "/"),
	    .name_len = (int)(strrchr(folder, '/') - folder),
	};
}

/* Its handle in the inbox, its name elsewhere. */
static void
add_handle(
    struct json_object *handles, const struct place *place, const char *handle)
{
	bool inbox =
	    place->folder_len == 5 && strncmp(place->folder, "inbox", 5) == 0;

	json_object_array_add(handles,
	    inbox ? json_object_new_string(handle)
		  : json_object_new_string_len(place->folder, place->name_len));
}

static void
on_delivered(void *context, const struct inbound_delivery *delivery)
{
	struct receipt *receipt = context;
	const struct operations *o = receipt->operations;
	const struct place place = place_of(delivery);

	if (o->announced)
		announcer_wake(o->resources->announcer, o->announced);
	/* a line for each would scroll the bar away; whether it is there just
	 * now is for the poll's own thread to know */
	if (!receipt->progress.bar)
		log_info("Email %s written to %.*s for agent %.*s",
		    delivery->handle, place.folder_len, place.folder,
		    place.agent_len, place.agent);
	if (receipt->handles)
		add_handle(receipt->handles, &place, delivery->handle);
}

static void
on_progress(void *context, size_t tried, size_t total)
{
	struct receipt *receipt = context;

	progress_show(&receipt->progress, tried, total);
}

static bool
is_full(void *context)
{
	const struct receipt *receipt = context;
	const struct operations *o = receipt->operations;

	return o->announced &&
	       announcer_is_full(o->resources->announcer, o->announced);
}

static void
on_notice(void *context, const char *sentence)
{
	struct receipt *receipt = context;

	progress_hide(&receipt->progress);
	log_warning("%s", sentence);
}

/* What receiving works with, but for the workspace: it is opened for each
 * visit, as somebody may have replaced it. */
static struct inbound
inbound_of(struct operations *o, struct receipt *receipt)
{
	return (struct inbound){
	    .state = o->resources->state,
	    .mime = o->resources->mime,
	    .account = o->config->name,
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .keep_raw = o->config->keep_raw,
	    .only_newest = o->config->only_newest,
	    .newest = o->config->newest,
	    .counts = &receipt->counts,
	    .watch = o->resources->announcer
			 ? announcer_watch(o->resources->announcer)
			 : NULL,
	    .is_full = is_full,
	    .stop = &o->stop,
	    .context = receipt,
	    .delivered = on_delivered,
	    .progress = on_progress,
	    .notice = on_notice,
	};
}

enum mt_status
operations_recover(struct operations *o, struct mt_error *err)
{
	struct receipt receipt = {.operations = o};
	struct inbound inbound = inbound_of(o, &receipt);
	enum mt_status status =
	    operations_open_workspace(o, &inbound.publisher, err);

	/* before what is staged is swept up */
	if (status == MT_OK)
		operations_recover_moved(o, inbound.publisher);
	if (status == MT_OK)
		status = recover_all(&inbound, err);
	publish_close(&inbound.publisher);
	return status;
}

/* Whose token it is that the session is entered with: for those who hear that
 * there is a new one.  That it is not known does no harm. */
static void
learn_token_account(struct operations *o)
{
	if (o->session.helper && !*o->token_account)
		(void)!token_helper_account(o->session.helper, "imap",
		    &o->config->imap, o->token_account,
		    deadline_in_ms(HELPER_MS), NULL);
}

static enum mt_status
enter(struct operations *o, struct mt_error *err)
{
	enum mt_status status;

	/* before it fails for want of a token; or after it started a helper */
	learn_token_account(o);
	status = session_open_imap(
	    &o->session, &o->conn, o->reach_ms, deadline_in_ms(LOGIN_MS), err);
	learn_token_account(o);
	return status;
}

/* Takes in what the server has told of mailboxes. */
static void
note_news(struct operations *o, const struct imap_news *news)
{
	o->first_has_news = o->first_has_news || news->selected_changed;
	o->others_news |= news->overflow ? UINT64_MAX : news->others;
}

/* Goes on with the idle session, or enters a new one. */
static enum mt_status
begin_session(struct operations *o, const struct watch_visit *visit,
    struct watch_result *result, struct mt_error *err)
{
	struct imap_news news = {0};

	if (o->conn && (visit->log_in_again || imap_watch_end(o->conn, &news,
						   deadline_in_ms(DONE_MS),
						   &result->lost) != MT_OK))
		operations_leave(o);
	note_news(o, &news);
	if (o->conn)
		return MT_OK;
	result->entered = true;
	return enter(o, err);
}

/* The mailboxes beside the first, which is open. */
static size_t
list_others(const struct operations *o, const char *names[WATCHED_MAX])
{
	const struct mailboxes *m = &o->config->mailboxes;
	size_t count = 0;

	for (size_t i = 1; i < m->count && count < WATCHED_MAX; i++)
		names[count++] = m->list[i].name;
	return count;
}

/* Leaves the session idle.  That it cannot be is no failure of the visit. */
static void
end_session(struct operations *o, struct watch_result *result)
{
	enum imap_push push = imap_watch_offered(o->conn);
	const char *others[WATCHED_MAX];
	size_t count = list_others(o, others);
	struct mt_error why;

	if (push == IMAP_PUSH_NONE ||
	    imap_watch_begin(o->conn, push, others, count,
		deadline_in_ms(IDLE_MS), &why) != MT_OK) {
		imap_conn_close(&o->conn);
		return;
	}
	o->push = imap_watch_push(o->conn);
	result->listening = true;
}

/* Before anything is fetched: mail enters only the queues that there are. */
static enum mt_status
announce(struct operations *o, struct mt_error *err)
{
	if (o->announced || !o->resources->announcer)
		return MT_OK;
	return announcer_add(o->resources->announcer, o->config,
	    o->session.trust, &o->announced, err);
}

/* One mailbox, in a session that is of no use after a failure. */
static enum mt_status
look_into(struct operations *o, size_t index, struct inbound *inbound,
    struct mt_error *err)
{
	const struct mailbox_setting *mailbox =
	    &o->config->mailboxes.list[index];
	struct receipt *receipt = inbound->context;
	enum mt_status status;

	inbound->mailbox = mailbox->name;
	inbound->folder = o->folders[index];
	/* the gateway has followed one only */
	inbound->gateway_state =
	    o->config->further || strcmp(mailbox->name, "INBOX") != 0
		? NULL
		: o->gateway_state;
	progress_begin(&receipt->progress, mailbox->name, o->show_bar);
	status = fetch_poll(inbound, o->conn, err);
	progress_hide(&receipt->progress);
	return status;
}

/* The first one is the server's to watch when it is opened last, so it is looked
 * into in any case. */
static bool
is_to_look_into(
    const struct operations *o, const struct watch_visit *visit, size_t index)
{
	if (!visit->news_only || index == 0)
		return true;
	return index <= WATCHED_MAX && o->others_news & UINT64_C(1)
							    << (index - 1);
}

/* Moves come first: mail on its way into a mailbox is not delivered there. */
static enum mt_status
begin_looking(struct operations *o, struct inbound *inbound, bool *first,
    struct mt_error *err)
{
	enum mt_status status = o->conn ? MT_OK : enter(o, err);

	if (status != MT_OK || !*first)
		return status;
	*first = false;
	operations_resume_moves(o, inbound->publisher);
	if (imap_conn_is_usable(o->conn))
		return MT_OK;
	operations_leave(o);
	return enter(o, err);
}

/* All mailboxes, even if one fails: *err is about the first that did.  What
 * becomes of the last, *ret_last, is what becomes of the session. */
static enum mt_status
look_into_all(struct operations *o, const struct watch_visit *visit,
    struct inbound *inbound, enum mt_status *ret_last, struct mt_error *err)
{
	enum mt_status result = MT_OK, status = MT_OK;
	struct mt_error why;
	bool first = true;

	for (size_t i = o->config->mailboxes.count; i-- > 0;) {
		if (!is_to_look_into(o, visit, i))
			continue;
		status = begin_looking(o, inbound, &first, &why);
		if (status == MT_OK)
			status = look_into(o, i, inbound, &why);
		if (status == MT_OK)
			continue;
		if (result == MT_OK)
			result = mt_fail(err, status, "%s", why.text);
		else
			log_error("IMAP poll failed: %s", why.text);
		if (!o->conn || atomic_load(&o->stop))
			break;
		operations_leave(o);
	}
	*ret_last = status;
	return result;
}

static enum mt_status
look(struct operations *o, const struct watch_visit *visit,
    const struct deadline *share, struct receipt *receipt,
    enum mt_status *ret_last, struct mt_error *err)
{
	struct inbound inbound = inbound_of(o, receipt);
	enum mt_status status =
	    operations_open_workspace(o, &inbound.publisher, err);

	inbound.reconcile = visit->reconcile;
	inbound.share = share;
	*ret_last = status;
	if (status == MT_OK)
		status = look_into_all(o, visit, &inbound, ret_last, err);
	if (status == MT_OK) {
		o->first_has_news = false;
		o->others_news = 0;
	}
	publish_close(&inbound.publisher);
	return status;
}

/* Said once, until they can be read again. */
static void
note_trouble(
    struct operations *o, enum mt_status status, const struct mt_error *why)
{
	if (status != MT_OK && !o->troubled)
		log_error("IMAP poll failed: %s", why->text);
	o->troubled = status != MT_OK;
}

/* A dead server is given up soon, as others may want the thread; one that is slow
 * gets its time after some failures. */
static int64_t
reach_ms(unsigned failures)
{
	int64_t ms = REACH_FIRST_MS;

	while (failures-- && ms < LOGIN_MS)
		ms *= 2;
	return ms < LOGIN_MS ? ms : LOGIN_MS;
}

/* The result is what `err` is about; for the watch, a mailbox that cannot be
 * read is no reason to leave the session and those that can. */
static enum mt_status
visit(struct operations *o, const struct watch_visit *wanted,
    struct watch_result *result, struct receipt *receipt, struct mt_error *err)
{
	const struct deadline share = deadline_in_ms(SHARE_MS);
	struct watch_visit visit = *wanted;
	enum mt_status status, last = MT_OK;

	/* what the server told the session that has broken is lost with it */
	if (result->lost.status != MT_OK)
		visit = (struct watch_visit){.reconcile = true};
	status = look(o, &visit, &share, receipt, &last, err);
	result->status = last;
	result->more = receipt->counts.left > 0;
	if (last == MT_OK && !visit.news_only)
		note_trouble(o, status, err);
	if (last == MT_OK)
		end_session(o, result);
	else
		operations_leave(o);
	return status;
}

static void
add_counts(struct json_object *report, const struct inbound_counts *counts)
{
	const struct {
		const char *name;
		uint64_t count;
	} members[] = {
	    {"reconcile_found", counts->found},
	    {"matched", counts->matched},
	    {"gone", counts->gone},
	    {"left", counts->left},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		json_object_object_add(report, members[i].name,
		    json_object_new_int64((int64_t)members[i].count));
}

static struct json_object *
poll_report(enum mt_status status, const struct mt_error *err,
    const struct receipt *receipt)
{
	struct json_object *report = json_object_new_object();

	report_add_text(report, "type", "poll_response");
	report_add_outcome(report, status, err, "polled");
	json_object_object_add(report, "delivered", receipt->handles);
	add_counts(report, &receipt->counts);
	json_object_object_add(
	    report, "exit_code", json_object_new_int(mt_exit_code(status)));
	return report;
}

enum mt_status
operations_enter(struct operations *o, const struct watch_visit *v,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	struct receipt receipt = {.operations = o};
	enum mt_status status;

	o->reach_ms = reach_ms(v->failures);
	status = announce(o, err);
	if (status == MT_OK)
		status = begin_session(o, v, ret_result, err);
	ret_result->status = status;
	if (status == MT_OK)
		return MT_OK;
	operations_leave(o);
	receipt.handles = json_object_new_array();
	*ret_report = poll_report(status, err, &receipt);
	return status;
}

enum mt_status
operations_visit(struct operations *o, const struct watch_visit *v,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	struct receipt receipt = {
	    .operations = o, .handles = json_object_new_array()};
	enum mt_status status = visit(o, v, ret_result, &receipt, err);

	*ret_report = poll_report(status, err, &receipt);
	return ret_result->status;
}

enum mt_status
operations_receive(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct receipt receipt = {
	    .operations = o, .handles = json_object_new_array()};
	const struct watch_visit everything = {.reconcile = true};
	enum mt_status status = announce(o, err), last;

	if (status == MT_OK)
		status = look(o, &everything, NULL, &receipt, &last, err);

	imap_conn_close(&o->conn);
	*ret_report = poll_report(status, err, &receipt);
	return status;
}

int
operations_descriptor(const struct operations *o)
{
	return imap_watch_fd(o->conn);
}

enum mt_status
operations_listen(struct operations *o, bool *ret_news, struct mt_error *err)
{
	struct imap_news news;
	enum mt_status status = imap_watch_read(o->conn, &news, err);

	note_news(o, &news);
	if (status == MT_OK && news.bye)
		status = mt_fail(
		    err, MT_RETRY_LATER, "the server says: %s", news.bye_text);
	else if (status == MT_OK && news.ended)
		status = mt_fail(
		    err, MT_RETRY_LATER, "the server has ended the IDLE");
	*ret_news =
	    news.selected_changed || news.others_changed || news.overflow;
	return status;
}

void
operations_leave(struct operations *o)
{
	imap_conn_drop(&o->conn);
}

void
operations_describe(const struct operations *o, struct json_object *status)
{
	static const char *const words[] = {
	    [IMAP_PUSH_NONE] = "none",
	    [IMAP_PUSH_IDLE] = "IDLE",
	    [IMAP_PUSH_NOTIFY] = "NOTIFY",
	};

	report_add_text(status, "host", o->config->imap.host);
	report_add_text(status, "agent", o->config->agent);
	report_add_text(
	    status, "push", words[o->conn ? o->push : IMAP_PUSH_NONE]);
	if (o->resources->announcer)
		announcer_describe(
		    o->resources->announcer, o->config->name, status);
}
