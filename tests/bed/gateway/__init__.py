# SPDX-License-Identifier: ISC
"""The TriOnyx gateway, as far as a connector sees it: its WebSocket, served by
npm's ws (server.mjs), and its signed webhook."""
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
from pathlib import Path

from ..oidc import installed
from ..process import wait_until

TOKEN = 'a shared "token" \\ with\tall'


class Gateway:
    """A running gateway.

    url, port       ws(s)://localhost:port
    Faults, for the next messages: "drop", "close" (before it is accepted),
    "error" (refused), "silent" (nothing), "drop_working", "never" (accepted,
    but no answer), "failing" (an agent_error), "verbose" (20 MB before the end).
    """

    def __init__(self, bed, cert=None, token=TOKEN):
        """cert=(certificate, key) makes it TLS."""
        self._bed, self.port, self.token = bed, bed.port(), token
        self.url = f"{'wss' if cert else 'ws'}://localhost:{self.port}"
        self._log = bed.subdir("gateway") / "log"
        self._log.touch()
        self._cert = cert
        self.start()

    def start(self):
        """Begin, again after kill(); the log goes on."""
        node, modules = installed()
        options = {"modules": str(modules), "port": self.port,
                   "token": self.token, "log": str(self._log)}
        if self._cert:
            options |= dict(zip(("cert", "key"), map(str, self._cert)))
        self.process = self._bed.spawn(
            [node, Path(__file__).parent / "server.mjs", json.dumps(options)],
            stdin=True, stdout=subprocess.PIPE)
        self._answer()

    def kill(self):
        self.process.kill()

    def fault(self, kind, times=1):
        self._order("fault", kind=kind, times=times)

    def hold(self, on=True):
        """Agents work until release()."""
        self._order("hold", on=on)

    def release(self):
        self._order("release")

    def log(self, event=None):
        """What happened: dicts with "event", and "frame" where there is one.
        """
        entries = [json.loads(line)
                   for line in self._log.read_text().splitlines()]
        return [e for e in entries if event in (None, e["event"])]

    def contents(self, event="accepted"):
        """The texts that agents were told."""
        return [e["frame"]["content"] for e in self.log(event)]

    def wait(self, event, count=1, timeout=30):
        wait_until(lambda: len(self.log(event)) >= count, timeout,
                   f"{count} times {event!r} in {self._log}")
        return self.log(event)

    def _order(self, op, **args):
        self.process.send(json.dumps({"op": op} | args) + "\n")
        self._answer()

    def _answer(self):
        if not self.process.popen.stdout.readline():
            raise AssertionError(f"the gateway ended\n{self.process.tail()}")


class Hook:
    """The webhook endpoint, which checks what it gets as the gateway does.

    answers     (status, headers, JSON) for the next requests; then 202
    requests    those so far: headers, body (bytes), valid (the signature)
    """

    def __init__(self, bed, secret, cert=None):
        self.secret, self.answers, self.requests = secret, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = outer._handle(self, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", bed.port()), Handler)
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*cert)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True)
        self.url = (f"{'https' if cert else 'http'}://localhost:"
                    f"{self._server.server_port}/hooks/whk_1")
        threading.Thread(target=self._server.serve_forever).start()
        bed.on_exit(self._stop)

    def _stop(self):
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, request, body):
        stamp = request.headers["X-Webhook-Timestamp"]
        digest = hmac.new(self.secret.encode(), stamp.encode() + b"." + body,
                          hashlib.sha256).hexdigest()
        valid = request.headers["X-Webhook-Signature"] == f"sha256={digest}"
        status, headers, answer = (
            self.answers.pop(0) if self.answers else
            (202, {}, {"status": "accepted"}) if valid else
            (401, {}, {"error": "unauthorized"}))
        self.requests.append({
            "headers": dict(request.headers), "body": body, "valid": valid,
            "status": status})
        return status, headers, answer
