/* SPDX-License-Identifier: ISC */
#include "progress.h"

#include "base/deadline.h"
#include "base/fs.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHORT_POLL 100 /* messages; fewer are no matter of waiting */
#define LOG_MS 10000
#define DRAW_MS 100
#define DEFAULT_COLUMNS 80
#define BAR_MAX 40

static int64_t
now_ms(void)
{
	return deadline_in_ms(0).at_ms;
}

void
progress_begin(struct progress *p, const char *what, bool bar)
{
	*p = (struct progress){
	    .what = what,
	    .bar = bar && isatty(STDERR_FILENO),
	    .began_ms = now_ms(),
	};
	p->shown_ms = p->began_ms;
}

static unsigned
percent(size_t tried, size_t total)
{
	return total ? (unsigned)((uint64_t)tried * 100 / total) : 100;
}

static void
add_time(struct buf *line, int64_t seconds)
{
	if (seconds >= 3600)
		buf_add_format(line, "%lld h %02lld min",
		    (long long)(seconds / 3600),
		    (long long)(seconds % 3600 / 60));
	else if (seconds >= 60)
		buf_add_format(line, "%lld min %02lld s",
		    (long long)(seconds / 60), (long long)(seconds % 60));
	else
		buf_add_format(line, "%lld s", (long long)seconds);
}

static void
add_bar(struct buf *line, size_t tried, size_t total, size_t width)
{
	size_t full = total ? (size_t)((uint64_t)tried * width / total) : width;

	buf_add_text(line, "[");
	for (size_t i = 0; i < width; i++)
		buf_add_char(line, i < full ? '#' : '.');
	buf_add_text(line, "] ");
}

static void
add_numbers(struct buf *line, size_t tried, size_t total, int64_t elapsed_ms)
{
	buf_add_format(
	    line, "%zu/%zu %u%%", tried, total, percent(tried, total));
	if (!tried || tried >= total || elapsed_ms < 1000)
		return;
	buf_add_text(line, ", ");
	add_time(line,
	    (int64_t)((uint64_t)elapsed_ms * (total - tried) / tried / 1000));
	buf_add_text(line, " left");
}

void
progress_draw(struct buf *line, const char *what, size_t tried, size_t total,
    int64_t elapsed_ms, size_t columns)
{
	struct buf numbers = BUF_INIT(256), text = BUF_INIT(1024);
	size_t used, width;

	/* what may stand beside the bar, so that it keeps its length */
	buf_add_format(&numbers, "%s [] %zu/%zu 100%%, 59 min 59 s left", what,
	    total, total);
	used = numbers.len;
	buf_reset(&numbers);
	add_numbers(&numbers, tried, total, elapsed_ms);
	width = columns > used ? columns - used : 0;
	buf_add_format(&text, "%s ", what);
	if (width >= 5)
		add_bar(&text, tried, total, width < BAR_MAX ? width : BAR_MAX);
	buf_add(&text, numbers.data, numbers.len);
	buf_add(line, text.data, text.len < columns ? text.len : columns);
	buf_done(&numbers);
	buf_done(&text);
}

static size_t
terminal_columns(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 10)
		return DEFAULT_COLUMNS;
	return size.ws_col;
}

static void
write_text(const char *text, size_t len)
{
	/* nobody is to be told if the terminal has gone */
	(void)fs_write_all(STDERR_FILENO, text, len);
}

/* "\r" to the beginning of the line, ESC [ K erases it. */
static const char erase[] = "\r\033[K";

void
progress_hide(struct progress *p)
{
	if (p->visible)
		write_text(erase, sizeof(erase) - 1);
	p->visible = false;
}

static void
show_bar(struct progress *p, size_t tried, size_t total, int64_t now)
{
	struct buf line = BUF_INIT(1024);

	if (p->visible && now - p->shown_ms < DRAW_MS && tried < total)
		return;
	p->shown_ms = now;
	buf_add_text(&line, erase);
	/* one column less: some terminals wrap after the last */
	progress_draw(&line, p->what, tried, total, now - p->began_ms,
	    terminal_columns() - 1);
	if (buf_ok(&line))
		write_text(line.data, line.len);
	buf_done(&line);
	p->visible = true;
}

static void
show_line(struct progress *p, size_t tried, size_t total, int64_t now)
{
	bool tenth = percent(tried, total) / 10 > percent(p->shown, total) / 10;

	if (!total)
		return;
	if (now - p->shown_ms < LOG_MS && !(tenth && total >= SHORT_POLL))
		return;
	p->shown_ms = now;
	p->shown = tried;
	log_info("%s: %zu of %zu messages (%u %%)", p->what, tried, total,
	    percent(tried, total));
}

void
progress_show(struct progress *p, size_t tried, size_t total)
{
	int64_t now = now_ms();

	if (!p->bar)
		show_line(p, tried, total, now);
	else if (total >= SHORT_POLL)
		show_bar(p, tried, total, now);
	if (tried >= total)
		progress_hide(p);
}
