/* SPDX-License-Identifier: ISC */
#include "mail/imap_place.h"

#include "unit/cmocka_headers.h"

#define UID 304

/* Replies, and the place that they tell; 0: none. */
static const struct {
	const char *line;
	uint32_t uidvalidity, uid;
} appended[] =
    {
	{"3 OK [APPENDUID 38505 3955] done", 38505, 3955},
	{"3 OK [appenduid 4294967295 4294967295]", 4294967295, 4294967295},
	{"3 OK done", 0, 0},
	{"3 OK [UIDVALIDITY 1] done", 0, 0},
	{"3 OK [APPENDUID] done", 0, 0},
	{"3 OK [APPENDUID 38505] done", 0, 0},
	{"3 OK [APPENDUID 0 1] done", 0, 0},
	{"3 OK [APPENDUID 1 0] done", 0, 0},
	{"3 OK [APPENDUID 1 01] done", 0, 0},
	{"3 OK [APPENDUID 4294967296 1] done", 0, 0},
	{"3 OK [APPENDUID 1 99999999999999999999999] done", 0, 0},
	{"3 OK [APPENDUID -1 1] done", 0, 0},
	{"3 OK [APPENDUID 1  1] done", 0, 0},
	{"3 OK [APPENDUID 1 1 1] done", 0, 0},
	{"3 OK [APPENDUID 1 1:2] done", 0, 0}, /* nobody appends two */
	{"3 OK [APPENDUID 1 1", 0, 0},
},
  copied[] = {
      {"3 OK [COPYUID 38505 304 3956] done", 38505, 3956},
      {"* OK [copyuid 38505 304:304 3956:3956]", 38505, 3956},
      {"3 OK done", 0, 0},
      {"3 OK [APPENDUID 38505 304] done", 0, 0},
      {"3 OK [COPYUID 38505 305 3956] done", 0, 0}, /* not the one */
      {"3 OK [COPYUID 38505 304,305 3956:3957] done", 0, 0},
      {"3 OK [COPYUID 38505 304:305 3956:3957] done", 0, 0},
      {"3 OK [COPYUID 38505 304 3956,3957] done", 0, 0},
      {"3 OK [COPYUID 38505 304 0] done", 0, 0},
      {"3 OK [COPYUID 38505 304: 3956] done", 0, 0},
      {"3 OK [COPYUID 38505 304 3956:] done", 0, 0},
      {"3 OK [COPYUID 38505 * 3956] done", 0, 0},
      {"3 OK [COPYUID 38505  ] done", 0, 0},
      {"3 OK [COPYUID 0 304 3956] done", 0, 0},
};

static void
append_tells_the_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(appended) / sizeof(*appended); i++) {
		struct imap_place place = {0};
		struct imap_reply reply;
		bool told;
		assert_true(imap_reply_parse(appended[i].line, "3", &reply));
		told = imap_place_appended(&reply, &place);
		if (told != (appended[i].uid != 0) ||
		    place.uid != appended[i].uid ||
		    place.uidvalidity != appended[i].uidvalidity)
			fail_msg("%s: %u %u", appended[i].line,
			    place.uidvalidity, place.uid);
	}
}

static void
copy_tells_the_place_of_the_one_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
		struct imap_place place = {0};
		struct imap_reply reply;
		bool told;
		assert_true(imap_reply_parse(copied[i].line, "3", &reply) ||
			    imap_reply_parse(copied[i].line, "*", &reply));
		told = imap_place_copied(&reply, UID, &place);
		if (told != (copied[i].uid != 0) ||
		    place.uid != copied[i].uid ||
		    place.uidvalidity != copied[i].uidvalidity)
			fail_msg("%s: %u %u", copied[i].line, place.uidvalidity,
			    place.uid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(append_tells_the_place),
	    cmocka_unit_test(copy_tells_the_place_of_the_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
