/* SPDX-License-Identifier: ISC */
#include "status_view.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 4
#define GAP 2
#define USER_COLUMN 2
#define USER_WIDTH_MIN 16

static char *
copy_field(const struct token_wire_message *reply, const char *name)
{
	const char *value = token_wire_get(reply, name);

	return strdup(value ? value : "");
}

enum mt_status
status_row_read(struct status_row *ret_row, const char *account,
    const struct token_wire_message *reply, struct mt_error *err)
{
	struct status_row row = {
	    .account = strdup(account),
	    .state = copy_field(reply, "state"),
	    .user = copy_field(reply, "user"),
	    .provider = copy_field(reply, "provider"),
	    .login_at = copy_field(reply, "login_at"),
	    .identity = copy_field(reply, "identity"),
	    .refreshed_at = copy_field(reply, "refreshed_at"),
	    .text = copy_field(reply, "text"),
	    .alarm = copy_field(reply, "alarm"),
	    .serial = token_wire_number(reply, "serial", LONG_MAX, -1),
	    .expires_in_s =
		token_wire_number(reply, "expires_in", LONG_MAX, -1),
	    .next_attempt_s =
		token_wire_number(reply, "next_attempt_s", LONG_MAX, -1),
	    .in_use = token_wire_number(reply, "in_use", 1, 0),
	    .next_refresh_s =
		token_wire_number(reply, "next_refresh_s", LONG_MAX, -1),
	    .server_failures =
		token_wire_number(reply, "server_failures", LONG_MAX, -1),
	    .server_trial_s =
		token_wire_number(reply, "server_trial_s", LONG_MAX, -1),
	};

	if (!row.account || !row.state || !row.user || !row.provider ||
	    !row.login_at || !row.identity || !row.refreshed_at || !row.text ||
	    !row.alarm) {
		status_row_done(&row);
		return mt_fail(err, MT_NO_MEMORY, "no memory for a status");
	}
	*ret_row = row;
	return MT_OK;
}

void
status_row_done(struct status_row *row)
{
	free(row->account);
	free(row->state);
	free(row->user);
	free(row->provider);
	free(row->login_at);
	free(row->identity);
	free(row->refreshed_at);
	free(row->text);
	free(row->alarm);
	*row = (struct status_row){0};
}

void
status_view_duration(char ret_text[STATUS_VIEW_DURATION_MAX], long s)
{
	static const struct {
		long from_s;
		long unit_s;
		const char *unit;
	} units[] = {
	    {2 * 86400, 86400, "d"},
	    {2 * 3600, 3600, "h"},
	    {60, 60, "min"},
	    {1, 1, "s"},
	};

	memcpy(ret_text, "-", sizeof("-"));
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (s >= units[i].from_s) {
			snprintf(ret_text, STATUS_VIEW_DURATION_MAX, "%ld %s",
			    s / units[i].unit_s, units[i].unit);
			return;
		}
}

/* The first byte of a character in UTF-8, as against a following one. */
static bool
starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t
width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += starts_character(*text);
	return width;
}

/* Bytes in the first `width` characters. */
static size_t
bytes_in(const char *text, size_t width)
{
	size_t i = 0;

	while (text[i] && (width || !starts_character(text[i])))
		width -= starts_character(text[i++]);
	return i;
}

static void
add_spaces(struct buf *out, size_t count)
{
	while (count--)
		buf_add_char(out, ' ');
}

/* Cuts what is too long, pads what is too short. */
static void
add_cell(struct buf *out, const char *text, size_t width)
{
	size_t own = width_of(text);

	if (own > width) {
		size_t len = bytes_in(text, width - 3);
		buf_add_printable(out, text, len, len);
		buf_add_text(out, "...");
		return;
	}
	buf_add_printable(out, text, strlen(text), strlen(text));
	add_spaces(out, width - own);
}

static void
trim_line(struct buf *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	buf_add_char(out, '\n');
}

static void
add_line(struct buf *out, const char *const cells[COLUMNS],
    const size_t widths[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++) {
		add_cell(out, cells[i], widths[i]);
		add_spaces(out, GAP);
	}
	trim_line(out);
}

/* How much of `text` goes on a line of `width`: up to a space, if there is one
 * where it has to be broken. */
static size_t
line_of(const char *text, size_t width)
{
	size_t most = bytes_in(text, width), len = most;

	if (!text[most])
		return most;
	while (len && text[len] != ' ')
		len--;
	return len ? len : most;
}

/* Adds a text that starts at column `indent`, where the line already is, and
 * goes on there. */
