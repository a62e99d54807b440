# SPDX-License-Identifier: ISC
"""The OAuth2 server: npm's oidc-provider, with faults to order.

The program is oidc/server.mjs; node and the packages come from the cache
that tests/setup fills.
"""
import base64
import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import threading
import urllib.parse
from pathlib import Path

from .browser import Browser

_HERE = Path(__file__).parent / "oidc"
USERS = {"alice@example.test": "alice-pw", "bob@example.test": "bob-pw"}
# Client identifier -> secret (None: a public client).
CLIENTS = {"native": None, "desktop-secret": "desktop-secret-value",
           "desktop-basic": "s:cr%t +/=", "service": "service-secret"}
_PATHS = {"generic": {
    "authorization": "/auth", "token": "/token", "jwks": "/jwks",
    "introspection": "/token/introspection",
    "revocation": "/token/revocation",
    "device_authorization": "/device/auth",
    "discovery": "/.well-known/openid-configuration"}}
_PATHS["ms"] = _PATHS["generic"] | {
    "authorization": "/common/oauth2/v2.0/authorize",
    "token": "/common/oauth2/v2.0/token",
    "jwks": "/common/discovery/v2.0/keys",
    "device_authorization": "/common/oauth2/v2.0/devicecode",
    "discovery": "/common/v2.0/.well-known/openid-configuration"}
_PATHS["google"] = _PATHS["generic"] | {
    "authorization": "/o/oauth2/v2/auth", "revocation": "/revoke",
    "device_authorization": "/device/code"}
_MS_SCOPE = ("https://outlook.office365.com/IMAP.AccessAsUser.All "
             "https://outlook.office365.com/SMTP.Send offline_access")


