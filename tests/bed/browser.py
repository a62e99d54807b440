# SPDX-License-Identifier: ISC
"""A person with a browser, as far as the OAuth2 server's pages need one."""
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

_MAX_PAGES = 15


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Browser:
    """Keeps cookies, shows each redirect; trusts `tls` (an SSLContext)."""

    def __init__(self, tls=None):
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirect,
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.HTTPSHandler(context=tls))

    def get(self, url, form=None, headers={}, data=None, method=None):
        """One request, a POST if there is a form or data.

        Returns (status, Location made absolute or None, body).
        """
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            reply = self._opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            location = reply.headers.get("location")
            body = reply.read().decode(errors="replace")
            return (reply.status,
                    location and urllib.parse.urljoin(url, location), body)

    def login(self, url, user, password, deny):
        """Walk from an authorization URL to the redirect out of the server.

        Returns that URL, not fetched.  AssertionError with the page when the
        server refuses.
        """
        origin = url.split("/")[:3]
        for url, page in self._walk(url, user, password, deny):
            if url.split("/")[:3] != origin:
                return url
            if not page.forms:
                raise AssertionError(f"{url}: {page.text}")

    def device(self, url, code, user, password, deny):
        """Walk from the page where a device's code is entered to the end;
        returns the last page.  With `deny` the person aborts there."""
        for url, page in self._walk(url, user, password, deny):
            if not page.forms:
                return page.text
            fields = page.forms[0][1]
            if "confirm" in fields and deny:
                fields["abort"] = "yes"
            elif "user_code" in fields and not fields["user_code"]:
                fields["user_code"] = code

    def _walk(self, url, user, password, deny):
        """Follow redirects and send forms; yields each (URL, page), and for
        a redirect to another server its URL alone."""
        origin = url.split("/")[:3]
        form = None
        for _ in range(_MAX_PAGES):
            status, location, body = self.get(url, form)
            form = None
            if location:
                url = location
                if location.split("/")[:3] != origin:
                    yield location, None
                continue
            page = _Page(body)
            if status != 200:
                raise AssertionError(f"{url}: {status} {body}")
            yield url, page
            action, fields = page.forms[-1 if deny else 0]
            if "password" in fields:
                action, fields = page.forms[0]
                fields |= {"login": user, "password": password}
            url, form = urllib.parse.urljoin(url, action), fields
        raise AssertionError(f"no end of pages at {url}")


class _Page(HTMLParser):
    """The forms of a page: [(action, {field: value})], and its text."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.text = [], text
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.forms.append((attrs["action"], {}))
        elif attrs.get("name") and self.forms:
            self.forms[-1][1][attrs["name"]] = attrs.get("value") or ""
