# SPDX-License-Identifier: ISC
"""A second OAuth2 server, Debian's glewlwyd, that shares no code with the first.

It differs where servers do: it really sends slow_down, answers a used refresh
token with an empty 400, writes `bearer` in lower case, lies beneath a path that
is not its issuer, takes a redirect URI only with its registered port, and
revokes for a client with a secret only.
"""
import gzip
import http.client
import json
import sqlite3
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from .browser import Browser
from .process import wait_until
from .scripted import ScriptedServer

_DOC = Path("/usr/share/doc/glewlwyd")
USER, PASSWORD = "alice@example.test", "alice-pw-123"
SECRET = "desktop-secret-value"     # of the client "desktop"
_HS256_KEY = "0123456789abcdef0123456789abcdef"


class Glewlwyd:
    """A running server.

    issuer              http://localhost:PORT
    mount               issuer and the path that all endpoints lie beneath
    url(name)           an endpoint: "auth", "token", "device_authorization"
    device_interval     what a device is told, in place of the server's 5 s
    The clients are "native" and, with a secret, "desktop".
    """

    def __init__(self, bed, redirect_uri):
        self.port, self._inner = bed.port(), bed.port()
        self.issuer = f"http://localhost:{self.port}"
        self.mount = f"{self.issuer}/api/oidc"
        self.device_interval = None
        self._log, self._lock = [], threading.Lock()
        self._start(bed)
        self._configure(redirect_uri)

    def url(self, name):
        return f"{self.mount}/{name}"

    def log(self, path="/api/oidc/token"):
        """Requests to a path so far, as dicts: time, form, status, body."""
        with self._lock:
            return [entry for entry in self._log if entry["path"] == path]

    def login(self, authorize_url):
        """Log in and consent as a person would; the redirect's URL."""
        status, location, body = self._person().get(
            f"{authorize_url}&g_continue")
        if not location:
            raise AssertionError(f"{status} {body}")
        return location

    def approve(self, user_code):
        """Let the device with this code in."""
        self._person().get(f"{self.url('device')}?code={user_code}&g_continue")

    # -- inside --------------------------------------------------------------

    def _start(self, bed):
        directory = bed.subdir("glewlwyd")
        with sqlite3.connect(directory / "db") as database:
            database.executescript(_text("database/init.sqlite3.sql"))
        database.close()
        config = directory / "conf"
        config.write_text(self._config(directory / "db"))
        self._process = bed.spawn(["/usr/bin/glewlwyd", "-c", config],
                                  stdout=subprocess.DEVNULL)
        wait_until(lambda: self._is_up(), what="glewlwyd to listen")
        self._front = ScriptedServer(self.port, self._forward)
        bed.on_exit(self._front.stop)

    def _config(self, database):
        """Debian's sample with our places."""
        values = {"port": self._inner, "bind_address": '"127.0.0.1"',
                  "external_url": f'"{self.issuer}"', "cookie_secure": 0,
                  "cookie_domain": '"localhost.local"',
                  "use_secure_connection": "false"}
        lines = []
        for line in _text("glewlwyd.conf.sample").splitlines():
            name = line.lstrip("# ").partition("=")[0].strip()
            if name in values and "=" in line:
                line = f"{name}={values.pop(name)}"
            lines.append(line.replace("/var/cache/glewlwyd/glewlwyd.db",
                                      str(database)))
        return "\n".join(lines)

    def _is_up(self):
        if self._process.rc is not None:
            raise AssertionError(self._process.tail())
        try:
            return self._exchange("GET", "/config", {}, b"")[0] == 200
        except OSError:
            return False

    def _exchange(self, method, target, headers, body):
        """One request to the server itself: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._inner,
                                                timeout=20)
        connection.request(method, target, body, headers)
        reply = connection.getresponse()
        answer = reply.status, reply.getheaders(), reply.read()
        connection.close()
        return answer

    def _forward(self, conn):
        """Stands before the server: keeps a log, and tells the interval."""
        method, target = conn.expect(r"(\S+) (\S+) HTTP/1\.1").groups()
        headers = {}
        while line := conn.readline():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = conn.read(int(headers.get("content-length", 0)))
        entry = {"path": target.partition("?")[0], "time": time.time(),
                 "form": dict(urllib.parse.parse_qsl(body.decode()))}
        status, fields, answer = self._exchange(method, target, headers, body)
        if self.device_interval and target.endswith("/device_authorization"):
            answer = json.dumps(json.loads(answer)
                                | {"interval": self.device_interval}).encode()
        with self._lock:
            self._log.append(entry | {"status": status,
                                      "body": answer.decode()})
        skipped = ("content-length", "connection", "transfer-encoding")
        kept = "".join(f"{name}: {value}\r\n" for name, value in fields
                       if name.lower() not in skipped)
        conn.send(f"HTTP/1.1 {status} .\r\n{kept}Connection: close\r\n"
                  f"Content-Length: {len(answer)}\r\n\r\n")
        conn.send(answer)

    def _api(self, browser, path, value, method=None):
        status, _, body = browser.get(f"{self.issuer}/api/{path}",
                                      headers={"Content-Type":
                                               "application/json"},
                                      data=json.dumps(value).encode(),
                                      method=method)
        if status != 200:
            raise AssertionError(f"{path}: {status} {body}")

    def _person(self):
        """A browser in which the user has logged in and consented."""
        browser = Browser()
        self._api(browser, "auth/", {"username": USER, "password": PASSWORD})
        for client in "native", "desktop":
            self._api(browser, f"auth/grant/{client}", {"scope": "mail"},
                      "PUT")
        return browser

    def _configure(self, redirect_uri):
        admin = Browser()
        self._api(admin, "auth/", {"username": "admin",
                                   "password": "password"})
        self._api(admin, "mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "oidc",
            "parameters": _PARAMETERS | {"iss": self.issuer}})
        self._api(admin, "scope/", {"name": "mail", "display_name": "mail",
                                    "password_required": True, "scheme": {}})
        self._api(admin, "user/?source=database", {
            "username": USER, "name": "Alice", "email": USER,
            "password": PASSWORD, "enabled": True, "scope": ["mail"]})
        for client in ({"client_id": "native", "confidential": False,
                        "token_endpoint_auth_method": ["none"]},
                       {"client_id": "desktop", "confidential": True,
                        "password": SECRET, "token_endpoint_auth_method": [
                            "client_secret_post", "client_secret_basic"]}):
            self._api(admin, "client/?source=database", client | {
                "name": client["client_id"], "enabled": True,
                "redirect_uri": [redirect_uri],
                "authorization_type": ["code", "refresh_token",
                                       "device_authorization"],
                "scope": []})


_PARAMETERS = {
    "jwt-type": "sha", "jwt-key-size": "256", "key": _HS256_KEY,
    "access-token-duration": 3600, "refresh-token-duration": 1209600,
    "code-duration": 600, "refresh-token-rolling": True,
    "refresh-token-one-use": "always", "allow-non-oidc": True,
    "auth-type-code-enabled": True, "auth-type-token-enabled": False,
    "auth-type-id-token-enabled": True, "auth-type-none-enabled": False,
    "auth-type-password-enabled": False, "auth-type-client-enabled": True,
    "auth-type-device-enabled": True, "auth-type-refresh-enabled": True,
    "device-authorization-expiration": 600,
    "device-authorization-interval": 5, "pkce-allowed": True,
    "pkce-method-plain-allowed": False,
    "introspection-revocation-allowed": True,
    "introspection-revocation-allow-target-client": True,
    "scope": [], "additional-parameters": [], "claims": []}


def _text(name):
    """A file of Debian's documentation, which may be compressed."""
    plain = _DOC / name
    if plain.exists():
        return plain.read_text()
    return gzip.decompress((_DOC / f"{name}.gz").read_bytes()).decode()
