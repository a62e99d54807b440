/* SPDX-License-Identifier: ISC */
#include "helper/command/login_page.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static const enum login_page all_pages[] = {LOGIN_PAGE_DONE, LOGIN_PAGE_REFUSED,
    LOGIN_PAGE_FAILED, LOGIN_PAGE_FOREIGN, LOGIN_PAGE_WAITING,
    LOGIN_PAGE_NOT_FOUND, LOGIN_PAGE_BAD_METHOD, LOGIN_PAGE_BAD_REQUEST};

#define PAGES (sizeof(all_pages) / sizeof(*all_pages))

static void
every_page_is_a_whole_response(void **state)
{
	struct buf page = BUF_INIT(2 * LOGIN_PAGE_MAX);

	(void)state;
	for (size_t i = 0; i < PAGES; i++) {
		const char *length, *body;

		login_page_write(&page, all_pages[i], "work", "why");
		assert_true(buf_ok(&page));
		assert_memory_equal(page.data, "HTTP/1.1 ", 9);
		length = strstr(page.data, "\r\nContent-Length: ");
		assert_non_null(length);
		body = strstr(page.data, "\r\n\r\n");
		assert_non_null(body);
		assert_int_equal(
		    strtoul(length + 18, NULL, 10), strlen(body + 4));
	}
	buf_done(&page);
}

static void
no_page_is_kept_or_loads_anything(void **state)
{
	static const char *const wanted[] = {"\r\nCache-Control: no-store\r\n",
	    "\r\nReferrer-Policy: no-referrer\r\n",
	    "\r\nX-Content-Type-Options: nosniff\r\n",
	    "\r\nContent-Security-Policy: default-src 'none'; ",
	    "frame-ancestors 'none'", "\r\nConnection: close\r\n"};
	static const char *const unwanted[] = {"http:", "https:", "<script",
	    "<img", "url(", "@import", "'unsafe-inline'"};
	struct buf page = BUF_INIT(2 * LOGIN_PAGE_MAX);

	(void)state;
	for (size_t i = 0; i < PAGES; i++) {
		login_page_write(&page, all_pages[i], "work", NULL);
		for (size_t w = 0; w < sizeof(wanted) / sizeof(*wanted); w++)
			assert_non_null(strstr(page.data, wanted[w]));
		for (size_t u = 0; u < sizeof(unwanted) / sizeof(*unwanted);
		     u++)
			assert_null(strstr(page.data, unwanted[u]));
	}
	buf_done(&page);
}

static void
what_others_wrote_is_escaped(void **state)
{
	struct buf page = BUF_INIT(2 * LOGIN_PAGE_MAX);

	(void)state;
	login_page_write(&page, LOGIN_PAGE_FAILED, "<a href=\"x\">",
	    "the server said <script>alert(1)</script> & more");
	assert_non_null(
	    strstr(page.data, "&lt;script&gt;alert(1)&lt;/script&gt; &amp;"));
	assert_non_null(strstr(page.data, "&lt;a href=&quot;x&quot;&gt;"));
	assert_null(strstr(page.data, "<script"));
	buf_done(&page);
}

static void
longest_text_fits(void **state)
{
	struct buf page = BUF_INIT(2 * LOGIN_PAGE_MAX);
	char text[MT_ERROR_TEXT_MAX];

	(void)state;
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < PAGES; i++) {
		login_page_write(&page, all_pages[i], text + 384, text);
		assert_true(buf_ok(&page));
		assert_non_null(strstr(page.data, "</html>"));
	}
	buf_done(&page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_page_is_a_whole_response),
	    cmocka_unit_test(no_page_is_kept_or_loads_anything),
	    cmocka_unit_test(what_others_wrote_is_escaped),
	    cmocka_unit_test(longest_text_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
