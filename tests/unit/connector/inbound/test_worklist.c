/* SPDX-License-Identifier: ISC */
#include "inbound/worklist.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A space-separated list of numbers, after which comes ":size" or nothing. */
static size_t
read_numbers(const char *text, uint32_t *ret_numbers, uint32_t *ret_sizes)
{
	size_t count = 0;

	while (*text) {
		char *end;
		ret_numbers[count] = (uint32_t)strtoul(text, &end, 10);
		ret_sizes[count] =
		    *end == ':' ? (uint32_t)strtoul(end + 1, &end, 10) : 1;
		count++;
		text = *end == ' ' ? end + 1 : end;
	}
	return count;
}

static struct uid_list
uids(const char *text, uint32_t *space)
{
	uint32_t sizes[16];
	struct uid_list list = {.uids = space};

	list.count = read_numbers(text, space, sizes);
	return list;
}

/* What the state knows, as text. */
struct known {
	const char *done, *suspects, *waiting;
};

static void
load(struct worklist *list, const char *listed, const struct known *known)
{
	struct imap_summary summaries[16];
	uint32_t numbers[16], sizes[16], space[3][16];
	struct uid_list done_list = uids(known->done, space[0]);
	struct uid_list suspects = uids(known->suspects, space[1]);
	struct uid_list waiting = uids(known->waiting, space[2]);
	struct uid_ranges done = {0};
	size_t count = read_numbers(listed, numbers, sizes);

	for (size_t i = 0; i < count; i++)
		summaries[i] = (struct imap_summary){numbers[i], sizes[i]};
	for (size_t i = 0; i < done_list.count; i++)
		assert_int_equal(uid_ranges_append(&done, done_list.uids[i],
				     done_list.uids[i], NULL),
		    MT_OK);
	assert_int_equal(
	    worklist_load(list, summaries, count,
		&(struct worklist_known){&done, &suspects, &waiting}, NULL),
	    MT_OK);
	uid_ranges_done(&done);
}

static void
load_suspects(struct worklist *list, const char *listed, const char *suspects)
{
	struct imap_summary summaries[16];
	uint32_t numbers[16], sizes[16], space[16];
	struct uid_list order = uids(suspects, space);
	size_t count = read_numbers(listed, numbers, sizes);

	for (size_t i = 0; i < count; i++)
		summaries[i] = (struct imap_summary){numbers[i], sizes[i]};
	assert_int_equal(
	    worklist_load_suspects(list, summaries, count, &order, NULL),
	    MT_OK);
}

/* Takes all there is: "5 6/7/". */
static void
take_all(struct worklist *list, char *ret_text, size_t size)
{
	struct work *batch[WORKLIST_BATCH_MAX];
	size_t count, len = 0, left = worklist_left(list);

	*ret_text = '\0';
	while ((count = worklist_take(list, 100, batch)) > 0)
		for (size_t j = 0; j < count; j++)
			len += (size_t)snprintf(ret_text + len, size - len,
			    "%u%c", batch[j]->uid, j + 1 < count ? ' ' : '/');
	for (const char *at = ret_text; *at; at++)
		left -= *at == ' ' || *at == '/';
	assert_int_equal(left, 0);
	assert_int_equal(worklist_left(list), 0);
}

static void
mark_all_done(struct worklist *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].suspect)
			list->items[i].done = true;
}

