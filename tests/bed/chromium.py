# SPDX-License-Identifier: ISC
"""A real browser, without a screen and without the Internet."""

_LOOPBACK_ALONE = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"


def look_at(bed, url):
    """Open the URL in Chromium; the page as the browser understood it."""
    profile = bed.subdir("chromium")
    result = bed.run(
        ["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         f"--host-resolver-rules={_LOOPBACK_ALONE}",
         f"--user-data-dir={profile}", "--dump-dom", url],
        {"HOME": profile, "PATH": "/usr/bin:/bin"}, timeout=60)
    return result.check().out