def cache():
    """Where tests/setup keeps what npm made; the same rule as there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MAILTOKEN_TEST_CACHE")
                or Path(base, "mailtoken-tests"))


def installed():
    """(node, node_modules), or a RuntimeError that says what to do."""
    lock = (_HERE / "package-lock.json").read_bytes()
    modules = (cache() / f"oidc-{hashlib.sha256(lock).hexdigest()[:16]}"
               / "node_modules")
    pointer = cache() / "node-path"
    node = Path(pointer.read_text().strip() if pointer.exists() else pointer)
    for path in modules, node:
        if not path.exists():
            raise RuntimeError(f"{path} is missing: run tests/setup")
    return node, modules


class Oidc:
    """A running server.

    issuer, port    http(s)://localhost:port
    ca              CA certificate when tls=True, else None
    url(name)       an endpoint: "authorization", "token", "introspection",
                    "revocation", "jwks", "discovery",
                    "device_authorization"
    keys            directory with the public key of JWT tokens
    Settings for config() and for the constructor: at_ttl, rt_ttl, code_ttl
    device_ttl, interval (s); rotate "1" (reuse kills the family), "keep" (Microsoft), "0"
    (Google); at_format "opaque" or "jwt"; at_size, rt_size, code_size
    (bytes, 0: the library's own); username (claim for the mail server);
    identity (claims of the ID token, None: the login); expires_in "number", "string", "omit", "negative"; iss None (true),
    "omit", or a wrong value.
    flavor="ms" serves every /TENANT/oauth2/v2.0/..., with Microsoft's error
    bodies and offline_access needed for a refresh token; flavor="google" has
    Google's paths and words.
    With `names` it is called by these host names, over TLS at the usual port,
    where a proxy must lead to `port`; the first one is the issuer's.
    clients: further ones, as CLIENTS.
    """

    def __init__(self, bed, flavor="generic", tls=False, users=USERS,
                 names=(), clients={}, **conf):
        node, modules = installed()
        self.flavor, self.port = flavor, bed.port()
        self._users = users
        tls = tls or bool(names)
        self.issuer = (f"https://{names[0]}" if names else
                       f"{'https' if tls else 'http'}://localhost:{self.port}")
        self.dir = bed.subdir("oidc")
        self.keys = self.dir / "keys"
        options = {"modules": str(modules), "port": self.port,
                   "issuer": self.issuer, "flavor": flavor, "users": users,
                   "clients": clients, "keys": str(self.keys)}
        self.ca, self._context = None, None
        if tls:
            cert, key = bed.tls.cert(names) if names else bed.tls.cert()
            options |= {"cert": str(cert), "key": str(key)}
            self.ca = bed.tls.ca
            self._context = ssl.create_default_context(cafile=self.ca)
        self._lock = threading.Lock()
        self._process = bed.spawn(
            [node, _HERE / "server.mjs", json.dumps(options)],
            stdin=True, stdout=subprocess.PIPE)
        self.config(**conf)
        self.start()

    def start(self):
        """Listen (again); everything issued so far is still valid."""
        self._command("listen")

    def stop(self):
        """Refuse connections and cut those there are; forget nothing."""
        self._command("close")

    def url(self, name, tenant="common"):
        """The URL of an endpoint; flavor "ms" has them for any tenant."""
        path = _PATHS[self.flavor][name]
        return self.issuer + path.replace("/common/", f"/{tenant}/")

    def config(self, **settings):
        """Change settings; returns all of them."""
        return self._command("config", **settings)

    def fault(self, endpoint="token", grant_type=None, times=1, after=False,
              status=None, body="", headers=None, reset=False, truncate=None,
              drip_ms=0, delay_ms=0, hang=False):
        """Disturb the next requests to an endpoint (a name of url()).

        Which: the first `times`, of that grant_type only if it is given.
        How: status with body and headers instead of the real answer; reset;
        truncate (so many bytes of the body, then the end); drip_ms (that
        long after each byte); delay_ms first; hang (until release()).
        With after=True the server carries the request out first, and only
        its answer suffers: the client does not learn what was committed.
        """
        if endpoint not in _PATHS[self.flavor]:
            raise ValueError(f"no endpoint {endpoint!r}")
        fault = {"endpoint": endpoint, "grant_type": grant_type,
                 "times": times, "after": after, "status": status,
                 "body": body, "headers": headers or {}, "reset": reset,
                 "truncate": truncate, "drip_ms": drip_ms,
                 "delay_ms": delay_ms, "hang": hang}
        self._command("fault", **fault)

    def release(self):
        """Forget all faults; requests that hang go on."""
        self._command("release")

    def log(self, endpoint="token"):
        """Requests so far, as dicts: time, method, path, endpoint, form,
        authorization, status and error (of the real answer), fault (bool).

        endpoint=None gives all of them.
        """
        return [entry for entry in self._command("log")
                if endpoint in (None, entry["endpoint"])]

    def clear_log(self):
        self._command("log", clear=True)

    def mint(self, sub="alice@example.test", client_id="native", scope=None,
             ttl=None):
        """Tokens without a login: access_token, refresh_token, ..."""
        scope = scope or (_MS_SCOPE if self.flavor == "ms" else "mail")
        return self._command("mint", sub=sub, client_id=client_id,
                             scope=scope, ttl=ttl)

    def revoke(self, sub="alice@example.test"):
        """End all grants of a user: refresh answers invalid_grant."""
        self._command("revoke", sub=sub)

    def expire(self, sub="alice@example.test"):
        """End the access tokens of a user; refresh tokens stay good."""
        self._command("expire", sub=sub)

    def walk(self, authorize_url, user="alice@example.test", password=None,
             deny=False):
        """Log in and consent as a person would; stop before the redirect
        to the program and return its URL."""
        if password is None:
            password = self._users.get(user, "")
        return Browser(self._context).login(authorize_url, user, password,
                                            deny)

    def login(self, authorize_url, user="alice@example.test", password=None,
              deny=False):
        """walk(), then fetch the program's loopback listener.

        Returns (URL, what the listener showed).
        """
        final = self.walk(authorize_url, user, password, deny)
        return final, Browser().get(final)[2]

    def device(self, address, code, user="alice@example.test", password=None,
               deny=False):
        """Enter a device's code, and log in and consent; returns the last
        page."""
        if password is None:
            password = self._users.get(user, "")
        return Browser(self._context).device(address, code, user, password,
                                             deny)

    def request(self, endpoint, form=None, auth=None, tenant="common"):
        """POST a form, or GET; returns (status, parsed JSON).

        auth=(user, password) makes it Basic, encoded by RFC 6749 s2.3.1.
        """
        headers = {}
        if auth:
            pair = ":".join(urllib.parse.quote_plus(part) for part in auth)
            basic = base64.b64encode(pair.encode()).decode()
            headers = {"Authorization": f"Basic {basic}"}
        status, _, body = Browser(self._context).get(
            self.url(endpoint, tenant), form, headers)
        return status, json.loads(body) if body else None

    def refresh(self, refresh_token, client_id="native"):
        """One refresh request of a public client; (status, JSON)."""
        return self.request("token", {
            "grant_type": "refresh_token", "client_id": client_id,
            "refresh_token": refresh_token})

    def _command(self, op, **args):
        with self._lock:
            with contextlib.suppress(BrokenPipeError):
                self._process.send(json.dumps({"op": op} | args) + "\n")
            line = self._process.popen.stdout.readline()
        if not line:
            raise AssertionError(f"server.mjs ended\n{self._process.tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]