static void
add_wrapped(struct buf *out, const char *text, size_t indent)
{
	for (;;) {
		size_t len = line_of(text, STATUS_VIEW_WIDTH - indent);

		buf_add_printable(out, text, len, len);
		trim_line(out);
		text += len;
		while (*text == ' ')
			text++;
		if (!*text)
			return;
		add_spaces(out, indent);
	}
}

static void
add_note(struct buf *out, size_t indent, const char *label, const char *text)
{
	if (!*text)
		return;
	add_spaces(out, indent);
	buf_add_text(out, label);
	add_wrapped(out, text, indent + strlen(label));
}

static void
widen(size_t *width, const char *text)
{
	size_t own = width_of(text);

	if (own > *width)
		*width = own;
}

/* The user gives way when the line would be longer than the screen is wide. */
static void
fit_user(size_t widths[COLUMNS])
{
	size_t others = (COLUMNS - 1) * GAP;
	size_t left;

	for (size_t i = 0; i < COLUMNS; i++)
		if (i != USER_COLUMN)
			others += widths[i];
	left = others < STATUS_VIEW_WIDTH ? STATUS_VIEW_WIDTH - others : 0;
	if (left < USER_WIDTH_MIN)
		left = USER_WIDTH_MIN;
	if (widths[USER_COLUMN] > left)
		widths[USER_COLUMN] = left;
}

void
status_view_table(struct buf *out, const struct status_row *rows, size_t count)
{
	static const char *const titles[COLUMNS] = {
	    "ACCOUNT", "STATE", "USER", "EXPIRES IN"};
	size_t widths[COLUMNS] = {0};
	char left[STATUS_VIEW_DURATION_MAX];

	for (size_t i = 0; i < COLUMNS; i++)
		widen(&widths[i], titles[i]);
	for (size_t i = 0; i < count; i++) {
		widen(&widths[0], rows[i].account);
		widen(&widths[1], rows[i].state);
		widen(&widths[2], rows[i].user);
	}
	fit_user(widths);
	add_line(out, titles, widths);
	for (size_t i = 0; i < count; i++) {
		status_view_duration(left, rows[i].expires_in_s);
		add_line(out,
		    (const char *const[COLUMNS]){
			rows[i].account, rows[i].state, rows[i].user, left},
		    widths);
		add_note(out, 4, "error: ", rows[i].text);
		add_note(out, 4, "alarm: ", rows[i].alarm);
	}
}

static void
add_detail(struct buf *out, const char *label, const char *text)
{
	const size_t indent = 16;

	if (!*text)
		return;
	add_spaces(out, GAP);
	add_cell(out, label, indent - GAP);
	add_wrapped(out, text, indent);
}

static void
add_next_refresh(struct buf *out, const struct status_row *row)
{
	char in[STATUS_VIEW_DURATION_MAX], text[96];

	if (row->next_refresh_s <= 0)
		return;
	status_view_duration(in, row->next_refresh_s);
	snprintf(text, sizeof(text), "in %s, %s", in,
	    row->in_use ? "for it is in use"
			: "to keep the login alive (not in use)");
	add_detail(out, "next refresh", text);
}

static void
add_server(struct buf *out, const struct status_row *row)
{
	char in[STATUS_VIEW_DURATION_MAX], text[96];

	if (row->server_failures <= 0)
		return;
	snprintf(text, sizeof(text), "%ld %s in a row", row->server_failures,
	    row->server_failures == 1 ? "failure" : "failures");
	if (row->server_trial_s > 0) {
		size_t len = strlen(text);
		status_view_duration(in, row->server_trial_s);
		snprintf(
		    text + len, sizeof(text) - len, ", tried again in %s", in);
	}
	add_detail(out, "server", text);
}

void
status_view_detail(struct buf *out, const struct status_row *row)
{
	char left[STATUS_VIEW_DURATION_MAX], serial[24] = "";

	buf_add_printable(
	    out, row->account, strlen(row->account), strlen(row->account));
	buf_add_char(out, '\n');
	add_detail(out, "state", row->state);
	add_detail(out, "user", row->user);
	add_detail(out, "provider", row->provider);
	status_view_duration(left, row->expires_in_s);
	add_detail(out, "expires in", left);
	if (row->serial > 0)
		snprintf(serial, sizeof(serial), "%ld", row->serial);
	add_detail(out, "token number", serial);
	add_detail(out, "logged in at", row->login_at);
	if (*row->login_at)
		add_detail(out, "logged in as",
		    *row->identity ? row->identity
				   : "not known, the server did not say");
	add_detail(out, "refreshed at", row->refreshed_at);
	add_next_refresh(out, row);
	status_view_duration(left, row->next_attempt_s);
	if (row->next_attempt_s > 0)
		add_detail(out, "next attempt", left);
	add_server(out, row);
	add_detail(out, "error", row->text);
	add_detail(out, "alarm", row->alarm);
}
