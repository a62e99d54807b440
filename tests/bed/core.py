# SPDX-License-Identifier: ISC
"""The bed itself: a directory, ports, and what runs, in order."""
import contextlib
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from pathlib import Path

from .dovecot import Dovecot
from .gateway import Gateway, Hook
from .glewlwyd import Glewlwyd
from .mailhost import MailHost
from .oidc import Oidc
from .ports import Ports
from .postfix import Postfix
from .process import (Process, Result, adopt_orphans, end_orphans,
                      wait_until)
from .proxy import Proxy
from .scripted import ScriptedServer
from .sink import Sink
from .tls import Tls

# Asked for once: the first two threads that ask at the same time may get None.
_MULTIARCH = sysconfig.get_config_var("MULTIARCH")
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


class Bed:
    """A private directory and the servers started in it.

    Leaving the `with` block stops everything in reverse order.  The
    directory is kept, and its path printed, when the block failed, when
    `keep` was set, or with BED_KEEP=1 in the environment.

    dir     the directory (mode 0755: servers with users of their own reach
            into it)
    tls     a certificate authority: .ca, .cert()
    """

    _open = 0       # beds in this process

    def __init__(self):
        self.keep = bool(os.environ.get("BED_KEEP"))
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self._processes = []

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="bed-"))
        self.dir.chmod(0o755)
        adopt_orphans()
        Bed._open += 1
        self._ports = Ports()
        self.on_exit(self._ports.close)
        return self

    def __exit__(self, kind, value, trace):
        try:
            self._stack.close()
            Bed._open -= 1
            if not Bed._open:
                end_orphans()
            self._check_sanitizers()
        except BaseException:
            self.keep = True
            raise
        finally:
            if kind or self.keep:
                print(f"bed kept: {self.dir}", file=sys.stderr)
            else:
                shutil.rmtree(self.dir, ignore_errors=True)

    def on_exit(self, function, *args):
        """Call this when the bed ends, before what was started earlier."""
        self._stack.callback(function, *args)

    # -- places ------------------------------------------------------------

    def port(self):
        """A port that no other test uses."""
        return self._ports.take()

    def subdir(self, name):
        """A new directory in the bed, its name made unique."""
        path = self.dir / f"{name}-{next(self._numbers)}"
        path.mkdir()
        return path

    @functools.cached_property
    def tls(self):
        return Tls(self.dir / "tls")

    @staticmethod
    def build_dir():
        """MAILTOKEN_BUILD, where the project was built."""
        if "MAILTOKEN_BUILD" not in os.environ:
            raise RuntimeError("set MAILTOKEN_BUILD to the build directory")
        return Path(os.environ["MAILTOKEN_BUILD"])

    def program(self, name):
        """The path of a program of the project."""
        return _existing(self.build_dir() / "bin" / name)

    def is_sanitized(self, name):
        """Whether a program was built with a sanitizer, whose heap keeps what
        was released."""
        text = self.program(name).read_bytes()
        return b"__asan_init" in text or b"__tsan_init" in text

    def public_program(self, name):
        """A copy of it that other users can run, wherever the build lies."""
        copy = self.subdir("bin") / name
        shutil.copy(self.program(name), copy)
        return copy

    def sasl_path(self, extra=(), module=True):
        """A directory for SASL_PATH: the project's module, or the `module`
        that is given, and the `extra` modules of Debian ("plain", "login",
        "scram", ...)."""
        path = self.subdir("sasl")
        if module:
            built = _existing(self.build_dir() / "sasl2" / "libmailtoken.so"
                              if module is True else module)
            (path / built.name).symlink_to(built)
        for name in extra:
            for found in debian_sasl_dir().glob(f"lib{name}.so*"):
                (path / found.name).symlink_to(found)
            _existing(path / f"lib{name}.so")
        return path

    def client_env(self, extra=("plain", "login"), module=True, **env):
        """The environment of a mail client: PATH, a HOME of its own and a
        SASL_PATH as sasl_path() makes it; with the sanitizers' libraries
        loaded first if the module was built with them."""
        sasl = self.sasl_path(extra, module)
        base = {"PATH": PATH, "HOME": self.subdir("home"), "SASL_PATH": sasl}
        if module:
            base |= _sanitizer_env(sasl / "libmailtoken.so")
        return base | env

    # -- programs ----------------------------------------------------------

    def spawn(self, argv, env=None, cwd=None, stdin=False, stdout=None,
              pass_fds=(), death_signal=signal.SIGKILL):
        """Start a program: a Process.  Its environment is `env` alone.

        stdin=True opens a pipe for .send().  Stopped when the bed ends.
        """
        name = Path(argv[0]).name
        stem = self.dir / f"{name}-{next(self._numbers)}"
        process = Process(argv, env, f"{stem}.out", f"{stem}.err", cwd,
                          stdin, stdout, pass_fds, death_signal)
        self._processes.append(process)
        self.on_exit(process.stop)
        return process

    def run(self, argv, env=None, input="", timeout=30, cwd=None):
        """Run a program to its end: a Result with .rc, .out and .err.

        Its environment is `env` alone.  AssertionError after `timeout`.
        """
        with tempfile.TemporaryFile(dir=self.dir) as stdin:
            stdin.write(input.encode() if isinstance(input, str) else input)
            stdin.seek(0)
            process = self.spawn(argv, env, cwd, stdin)
        try:
            rc = process.wait(timeout)
        finally:
            process.stop(timeout=0)
        return Result(argv, rc, process.stdout_text(), process.stderr_text())

    @staticmethod
    def wait_until(condition, timeout=20, what="condition"):
        return wait_until(condition, timeout, what)

    def _check_sanitizers(self):
        for process in self._processes:
            report = process.sanitizer_report()
            if report:
                raise AssertionError(f"{process.name}:\n{report}")

    # -- servers -----------------------------------------------------------

    def oidc(self, **options):
        """Start the OAuth2 server: an Oidc."""
        return Oidc(self, **options)

    def glewlwyd(self, redirect_uri):
        """Start the other OAuth2 server: a Glewlwyd."""
        return Glewlwyd(self, redirect_uri)

    def dovecot(self, **options):
        """Start Dovecot (IMAP, submission, LMTP): a Dovecot."""
        return Dovecot(self, **options)

    def postfix(self, **options):
        """Start Postfix as an SMTP client: a Postfix."""
        return Postfix(self, **options)

    def mail_host(self, **options):
        """Start a provider, Postfix and Dovecot: a MailHost."""
        return MailHost(self, **options)

    def gateway(self, **options):
        """Start the TriOnyx gateway's WebSocket: a Gateway."""
        return Gateway(self, **options)

    def hook(self, secret, **options):
        """Start the gateway's webhook endpoint: a Hook."""
        return Hook(self, secret, **options)

    def sink(self):
        """Start the SMTP server where mail ends: a Sink."""
        sink = Sink(self.port())
        self.on_exit(sink.stop)
        return sink

    def scripted_server(self, script, tls=None, implicit=True):
        """Start a server that does what `script(conn)` says."""
        server = ScriptedServer(self.port(), script, tls, implicit)
        self.on_exit(server.stop)
        return server

    def proxy(self, port):
        """Start a proxy in front of a port, which can go silent: a Proxy."""
        proxy = Proxy(self.port(), port)
        self.on_exit(proxy.stop)
        return proxy


class BedTestCase(unittest.TestCase):
    """Test methods that share `self.bed`; kept if one of them fails."""

    @classmethod
    def setUpClass(cls):
        cls.bed = cls.enterClassContext(Bed())

    def run(self, result=None):
        result = result or self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.bed.keep = True
        return result


def _existing(path):
    if not path.exists():
        raise RuntimeError(f"{path}: not there")
    return path


def _sanitizer_env(module):
    """What a program built without sanitizers needs to load the module."""
    text = subprocess.run(["ldd", module], capture_output=True, text=True,
                          check=True).stdout
    libraries = re.findall(r"lib[a-z]+san\.so\S* => (\S+)", text)
    if not libraries:
        return {}
    # Leaks of somebody else's program are not our matter.
    # libuv closes descriptors by a bare system call, which the thread
    # sanitizer does not see; then it takes their next use for a race.
    quiet = Path(__file__).parent / "tsan.supp"
    return {"LD_PRELOAD": ":".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",
            "TSAN_OPTIONS": f"suppressions={quiet}"}


def debian_sasl_dir():
    return _existing(Path("/usr/lib", _MULTIARCH, "sasl2"))