static void
batches_come_in_order_and_within_bounds(void **state)
{
	static const struct {
		const char *name, *listed;
		struct known known;
		const char *batches; /* ended by "/" each */
	} cases[] = {
	    {"nothing", "", {"", "", ""}, ""},
	    {"all known", "5 6", {"5 6 9", "", ""}, ""},
	    {"one batch", "5 6 9", {"", "", ""}, "5 6 9/"},
	    {"known ones are left out", "5 6 9", {"6", "", ""}, "5 9/"},
	    {"bytes bound a batch", "5:60 6:40 7:1", {"", "", ""}, "5 6/7/"},
	    {"a large one goes alone", "5:1 6:101 7:1", {"", "", ""}, "5/6/7/"},
	    {"only large ones", "5:500 6:4000000000", {"", "", ""}, "5/6/"},
	    {"suspects are left out", "5 6 7 8", {"", "6 8", ""}, "5 7/"},
	    {"what waits is left out", "5 6 7", {"", "7", "6 9"}, "5/"},
	    {"late ones come first", "1 3 5", {"3", "", ""}, "1 5/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct worklist list;
		char got[256];

		worklist_init(&list, 4);
		load(&list, cases[i].listed, &cases[i].known);
		take_all(&list, got, sizeof(got));
		if (strcmp(got, cases[i].batches) != 0)
			fail_msg("%s: %s", cases[i].name, got);
		worklist_done(&list);
	}
}

static void
suspects_come_last_alone_and_as_given(void **state)
{
	static const struct {
		const char *name, *listed, *suspects, *batches;
	} cases[] = {
	    {"none", "", "", ""},
	    {"in their order", "6 8", "8 6", "8/6/"},
	    {"some are gone", "6", "8 6", "6/"},
	    {"all are gone", "", "8 6", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct worklist list;
		char got[256];

		worklist_init(&list, 4);
		load_suspects(&list, cases[i].listed, cases[i].suspects);
		take_all(&list, got, sizeof(got));
		if (strcmp(got, cases[i].batches) != 0)
			fail_msg("%s: %s", cases[i].name, got);
		worklist_done(&list);
	}
}

static void
batch_has_a_maximum_of_messages(void **state)
{
	struct imap_summary listed[WORKLIST_BATCH_MAX + 1];
	struct work *batch[WORKLIST_BATCH_MAX];
	struct uid_list none = {0};
	struct uid_ranges nothing = {0};
	struct worklist list;

	(void)state;
	for (uint32_t i = 0; i <= WORKLIST_BATCH_MAX; i++)
		listed[i] = (struct imap_summary){i + 1, 0};
	worklist_init(&list, 0);
	assert_int_equal(
	    worklist_load(&list, listed, WORKLIST_BATCH_MAX + 1,
		&(struct worklist_known){&nothing, &none, &none}, NULL),
	    MT_OK);
	assert_int_equal(worklist_take(&list, 100, batch), WORKLIST_BATCH_MAX);
	assert_int_equal(worklist_take(&list, 100, batch), 1);
	assert_int_equal(worklist_take(&list, 100, batch), 0);
	worklist_done(&list);
}

static void
cursor_stops_below_what_is_not_done(void **state)
{
	static const struct {
		const char *name, *listed, *known, *waiting;
		uint32_t cursor;
	} cases[] = {
	    {"nothing listed", "", "", "", 4},
	    {"all done", "5 9", "5 9", "", 9},
	    {"first not done", "5 9", "9", "", 4},
	    {"a gap is passed", "8 9", "9", "", 7},
	    {"middle not done", "5 8 9", "5 9", "", 7},
	    {"last not done", "5 9", "5", "", 8},
	    {"known ones that are gone", "", "6", "", 4},
	    {"what waits is passed", "5 8 9", "5 9", "8", 9},
	    {"what is below does not matter", "2 5", "5", "", 5},
	    {"the last UID", "5 4294967295", "5 4294967295", "", UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct known known = {
		    cases[i].known, "", cases[i].waiting};
		struct worklist list;
		uint32_t cursor;

		worklist_init(&list, 4);
		load(&list, cases[i].listed, &known);
		cursor = worklist_cursor(&list);
		if (cursor != cases[i].cursor)
			fail_msg("%s: %u", cases[i].name, cursor);
		worklist_done(&list);
	}
}

static void
cursor_moves_with_the_pieces(void **state)
{
	static const struct known none = {"", "", ""}, late = {"", "7", ""};
	struct worklist list;
	char got[64];

	(void)state;
	worklist_init(&list, 4);
	load(&list, "2 5 6", &none); /* 2 is a late one */
	assert_int_equal(worklist_cursor(&list), 4);
	mark_all_done(&list);
	assert_int_equal(worklist_cursor(&list), 6);
	load(&list, "", &none);
	assert_int_equal(worklist_cursor(&list), 6);
	load(&list, "7 8", &late);
	mark_all_done(&list);
	assert_int_equal(worklist_cursor(&list), 6);
	load(&list, "9 12", &none);
	mark_all_done(&list);
	/* the suspect holds it */
	assert_int_equal(worklist_cursor(&list), 6);
	load_suspects(&list, "7", "7");
	assert_int_equal(worklist_cursor(&list), 6);
	take_all(&list, got, sizeof(got));
	assert_string_equal(got, "7/");
	worklist_mark_done(&list, 7);
	assert_int_equal(worklist_cursor(&list), 12);
	worklist_done(&list);
}

static void
what_is_never_given_holds_the_cursor_to_the_end(void **state)
{
	static const struct known none = {"", "", ""}, some = {"", "9 20", ""};
	struct worklist list;

	(void)state;
	worklist_init(&list, 4);
	load(&list, "5 6 7", &none);
	worklist_mark_done(&list, 5);
	worklist_mark_done(&list, 7);
	load(&list, "9 10", &some);
	mark_all_done(&list);
	load_suspects(&list, "", "20 9"); /* both are gone */
	assert_int_equal(worklist_cursor(&list), 5);
	worklist_done(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(batches_come_in_order_and_within_bounds),
	    cmocka_unit_test(batch_has_a_maximum_of_messages),
	    cmocka_unit_test(suspects_come_last_alone_and_as_given),
	    cmocka_unit_test(cursor_moves_with_the_pieces),
	    cmocka_unit_test(what_is_never_given_holds_the_cursor_to_the_end),
	    cmocka_unit_test(cursor_stops_below_what_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
