/* SPDX-License-Identifier: ISC */
#include "login_page.h"

#include <string.h>

/* The style is named in the policy by its SHA-256, so that nothing else on the
 * page can bring one along. */
#define STYLE                                                                  \
	"body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;"           \
	"margin:18vh auto;padding:0 1.5rem;color:#222;background:#fff}"        \
	"h1{font-size:1.5rem;margin:0 0 1rem;padding-left:1rem;"               \
	"border-left:.4rem solid #888}.good{border-color:#2a7f3f}"             \
	".bad{border-color:#b3261e}p{margin:.6rem 0;overflow-wrap:anywhere}"
#define STYLE_HASH "sha256-5qHBVFtyHttVyVpmcUlCxAw7E40e9hEpWLKrfIKZw8g="

#define HEADER                                                                 \
	"Content-Type: text/html; charset=utf-8\r\n"                           \
	"Cache-Control: no-store\r\n"                                          \
	"Referrer-Policy: no-referrer\r\n"                                     \
	"X-Content-Type-Options: nosniff\r\n"                                  \
	"Content-Security-Policy: default-src 'none'; style-src '" STYLE_HASH  \
	"'; img-src data:; base-uri 'none'; form-action 'none'; "              \
	"frame-ancestors 'none'\r\n"                                           \
	"Connection: close\r\n"

static const struct {
	const char *status; /* and header fields of this page alone */
	const char *class;
	const char *title;
	const char *text;
	const char *detail; /* what comes before it; NULL: the page has none */
} pages[] = {
    [LOGIN_PAGE_DONE] = {"200 OK", "good", "You are logged in",
	"The login is complete. You can close this page.", "For the user: "},
    [LOGIN_PAGE_REFUSED] = {"200 OK", "bad", "The login was refused",
	"Nothing was stored. To try again, start the login once more.",
	"Reason: "},
    [LOGIN_PAGE_FAILED] = {"200 OK", "bad", "The login failed",
	"Nothing was stored. The terminal says what to do next.", "Reason: "},
    [LOGIN_PAGE_FOREIGN] = {"400 Bad Request", "bad",
	"This is not the answer to the login that is waiting",
	"It may belong to an earlier attempt. The login still waits for its "
	"own answer.",
	"Reason: "},
    [LOGIN_PAGE_WAITING] = {"200 OK", "", "Waiting for the login",
	"Open the address that mailtoken printed, and log in there."},
    [LOGIN_PAGE_NOT_FOUND] = {"404 Not Found", "bad", "There is no such page",
	"Only the answer of a login is expected here."},
    [LOGIN_PAGE_BAD_METHOD] = {"405 Method Not Allowed\r\nAllow: GET", "bad",
	"This cannot be answered",
	"The answer of a login comes as a plain page request (GET)."},
    [LOGIN_PAGE_BAD_REQUEST] = {"400 Bad Request", "bad",
	"This cannot be answered",
	"It is not a request that a browser makes after a login."},
};

static void
add_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_add_text(b, "&amp;");
			break;
		case '<':
			buf_add_text(b, "&lt;");
			break;
		case '>':
			buf_add_text(b, "&gt;");
			break;
		case '"':
			buf_add_text(b, "&quot;");
			break;
		default:
			buf_add_char(b, *text);
		}
	}
}

static void
add_paragraph(struct buf *b, const char *before, const char *text)
{
	buf_add_format(b, "<p>%s", before);
	add_escaped(b, text);
	buf_add_text(b, "</p>\n");
}

static void
write_body(struct buf *b, enum login_page page, const char *account,
    const char *detail)
{
	buf_add_format(b,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<title>mailtoken: %s</title>\n"
	    "<link rel=\"icon\" href=\"data:,\">\n"
	    "<style>" STYLE "</style>\n</head>\n<body>\n"
	    "<h1 class=\"%s\">%s</h1>\n",
	    pages[page].title, pages[page].class, pages[page].title);
	if (detail && pages[page].detail)
		add_paragraph(b, pages[page].detail, detail);
	add_paragraph(b, "", pages[page].text);
	add_paragraph(b, "Account: ", account);
	buf_add_text(b, "</body>\n</html>\n");
}

void
login_page_write(struct buf *response, enum login_page page,
    const char *account, const char *detail)
{
	struct buf body = BUF_INIT(LOGIN_PAGE_MAX);

	write_body(&body, page, account, detail);
	buf_reset(response);
	buf_add_format(response,
	    "HTTP/1.1 %s\r\n" HEADER "Content-Length: %zu\r\n\r\n",
	    pages[page].status, body.len);
	buf_add(response, buf_text(&body), body.len);
	buf_done(&body);
}
