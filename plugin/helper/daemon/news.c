/* SPDX-License-Identifier: ISC */
#include "news.h"

#include "clock.h"

#include "base/settings.h"

#define REPEAT_S 86400L

enum mt_status
news_open(struct news *news, uv_loop_t *loop, struct schedule *schedule,
    const struct hook_places *places, struct mt_error *err)
{
	news->schedule = schedule;
	return hooks_new(loop, places, &news->hooks, err);
}

void
news_configure(struct news *news, const struct config *config)
{
	news->again_s = REPEAT_S;
	if (config->hook_repeat)
		settings_duration(config->hook_repeat, &news->again_s);
	if (news->hooks)
		hooks_configure(news->hooks, &config->hooks);
}

void
news_of_account(
    struct news *news, const struct account *account, const char *event)
{
	const struct account_settings *settings = account_settings_of(account);
	struct account_view view;

	if (!news->hooks)
		return;
	account_view(account, &view);
	hooks_tell(news->hooks,
	    &(const struct hook_news){
		.event = event,
		.account = settings->name,
		.user = settings->user,
		.provider = settings->provider_name ? settings->provider_name
						    : "generic",
		.state = account_state_word(view.state),
		.text = view.text,
	    });
}

static void
tell_lock(struct news *news)
{
	hooks_tell(news->hooks,
	    &(const struct hook_news){
		.event = news->locked ? "locked" : "recovered",
		.account = "",
		.user = "",
		.provider = "",
		.state = news->locked ? "locked" : "ok",
		.text = news->locked
			    ? "the logins are locked: run 'mailtoken unlock'"
			    : "",
	    });
	schedule_set(news->schedule, &news->again,
	    news->locked && news->again_s
		? clock_boot_ms() + (int64_t)news->again_s * 1000
		: SCHEDULE_NEVER);
}

static void
on_again(void *context)
{
	tell_lock(context);
}

void
news_of_lock(struct news *news, bool locked)
{
	if (!news->hooks || locked == news->locked)
		return;
	news->locked = locked;
	news->again.run = on_again;
	news->again.context = news;
	tell_lock(news);
}

void
news_close(struct news *news)
{
	if (!news->hooks)
		return;
	schedule_set(news->schedule, &news->again, SCHEDULE_NEVER);
	hooks_free(&news->hooks);
}
